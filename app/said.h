// Lets the log say a thing once, not with each of the two tries a second that meet it again.
// Threads: none.
#pragma once

#include <map>
#include <string>

namespace colo::app {

class Said {
 public:
  // Whether `text` is news about `subject`.
  bool is_news(const std::string& subject, const std::string& text) {
    if (said_.size() >= subjects_max) said_.clear();  // a stranger may come from many addresses
    std::string& last = said_[subject];
    if (last == text) return false;
    last = text;
    return true;
  }
  void forget(const std::string& subject) { said_.erase(subject); }

 private:
  static constexpr std::size_t subjects_max = 64;
  std::map<std::string, std::string> said_;
};

}  // namespace colo::app
