// Services of others that the guest runs for a measurement, and the programs that load them from
// outside.
//
// Threads: one at a time. Errors: "unknown-output" where a program says what we do not understand.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace colo::demo {

enum class Service { redis, http };
[[nodiscard]] const char* word(Service service);
[[nodiscard]] std::uint16_t port_of(Service service);

struct LoadFigures {
  double requests_per_second = 0;
  double p50_ms = 0, p99_ms = 0;
  std::uint64_t errors = 0;  // connections that failed, replies that are none
};

struct Load {
  std::string address;
  std::uint32_t connections = 8;
  std::chrono::seconds time{5};
  // redis-benchmark counts requests, not seconds: as many as this rate brings within the time.
  double expected_per_second = 0;
};
// redis: redis-benchmark, SET; http: wrk, GET.
[[nodiscard]] std::vector<std::string> load_command(Service service, const Load& load);
[[nodiscard]] Result<LoadFigures> parse_load(Service service, const std::string& output);

}  // namespace colo::demo
