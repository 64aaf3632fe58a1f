// The files of one round: configuration, key, arbiter, run directories, logs.
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
  [[nodiscard]] std::filesystem::path run_directory() const { return path_ / "run"; }
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

Result<void> write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace colo::demo
