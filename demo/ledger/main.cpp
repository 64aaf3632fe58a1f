// The guest's service: a ledger on TCP port 7000, and a table of 64 MiB that is rewritten at the
// rate that the kernel's command line asks for (colo.dirty_pages=N pages a second).

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "demo/ledger/book.h"
#include "demo/ledger/server.h"
#include "demo/ledger/table.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t table_pages = (64UL << 20) / 4096;
constexpr std::uint64_t default_rate = 2000;
constexpr auto tick = std::chrono::milliseconds(5);
// After a standstill the writer goes on at its rate; it does not make up for lost time.
constexpr auto longest_arrears = std::chrono::milliseconds(20);

std::uint64_t configured_rate() {
  std::ifstream command_line("/proc/cmdline");
  const std::string key = "colo.dirty_pages=";
  for (std::string word; command_line >> word;) {
    if (word.rfind(key, 0) == 0) return std::strtoull(word.c_str() + key.size(), nullptr, 10);
  }
  return default_rate;
}

[[noreturn]] void rewrite_for_ever(colo::demo::Table& table, std::uint64_t pages_per_second,
                                   colo::demo::Alarm& alarm) {
  const auto page_time = std::chrono::nanoseconds(1'000'000'000 / pages_per_second);
  auto due = Clock::now();
  for (;;) {
    std::this_thread::sleep_for(tick);
    const auto now = Clock::now();
    if (due < now - longest_arrears) due = now - longest_arrears;
    for (; due < now; due += page_time) {
      if (auto wrong = table.rewrite_next()) alarm.raise(std::move(*wrong));
    }
  }
}

}  // namespace

int main() {
  colo::demo::Table table(table_pages);
  colo::demo::Books books;
  colo::demo::Alarm alarm;
  const std::uint64_t rate = configured_rate();
  if (rate > 0) {
    std::thread([&] { rewrite_for_ever(table, rate, alarm); }).detach();
  }
  std::printf("ledger: port %u, %llu pages/s\n", unsigned{colo::demo::ledger_port},
              static_cast<unsigned long long>(rate));
  std::fflush(stdout);
  const std::string reason = colo::demo::serve(colo::demo::ledger_port, books, alarm);
  std::fprintf(stderr, "ledger: %s\n", reason.c_str());
  // The threads above still use the table and the alarm.
  std::_Exit(1);
}
