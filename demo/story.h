// What the demonstration tells while it runs: lines with the time since its start, and a progress
// that rewrites its line on a terminal and speaks up now and then elsewhere.
//
// Threads: the main one.
#pragma once

#include <chrono>
#include <string>

namespace colo::demo {

class Story {
 public:
  Story();
  ~Story();
  void tell(const std::string& line);
  void progress(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string stamped(const std::string& line) const;
  void end_progress();

  Clock::time_point started_ = Clock::now();
  Clock::time_point last_progress_;
  bool terminal_;
  bool in_progress_ = false;  // the terminal's line is not ended yet
};

// "12.3 ms", "-" for what does not exist.
[[nodiscard]] std::string milliseconds_text(double ms);

}  // namespace colo::demo
