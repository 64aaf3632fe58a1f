#include "app/units.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

namespace colo::app {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 4> time_units{
    {{"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"min", 60'000'000'000}}};
constexpr std::array<Unit, 5> size_units{
    {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}}};

// A whole number and one of the units, nothing between or around them.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text,
                                             const std::array<Unit, N>& units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view name(rest, static_cast<std::size_t>(end - rest));
  const auto* unit =
      std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == units.end()) return std::nullopt;
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (number > most / unit->factor) return std::nullopt;
  return number * unit->factor;
}

template <std::size_t N>
std::string shortest_text(std::uint64_t value, const std::array<Unit, N>& units) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    const bool fits = value % unit->factor == 0 && (value != 0 || unit + 1 == units.rend());
    if (fits) return std::to_string(value / unit->factor) + std::string(unit->name);
  }
  return std::to_string(value);
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto nanoseconds = parse_with_unit(text, time_units);
  if (!nanoseconds) {
    return fail("bad-duration", "\"" + std::string(text) + "\" is not a duration",
                "write a whole number and a unit, us, ms, s or min, like \"50ms\"");
  }
  return Duration(static_cast<std::int64_t>(*nanoseconds));
}

std::string duration_text(Duration duration) {
  return shortest_text(static_cast<std::uint64_t>(duration.count()), time_units);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes = parse_with_unit(text, size_units);
  if (!bytes) {
    return fail("bad-size", "\"" + std::string(text) + "\" is not a size",
                "write a whole number and a unit, B, KiB, MiB, GiB or TiB, like \"64MiB\"");
  }
  return *bytes;
}

std::string size_text(std::uint64_t bytes) { return shortest_text(bytes, size_units); }

Result<Address> parse_address(std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return fail("bad-address", "\"" + std::string(text) + "\": " + why,
                "write an IP address and a port, like \"10.77.1.1:7700\" or \"[fd00::1]:7700\"");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad("there is no port");
  std::string ip(text.substr(0, colon));
  const std::string_view port_text = text.substr(colon + 1);
  int family = AF_INET;
  if (ip.size() >= 2 && ip.front() == '[' && ip.back() == ']') {
    ip = ip.substr(1, ip.size() - 2);
    family = AF_INET6;
  }
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  if (inet_pton(family, ip.c_str(), binary.data()) != 1) {
    return bad("\"" + ip + "\" is not an IP address; names are not resolved");
  }
  std::uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [rest, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc{} || rest != end || port == 0) {
    return bad("\"" + std::string(port_text) + "\" is not a port from 1 to 65535");
  }
  std::array<char, INET6_ADDRSTRLEN> normal{};  // one text per address, whatever zeros were written
  inet_ntop(family, binary.data(), normal.data(), normal.size());
  return Address{normal.data(), port};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string counted(std::string_view text) {
  return std::to_string(text.size()) + ":" + std::string(text);
}

}  // namespace colo::app
