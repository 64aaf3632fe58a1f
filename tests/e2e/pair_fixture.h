// Two real engines with the embedded guest on loopback, as an operator and a client see them.
//
// Each process of tests has loopback addresses of its own, so runs beside each other never meet.
// Ownership: the destructor kills the engines by their ids and removes the folder.
// Threads: the main one. Waiting is for a condition, with a deadline that only a hang reaches.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/control.h"
#include "app/status.h"
#include "demo/client.h"
#include "demo/folder.h"
#include "demo/process.h"
#include "demo/relay.h"

namespace colo::e2e {

using app::State;
using testing::HasSubstr;

inline constexpr auto patience = std::chrono::seconds(60);
inline constexpr auto alpha = "alpha";
inline constexpr auto beta = "beta";

[[nodiscard]] bool wait_until(const std::function<bool()>& done,
                              std::chrono::milliseconds within = patience);

struct Settings {
  std::uint32_t delay_ms = 50;
  std::string mode = "periodic";
  std::uint32_t dirty_pages_per_second = 500;
  std::uint32_t memory_mib = 8;
  // Long enough that a busy machine is never mistaken for a dead peer.
  std::string lost_after = "3s";
  std::string stream_timeout = "5s";
  std::string grace = "0ms";
  std::string more = {};  // of the configuration file: [[hook]] tables
  bool relay = false;     // a link between the hosts that can be cut
  bool tls = true;
  std::string arbiter;  // the lines of [arbiter]; empty: a directory
  // Each engine sees that directory from its own, where Folder::hide_arbiter() takes it away.
  bool hides_arbiter = false;
};

// What a program said and how it ended.
struct Ran {
  int status = -1;
  std::string out, err;
};

class Pair {
 public:
  explicit Pair(const Settings& settings = {});
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair();

  // `colo run`; its own configuration file if one is given.
  void start(const std::string& host, const std::filesystem::path& config = {});
  // Both, until the primary is PROTECTED and the secondary STANDBY.
  void protect();
  void kill(const std::string& host);  // SIGKILL, and it is gone
  void send_signal(const std::string& host, int number);
  // Waits for the end that something else brings about: "exit status 0", "signal 9".
  std::string wait_for_end(const std::string& host);
  // SIGTERM, then that.
  std::string end(const std::string& host);
  [[nodiscard]] pid_t pid(const std::string& host) const;

  [[nodiscard]] Result<app::Reply> ask(const std::string& host, const app::Request& request) const;
  // A default one, and a failure of the test, where the engine does not answer.
  [[nodiscard]] app::Status status(const std::string& host) const;
  [[nodiscard]] testing::AssertionResult becomes(const std::string& host, State state) const;
  // The guest runs there, with a replica or without.
  [[nodiscard]] testing::AssertionResult goes_on_at(const std::string& host) const;
  // Protected, with this host as the primary.
  [[nodiscard]] testing::AssertionResult protected_by(const std::string& host) const;
  [[nodiscard]] testing::AssertionResult shows(
      const std::string& host, const std::string& what,
      const std::function<bool(const app::Status&)>& true_of) const;
  // The owners of the generations in order, "-" for nobody: "alpha beta -". (The status has them a
  // moment after the claim's answer.)
  [[nodiscard]] testing::AssertionResult owned(const std::string& host,
                                               const std::string& by) const;
  // `colo VERB FILE --host HOST words...`, awaited.
  [[nodiscard]] Ran colo(const std::string& verb, const std::string& host,
                         const std::string& words = "") const;
  // `colo run` where it must refuse.
  [[nodiscard]] Ran colo_run(const std::string& host, const std::filesystem::path& config) const;

  [[nodiscard]] std::string log(const std::string& host) const;
  [[nodiscard]] testing::AssertionResult logs(const std::string& host,
                                              const std::string& words) const;

  // The client outside, with a conversation that goes on until it is finished.
  demo::Client& talk();
  [[nodiscard]] const demo::Client& talking() const { return *client_; }
  // The conversation goes on: so many more replies.
  [[nodiscard]] testing::AssertionResult answers(std::uint64_t replies = 10);
  // Ends the conversation; every acknowledged entry is there and the digest is right.
  [[nodiscard]] testing::AssertionResult conversation_holds();

  [[nodiscard]] const demo::Folder& folder() const { return folder_; }
  [[nodiscard]] demo::Relay& relay() { return *relay_; }
  [[nodiscard]] const app::Config& config() const { return config_; }
  [[nodiscard]] std::filesystem::path engine_cable(const std::string& host) const;
  [[nodiscard]] std::filesystem::path switch_cable(const std::string& host) const;
  // The configuration's text, and another file beside it with one thing changed.
  [[nodiscard]] std::filesystem::path changed(const std::string& name, const std::string& from,
                                              const std::string& to) const;

 private:
  [[nodiscard]] std::string trouble(const std::string& host) const;

  demo::Folder folder_;
  std::unique_ptr<demo::Relay> relay_;
  app::Config config_;
  std::map<std::string, demo::Child> engines_;
  std::unique_ptr<demo::Client> client_;
};

// "alpha beta -": see owned().
[[nodiscard]] std::string owners(const app::Status& status);

}  // namespace colo::e2e
