// The files of one round: configuration, key, arbiter, run directories, logs.
//
// Each host has a directory of its own in which its engine works. In it, `arbiter` leads to the
// arbiter that both share, as a mount of shared storage would: the configuration, which is the same
// on both hosts, names it by the engine's own working directory. So one host can lose the arbiter
// while the other still has it.
//
// Ownership: destroying it removes everything.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace colo::demo {

class Folder {
 public:
  // A new folder in the system's temporary directory. Folders of dead demonstrations are removed.
  static Result<Folder> make();
  Folder(Folder&& other) noexcept;
  Folder& operator=(Folder&&) = delete;
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path config() const { return path_ / "ledger.toml"; }
  [[nodiscard]] std::filesystem::path key() const { return path_ / "ledger.key"; }
  [[nodiscard]] std::filesystem::path arbiter() const { return path_ / "arbiter"; }
  // As an engine sees it from its host's directory.
  [[nodiscard]] static std::filesystem::path arbiter_mount() { return "/proc/self/cwd/arbiter"; }
  [[nodiscard]] std::filesystem::path host_directory(const std::string& host) const {
    return path_ / host;
  }
  // What a host that lost its power would not find again: /run and the kept checkpoint are
  // memory. Logs stay.
  void forget_run(const std::string& host) const;
  // The arbiter is out of this host's reach: every call to it fails at once. Then within it again.
  Result<void> hide_arbiter(const std::string& host) const;
  Result<void> show_arbiter(const std::string& host) const;
  [[nodiscard]] std::filesystem::path run_directory() const { return path_ / "run"; }
  // In memory, where a secondary keeps its checkpoint; the engines make it.
  [[nodiscard]] std::filesystem::path checkpoint_directory() const {
    return shared_memory() / path_.filename();
  }
  [[nodiscard]] static std::filesystem::path shared_memory() { return "/dev/shm"; }
  [[nodiscard]] std::filesystem::path console() const { return path_ / "console.log"; }
  [[nodiscard]] std::filesystem::path log(const std::string& host) const {
    return path_ / (host + ".log");
  }
  [[nodiscard]] std::filesystem::path control_socket(const std::string& host) const {
    return run_directory() / ("ledger." + host) / "control.sock";
  }

  // Copies configuration and logs, never the key. REQUIRES: the engines have ended.
  Result<void> keep(const std::filesystem::path& where) const;
  // The last lines of a host's log, indented; empty when there are none.
  [[nodiscard]] std::string tail(const std::string& host) const;

 private:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// Removes what dead demonstrations left in the temporary directory.
void remove_stale_folders();

Result<void> write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace colo::demo
