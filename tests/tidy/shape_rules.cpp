#include <algorithm>

#include "tests/tidy/functions.h"
#include "tests/tidy/rules.h"

namespace colo::tidy {
namespace {

bool is_script(const File& file) {
  return file.path.ends_with(".sh") || file.path.ends_with(".cmake") ||
         file.path.ends_with("CMakeLists.txt");
}

bool has_name(const std::string& line, const std::string& word) {
  const auto part_of_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || !part_of_word(line[at - 1]);
    if (begins && (end == line.size() || !part_of_word(line[end]))) return true;
  }
  return false;
}

}  // namespace

Failures length_rules(const Tree& tree) {
  Failures failures;
  for (const File& file : tree.files) {
    if (!file.is_source() && !is_script(file)) continue;
    if (file.lines.size() > most_file_lines) {
      failures.push_back({file.path, file.lines.size(),
                          "the file has " + std::to_string(file.lines.size()) +
                              " lines, more than " + std::to_string(most_file_lines)});
    }
    if (!file.is_source()) continue;
    for (const Function& function : find_functions(file.text)) {
      if (function.lines() <= most_function_lines) continue;
      failures.push_back({file.path, function.first_line,
                          "the function has " + std::to_string(function.lines()) +
                              " lines, more than " + std::to_string(most_function_lines)});
    }
  }
  return failures;
}

Failures header_rules(const Tree& tree) {
  Failures failures;
  for (const File& file : tree.files) {
    if (!file.is_header()) continue;
    if (file.lines.empty() || !file.lines[0].starts_with("// ")) {
      failures.push_back({file.path, 1, "a header begins with a comment that says its role"});
    }
    if (std::find(file.lines.begin(), file.lines.end(), "#pragma once") == file.lines.end()) {
      failures.push_back({file.path, 1, "a header has #pragma once"});
    }
  }
  return failures;
}

Failures leftover_rules(const Tree& tree) {
  // In two parts, so that this file keeps the rule too.
  const std::vector<std::string> words{
      "TO"
      "DO",
      "FIX"
      "ME",
      "X"
      "XX",
      "HA"
      "CK"};
  Failures failures;
  for (const File& file : tree.files) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string& word : words) {
        if (has_name(file.lines[i], word)) {
          failures.push_back({file.path, i + 1, "nothing is left for later: " + word});
        }
      }
    }
  }
  return failures;
}

}  // namespace colo::tidy
