#include "tests/tidy/tree.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <sstream>

namespace colo::tidy {
namespace {

bool is_text(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 10> endings{".h",  ".cpp",  ".md",   ".txt", ".cmake",
                                                     ".sh", ".toml", ".json", ".yml", ""};
  const std::string ending = path.extension().string();
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

bool is_skipped(const std::string& folder) {
  return folder == ".git" || folder == ".cache" || folder.starts_with("build");
}

File read_file(const std::filesystem::path& root, const std::filesystem::path& path) {
  File file;
  file.path = path.lexically_relative(root).generic_string();
  std::ifstream in(path, std::ios::binary);
  file.text.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  std::istringstream lines(file.text);
  for (std::string line; std::getline(lines, line);) file.lines.push_back(line);
  return file;
}

}  // namespace

Tree read_tree(const std::filesystem::path& root) {
  Tree tree{root, {}};
  for (auto entry = std::filesystem::recursive_directory_iterator(root);
       entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    if (entry->is_directory() && is_skipped(entry->path().filename().string())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && !entry->is_symlink() && is_text(entry->path())) {
      tree.files.push_back(read_file(root, entry->path()));
    }
  }
  std::sort(tree.files.begin(), tree.files.end(),
            [](const File& a, const File& b) { return a.path < b.path; });
  return tree;
}

}  // namespace colo::tidy
