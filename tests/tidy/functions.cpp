#include "tests/tidy/functions.h"

#include <algorithm>
#include <cctype>

namespace colo::tidy {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Walks over the text once, blanking what is no code.
class Blanker {
 public:
  explicit Blanker(const std::string& text) : text_(text), out_(text) {}

  std::string run() {
    while (at_ < text_.size()) step();
    return out_;
  }

 private:
  void step() {
    if (line_begin_ && next_is_directive()) return blank_directive();
    const char c = text_[at_];
    if (c == '\n') {
      line_begin_ = true;
      ++at_;
      return;
    }
    line_begin_ = line_begin_ && (c == ' ' || c == '\t');
    if (text_.compare(at_, 2, "//") == 0) return blank_to(text_.find('\n', at_));
    if (text_.compare(at_, 2, "/*") == 0) return blank_to(after(text_.find("*/", at_ + 2), 2));
    if (c == 'R' && text_.compare(at_, 2, "R\"") == 0 && (at_ == 0 || !is_word(text_[at_ - 1]))) {
      return blank_raw_text();
    }
    if (c == '"') return blank_quoted('"');
    // 1'000 is a number, 'x' a letter.
    if (c == '\'' && (at_ == 0 || !is_word(text_[at_ - 1]))) return blank_quoted('\'');
    ++at_;
  }

  [[nodiscard]] bool next_is_directive() const {
    const std::size_t first = text_.find_first_not_of(" \t", at_);
    return first != std::string::npos && text_[first] == '#';
  }
  void blank_directive() {
    std::size_t end = text_.find('\n', at_);
    while (end != std::string::npos && end > 0 && text_[end - 1] == '\\') {
      end = text_.find('\n', end + 1);
    }
    blank_to(end);
  }
  void blank_raw_text() {
    const std::size_t open = text_.find('(', at_);
    if (open == std::string::npos) return blank_to(open);
    const std::string close = ")" + text_.substr(at_ + 2, open - at_ - 2) + "\"";
    blank_to(after(text_.find(close, open), close.size()));
  }
  void blank_quoted(char quote) {
    std::size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote && text_[end] != '\n') {
      end += text_[end] == '\\' ? 2 : 1;
    }
    blank_to(std::min(end + 1, text_.size()));
  }
  static std::size_t after(std::size_t found, std::size_t length) {
    return found == std::string::npos ? found : found + length;
  }
  void blank_to(std::size_t end) {
    for (end = std::min(end, text_.size()); at_ < end; ++at_) {
      if (text_[at_] != '\n') out_[at_] = ' ';
    }
  }

  const std::string& text_;
  std::string out_;
  std::size_t at_ = 0;
  bool line_begin_ = true;
};

class Scanner {
 public:
  explicit Scanner(std::string code) : code_(std::move(code)) {}

  std::vector<Function> run() {
    for (at_ = 0; at_ < code_.size(); ++at_) {
      const char c = code_[at_];
      if (c == '\n') ++line_;
      if (c == '(') ++parentheses_;
      if (c == ')') --parentheses_;
      if (c == '{') {
        open();
      } else if (c == '}') {
        close();
      } else if (c == ';' && parentheses_ == 0) {
        forget();
      } else {
        if (declaration_.empty() && !std::isspace(static_cast<unsigned char>(c))) begin_ = line_;
        if (!declaration_.empty() || !std::isspace(static_cast<unsigned char>(c)))
          declaration_ += c;
      }
    }
    return std::move(found_);
  }

 private:
  enum class Scope { function, initializer, other };

  void open() {
    const bool spaced = at_ > 0 && std::isspace(static_cast<unsigned char>(code_[at_ - 1])) != 0;
    const bool inside = std::find(scopes_.begin(), scopes_.end(), Scope::function) != scopes_.end();
    if (parentheses_ > 0 || (!spaced && !inside)) {
      scopes_.push_back(Scope::initializer);
      return;
    }
    const bool function = !inside && has_parameters();
    scopes_.push_back(function ? Scope::function : Scope::other);
    if (function) starts_.push_back(begin_);
    forget();
  }
  void close() {
    if (scopes_.empty()) return;
    const Scope scope = scopes_.back();
    scopes_.pop_back();
    if (scope == Scope::initializer) return;
    if (scope == Scope::function) {
      found_.push_back({starts_.back(), line_});
      starts_.pop_back();
    }
    forget();
  }
  // "int f(int a) const" but not "int a[] = ".
  [[nodiscard]] bool has_parameters() const {
    const std::size_t open = declaration_.find('(');
    if (open == std::string::npos) return false;
    const std::size_t equals = declaration_.find('=');
    return equals > open || declaration_.find("operator") < open;
  }
  void forget() { declaration_.clear(); }

  std::string code_;
  std::size_t at_ = 0, line_ = 1, begin_ = 1;
  int parentheses_ = 0;
  std::string declaration_;  // since the last statement ended
  std::vector<Scope> scopes_;
  std::vector<std::size_t> starts_;
  std::vector<Function> found_;
};

}  // namespace

std::string without_comments_and_texts(const std::string& text) { return Blanker(text).run(); }

std::vector<Function> find_functions(const std::string& text) {
  return Scanner(without_comments_and_texts(text)).run();
}

}  // namespace colo::tidy
