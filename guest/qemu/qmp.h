// A client of QEMU's machine protocol (QMP) over one connected stream socket: commands one at a
// time, each with a deadline; events are kept until they are asked for.
// Ownership: the socket. Threads: one at a time.
// Errors: "qmp-refused" when QEMU says no (its words as the reason), "qmp-timeout", "qmp-closed",
//   "qmp-malformed". After a timeout the client stays usable: a late reply is skipped by its id.
#pragma once

#include <chrono>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::guest {

struct QmpEvent {
  std::string name;
  std::chrono::microseconds when{};  // since the Unix epoch, by QEMU's clock
  nlohmann::json data;
};

struct QmpReply {
  std::uint64_t id = 0;
  Result<nlohmann::json> result;
};

struct QmpMessage {
  std::optional<QmpEvent> event;
  std::optional<QmpReply> reply;
  std::optional<nlohmann::json> greeting;
};

// One line of the protocol.
[[nodiscard]] Result<QmpMessage> parse_qmp_line(std::string_view line);

class Qmp {
 public:
  // REQUIRES: a connected, non-blocking stream socket.
  explicit Qmp(UniqueFd socket) : socket_(std::move(socket)) {}

  // Reads the greeting and enters command mode. Returns what "QMP" of the greeting holds.
  Result<nlohmann::json> greet(std::chrono::milliseconds timeout);
  Result<nlohmann::json> call(std::string_view command, nlohmann::json arguments,
                              std::chrono::milliseconds timeout);
  // A command of the human monitor; its text.
  Result<std::string> human(std::string_view command_line, std::chrono::milliseconds timeout);
  // The oldest event of that name that was not taken yet; waits for it.
  Result<QmpEvent> wait_event(std::string_view name, std::chrono::milliseconds timeout);
  // The same without waiting.
  [[nodiscard]] std::optional<QmpEvent> take_event(std::string_view name);
  // Reads what has arrived, without waiting, also after QEMU's end.
  void drain();
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  Result<void> send(std::string_view text, Deadline deadline);
  Result<void> receive(Deadline deadline);
  Result<QmpMessage> next_message(Deadline deadline);
  void keep(QmpEvent event);

  UniqueFd socket_;
  std::string input_;
  std::deque<QmpEvent> events_;
  std::uint64_t last_id_ = 0;
};

}  // namespace colo::guest
