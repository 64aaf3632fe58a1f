// What the tree promises about its own shape. Each rule gives the places that break it.
#pragma once

#include "tests/tidy/tree.h"

namespace colo::tidy {

inline constexpr std::size_t most_file_lines = 400;
inline constexpr std::size_t most_function_lines = 70;

// Who may include whom, as docs/ARCHITECTURE.md draws it; the cores see no clock, thread,
// socket, random number or log; QEMU is known in guest/ only.
[[nodiscard]] Failures include_rules(const Tree& tree);

// Files within 400 lines, functions within 70.
[[nodiscard]] Failures length_rules(const Tree& tree);

// A header is included once and begins by saying what it is for.
[[nodiscard]] Failures header_rules(const Tree& tree);

// Nothing is left for later in the text of the tree.
[[nodiscard]] Failures leftover_rules(const Tree& tree);

// Relative links of pages lead to something.
[[nodiscard]] Failures link_rules(const Tree& tree);

// clang-format 14 with the tree's own .clang-format has nothing to change.
// REQUIRES: clang_format_program() is not empty.
[[nodiscard]] Failures format_rules(const Tree& tree);
// A clang-format of version 14; empty where there is none (other versions format otherwise).
[[nodiscard]] std::string clang_format_program();

}  // namespace colo::tidy
