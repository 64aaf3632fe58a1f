// The engines' logs as a witness of phases: an engine at level trace writes a line before each step
// of a checkpoint and of a takeover, and a line that is written outlives the engine.
//
// Threads: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "drill/drill.h"

namespace colo::drill {

// How far a log has been written, in bytes.
[[nodiscard]] std::uint64_t log_size(const std::filesystem::path& log);
// The first `size` bytes of it.
[[nodiscard]] std::string log_text(const std::filesystem::path& log, std::uint64_t size);

// The phase that an engine was in when it had written so much and no more. Of a primary: one of
// phase_initial_copy to phase_commit. Of a secondary: phase_commit to phase_start. During
// a switchover: its step. Else phase_idle.
[[nodiscard]] std::string phase_after(const std::string& log);

// Looks at what is appended to a log from now on.
class LogWatch {
 public:
  explicit LogWatch(const std::filesystem::path& log);
  // True as soon as a line that contains `words` was written; false when the time is over or
  // `give_up` says so.
  bool wait_for(const std::string& words, std::chrono::milliseconds patience,
                const std::function<bool()>& give_up);

 private:
  UniqueFd fd_;
  std::uint64_t read_ = 0;
  std::string rest_;  // of a line that was not whole yet
};

}  // namespace colo::drill
