// What a hook prints, as lines of our log. Bounded: a hook that prints without end costs neither
// memory nor disk.
// Threads: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace colo::app {

class HookOutput {
 public:
  static constexpr std::size_t line_bytes_max = 1000;  // a longer line is cut
  static constexpr std::size_t lines_max = 200;        // more are counted, not logged

  explicit HookOutput(std::string hook) : hook_(std::move(hook)) {}
  void feed(std::string_view bytes);
  // Logs a last line without a newline, and how many lines were left out.
  void finish();
  // The last line that is not blank; empty: it printed nothing.
  [[nodiscard]] const std::string& last_line() const { return last_; }

 private:
  void end_line();

  std::string hook_;
  std::string line_;
  std::string last_;
  std::size_t lines_ = 0;
};

}  // namespace colo::app
