#include "demo/service.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace colo::demo {
namespace {

constexpr std::uint64_t least_requests = 100;

tl::unexpected<Error> unknown_output(const std::string& output) {
  return fail("unknown-output", output.empty() ? "the program said nothing" : output);
}

// "SET","1234.5","0.1",...: below a line that names the columns.
Result<LoadFigures> parse_redis(const std::string& output) {
  const std::size_t header = output.find("\"test\",\"rps\"");
  const std::size_t row = output.find("\n\"SET", header == std::string::npos ? 0 : header);
  if (header == std::string::npos || row == std::string::npos) return unknown_output(output);
  std::istringstream line(output.substr(row + 1, output.find('\n', row + 1) - row - 1));
  std::vector<double> values;
  for (std::string cell; std::getline(line, cell, ',');) {
    values.push_back(std::atof(cell.c_str() + std::min<std::size_t>(1, cell.size())));
  }
  // test, rps, average, least, p50, p95, p99, most
  if (values.size() != 8 || values[1] <= 0) return unknown_output(output);
  return LoadFigures{values[1], values[4], values[6], 0};
}

// "1.02ms", "512.00us", "1.10s", "2.00m"
double wrk_ms(const std::string& text) {
  char* unit = nullptr;
  const double value = std::strtod(text.c_str(), &unit);
  if (unit == std::string("us")) return value / 1000;
  if (unit == std::string("s")) return value * 1000;
  if (unit == std::string("m")) return value * 60'000;
  return value;
}

Result<LoadFigures> parse_wrk(const std::string& output) {
  LoadFigures figures;
  bool median = false, rate = false;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second;
    words >> first >> second;
    if (first == "50%") {
      figures.p50_ms = wrk_ms(second);
      median = true;
    } else if (first == "99%") {
      figures.p99_ms = wrk_ms(second);
    } else if (first == "Requests/sec:") {
      figures.requests_per_second = std::atof(second.c_str());
      rate = true;
    } else if (first == "Socket" || first == "Non-2xx") {
      // "Socket errors: connect 0, read 1, write 0, timeout 2"; "Non-2xx or 3xx responses: 3"
      const std::size_t colon = line.find(':');
      std::istringstream counts(line.substr(colon == std::string::npos ? line.size() : colon + 1));
      for (std::string word; counts >> word;) {
        figures.errors += std::strtoull(word.c_str(), nullptr, 10);
      }
    }
  }
  if (!median || !rate) return unknown_output(output);
  return figures;
}

}  // namespace

const char* word(Service service) { return service == Service::redis ? "redis" : "http"; }

std::uint16_t port_of(Service service) { return service == Service::redis ? 6379 : 80; }

std::vector<std::string> load_command(Service service, const Load& load) {
  const std::string connections = std::to_string(load.connections);
  if (service == Service::http) {
    return {"/usr/bin/wrk",
            "--latency",
            "--timeout",
            "30s",
            "--threads",
            "1",
            "--connections",
            connections,
            "--duration",
            std::to_string(load.time.count()) + "s",
            "http://" + load.address + ":" + std::to_string(port_of(service)) + "/index.html"};
  }
  const auto wanted =
      static_cast<std::uint64_t>(load.expected_per_second * static_cast<double>(load.time.count()));
  return {"/usr/bin/redis-benchmark",
          "-h",
          load.address,
          "-p",
          std::to_string(port_of(service)),
          "-c",
          connections,
          "-n",
          std::to_string(std::max(wanted, least_requests)),
          "-r",
          "10000",
          "-d",
          "64",
          "-t",
          "set",
          "--csv"};
}

Result<LoadFigures> parse_load(Service service, const std::string& output) {
  return service == Service::redis ? parse_redis(output) : parse_wrk(output);
}

}  // namespace colo::demo
