// Finds the functions of a C++ file by its braces.
//
// This is a heuristic, right for text that clang-format has laid out: comments, texts and
// preprocessor lines are blanked; a brace behind a space, with a parameter list before it and
// outside any parentheses, opens a function's body. A lambda counts to the function around it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace colo::tidy {

struct Function {
  std::size_t first_line = 0;  // where its declaration begins, counted from 1
  std::size_t last_line = 0;   // of its closing brace
  [[nodiscard]] std::size_t lines() const { return last_line - first_line + 1; }
};

[[nodiscard]] std::vector<Function> find_functions(const std::string& text);

// The text with comments, string and character literals and preprocessor lines made blank; lines
// stay where they are.
[[nodiscard]] std::string without_comments_and_texts(const std::string& text);

}  // namespace colo::tidy
