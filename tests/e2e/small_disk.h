// A disk that can be full: a small tmpfs over a directory. Gone with the object.
//
// REQUIRES: root; elsewhere mounted() says no and the test is skipped.
#pragma once

#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace colo::e2e {

class SmallDisk {
 public:
  explicit SmallDisk(std::filesystem::path directory) : directory_(std::move(directory)) {
    std::filesystem::create_directory(directory_);
    mounted_ = ::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    if (mounted_) ::umount2(directory_.c_str(), MNT_DETACH);
  }

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_; }
  void fill() const {
    std::ofstream filler(directory_ / "filler");
    for (int page = 0; page < 32 && filler; ++page) filler << std::string(4096, 'x') << std::flush;
  }
  void make_room() const { std::filesystem::remove(directory_ / "filler"); }

 private:
  std::filesystem::path directory_;
  bool mounted_ = false;
};

}  // namespace colo::e2e
