#include "app/hook_output.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "wire/bytes.h"

namespace colo::app {

void HookOutput::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view part = bytes.substr(0, newline);
    line_ += part.substr(0, line_bytes_max - std::min(line_bytes_max, line_.size()));
    if (newline == std::string_view::npos) return;
    end_line();
    bytes.remove_prefix(newline + 1);
  }
}

void HookOutput::finish() {
  if (!line_.empty()) end_line();
  if (lines_ > lines_max) {
    spdlog::info("hook {}: {} more lines are not shown", hook_, lines_ - lines_max);
  }
  lines_ = 0;
}

void HookOutput::end_line() {
  // A hook's words go to terminals and logs, as a peer's do.
  if (line_.ends_with('\r')) line_.pop_back();
  std::string text = wire::clean_text(line_, line_bytes_max);
  line_.clear();
  if (std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || c == '?'; })) return;
  if (++lines_ <= lines_max) spdlog::info("hook {}: {}", hook_, text);
  last_ = std::move(text);
}

}  // namespace colo::app
