// What the tests of hooks share: hooks that are lines of shell, what they log, and processes that
// must be gone.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include "app/hooks.h"
#include "tests/app/scratch.h"

namespace colo::app {

inline HookConfig shell_hook(const std::string& name, const std::string& script,
                             Duration timeout = std::chrono::seconds(60)) {
  return {name, {"/bin/sh", "-c", script, "hook"}, timeout};
}

// Far more than anything here needs: only a hang gets there.
inline bool wait_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Exists and is no zombie.
inline bool lives(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t behind_name = stat.rfind(") ");
  return behind_name != std::string::npos && stat[behind_name + 2] != 'Z' &&
         stat[behind_name + 2] != 'X';
}

class HookTest : public testing::Test {
 protected:
  HookTest() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log)));
    spdlog::set_pattern("%v");
    config.name = "ledger";
    config.hosts[0].name = "alpha";
    config.hosts[1].name = "beta";
  }
  ~HookTest() override { spdlog::set_default_logger(before_); }

  std::string file(const std::string& name) const { return (scratch.path() / name).string(); }
  // Waits until the hook has written it.
  pid_t pid_in(const std::string& name) const {
    EXPECT_TRUE(wait_until([&] { return read_text(file(name)).ends_with('\n'); }));
    return std::stoi(read_text(file(name)));
  }
  Result<void> acquire(const std::string& script, Duration timeout = std::chrono::seconds(60)) {
    config.hooks = {shell_hook("vip", script, timeout)};
    return HookRunner(config, "alpha").acquire(HookCause::takeover, {7}, cancel);
  }

  Scratch scratch;
  Config config;
  HookCancel cancel;
  std::ostringstream log;

 private:
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace colo::app
