// Real etcd servers on loopback, each with a data directory of its own.
//
// Addresses belong to this process, so tests beside each other never meet.
// Ownership: destroying one kills it by its id; Scratch removes the files. Threads: the main one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "arbiter/settings.h"
#include "demo/process.h"

namespace colo::arbiter::test {

// A directory of a test's own, removed with everything in it.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Writes a file of mode 0600 into it.
  std::filesystem::path file(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

// A loopback address of this process: 127.128.0.0/9 has room for every process id.
[[nodiscard]] std::string own_ip();

// Certificates, made by openssl in a directory.
struct Certificates {
  std::filesystem::path ca, server_cert, server_key, client_cert, client_key;
};
[[nodiscard]] Certificates make_certificates(const std::filesystem::path& directory,
                                             const std::string& server_ip);

class EtcdServer {
 public:
  struct Options {
    std::filesystem::path directory;
    int index = 0;    // of the member
    int members = 1;  // of its cluster
    const Certificates* tls = nullptr;
  };
  // Starts it; ready() waits until it takes claims. REQUIRES: one server per index at a time.
  explicit EtcdServer(Options options);

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  void stop() const;   // SIGSTOP
  void go_on() const;  // SIGCONT
  void kill();         // SIGKILL, and it is gone
  void start();        // again, with the data it has
  // `etcdctl words...` against it; gives its output.
  [[nodiscard]] Result<std::string> ctl(const std::vector<std::string>& words) const;

 private:
  Options options_;
  std::string endpoint_;
  std::uint16_t port_ = 0;
  std::vector<std::string> command_;
  std::optional<demo::Child> child_;
};

// Settings that name these servers, with a timeout that a busy machine keeps.
[[nodiscard]] EtcdSettings settings_of(const std::vector<const EtcdServer*>& servers);

// Waits until the endpoints of `settings` take claims. False after a minute.
[[nodiscard]] bool ready(const EtcdSettings& settings);

}  // namespace colo::arbiter::test
