// The files of a source tree as the rules see them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace colo::tidy {

struct File {
  std::string path;  // from the root of the tree, "io/lane.h"
  std::string text;
  std::vector<std::string> lines;

  [[nodiscard]] bool is_header() const { return path.ends_with(".h"); }
  [[nodiscard]] bool is_source() const { return is_header() || path.ends_with(".cpp"); }
  [[nodiscard]] bool is_page() const { return path.ends_with(".md"); }
  [[nodiscard]] bool is_in(std::string_view folder) const {
    return path.starts_with(std::string(folder) + "/");
  }
};

struct Tree {
  std::filesystem::path root;
  std::vector<File> files;  // by path
};

// Every text file below root but what is built, and what tools keep for themselves.
[[nodiscard]] Tree read_tree(const std::filesystem::path& root);

// One broken rule. "io/lane.h:12: rule"
struct Failure {
  std::string path;
  std::size_t line = 1;
  std::string rule;
  [[nodiscard]] std::string text() const { return path + ":" + std::to_string(line) + ": " + rule; }
};
using Failures = std::vector<Failure>;

}  // namespace colo::tidy
