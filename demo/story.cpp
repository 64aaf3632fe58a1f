#include "demo/story.h"

#include <unistd.h>

#include <array>
#include <cstdio>

namespace colo::demo {
namespace {

constexpr auto between_progress_lines = std::chrono::seconds(2);

}  // namespace

Story::Story() : terminal_(::isatty(STDOUT_FILENO) == 1) {}

Story::~Story() { end_progress(); }

std::string Story::stamped(const std::string& line) const {
  std::array<char, 32> stamp{};
  const double seconds = std::chrono::duration<double>(Clock::now() - started_).count();
  std::snprintf(stamp.data(), stamp.size(), "%7.2f s  ", seconds);
  return stamp.data() + line;
}

void Story::end_progress() {
  if (in_progress_) std::fputs("\n", stdout);
  in_progress_ = false;
}

void Story::tell(const std::string& line) {
  end_progress();
  std::printf("%s\n", stamped(line).c_str());
  std::fflush(stdout);
  last_progress_ = Clock::now();
}

void Story::progress(const std::string& line) {
  if (terminal_) {
    std::printf("\r\033[K%s", stamped(line).c_str());
    in_progress_ = true;
  } else {
    if (Clock::now() < last_progress_ + between_progress_lines) return;
    last_progress_ = Clock::now();
    std::printf("%s\n", stamped(line).c_str());
  }
  std::fflush(stdout);
}

std::string milliseconds_text(double ms) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f ms", ms);
  return text.data();
}

}  // namespace colo::demo
