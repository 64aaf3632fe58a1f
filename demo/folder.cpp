#include "demo/folder.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>

namespace colo::demo {
namespace {

namespace fs = std::filesystem;

const std::string name_start = "colo-demo-";
constexpr std::size_t tail_lines = 15;
const std::string mount_name = "arbiter";
const std::string hidden_name = "arbiter.gone";

// "colo-demo-<pid>-XXXXXX" of a process that is gone.
void remove_stale(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind(name_start, 0) != 0) continue;
    const pid_t maker = static_cast<pid_t>(std::atol(name.c_str() + name_start.size()));
    if (maker > 0 && ::kill(maker, 0) != 0 && errno == ESRCH) fs::remove_all(entry, ignored);
  }
}

}  // namespace

Result<Folder> Folder::make() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) return fail("no-folder", error.message());
  remove_stale_folders();
  std::string name = (parent / (name_start + std::to_string(::getpid()) + "-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail("no-folder", name + ": " + std::strerror(errno));
  }
  Folder folder{fs::path(name)};
  for (const fs::path& inner : {folder.arbiter(), folder.run_directory(),
                                folder.host_directory("alpha"), folder.host_directory("beta")}) {
    fs::create_directory(inner, error);
    if (error) return fail("no-folder", inner.string() + ": " + error.message());
  }
  for (const char* host : {"alpha", "beta"}) {
    fs::create_symlink("../arbiter", folder.host_directory(host) / mount_name, error);
    if (error) return fail("no-folder", error.message());
  }
  return folder;
}

Folder::Folder(Folder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }

Folder::~Folder() {
  std::error_code ignored;
  if (path_.empty()) return;
  fs::remove_all(checkpoint_directory(), ignored);
  fs::remove_all(path_, ignored);
}

Result<void> Folder::keep(const fs::path& where) const {
  std::error_code error;
  fs::create_directories(where, error);
  if (error) return fail("logs-not-kept", where.string() + ": " + error.message());
  for (const auto& entry : fs::recursive_directory_iterator(path_, error)) {
    const fs::path& from = entry.path();
    const bool wanted = from.extension() == ".log" || from.extension() == ".toml" ||
                        from.parent_path() == arbiter();
    if (!wanted || !entry.is_regular_file(error)) continue;
    const fs::path to = where / fs::relative(from, path_, error);
    fs::create_directories(to.parent_path(), error);
    fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
    if (error) return fail("logs-not-kept", to.string() + ": " + error.message());
  }
  return {};
}

std::string Folder::tail(const std::string& host) const {
  std::ifstream file(log(host));
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > tail_lines) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) text += "    " + line + "\n";
  return text;
}

void Folder::forget_run(const std::string& host) const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(run_directory() / ("ledger." + host), ignored)) {
    if (entry.path().extension() != ".log") fs::remove_all(entry.path(), ignored);
  }
  fs::remove_all(checkpoint_directory() / ("ledger." + host), ignored);
}

Result<void> Folder::hide_arbiter(const std::string& host) const {
  std::error_code error;
  fs::rename(host_directory(host) / mount_name, host_directory(host) / hidden_name, error);
  if (error) return fail("arbiter-not-hidden", error.message());
  return {};
}

Result<void> Folder::show_arbiter(const std::string& host) const {
  std::error_code error;
  fs::rename(host_directory(host) / hidden_name, host_directory(host) / mount_name, error);
  if (error) return fail("arbiter-not-shown", error.message());
  return {};
}

void remove_stale_folders() {
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (!error) remove_stale(parent);
  remove_stale(Folder::shared_memory());
}

Result<void> write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail("write-failed", path.string() + ": " + std::strerror(errno));
  return {};
}

}  // namespace colo::demo
