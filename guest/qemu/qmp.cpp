#include "guest/qemu/qmp.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "guest/system_error.h"

namespace colo::guest {
namespace {

using nlohmann::json;

constexpr std::size_t line_bytes_max = 8U << 20;  // `info mtree -f` of a big machine is 1 MB
constexpr std::size_t events_max = 256;           // events that nobody asks for; the oldest go

Result<void> wait_for(int fd, short what, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{fd, what, 0};
    const int count = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (count > 0) return {};
    if (count < 0 && errno != EINTR) return fail("qmp-closed", errno_text("poll", errno));
    if (count == 0) return fail("qmp-timeout", "QEMU did not answer in time");
  }
}

QmpEvent parse_event(const json& message) {
  QmpEvent event;
  event.name = message.at("event").get<std::string>();
  if (message.contains("data")) event.data = message.at("data");
  if (message.contains("timestamp")) {
    const json& when = message.at("timestamp");
    event.when = std::chrono::seconds(when.at("seconds").get<std::int64_t>()) +
                 std::chrono::microseconds(when.at("microseconds").get<std::int64_t>());
  }
  return event;
}

}  // namespace

Result<QmpMessage> parse_qmp_line(std::string_view line) {
  QmpMessage parsed;
  try {
    const json message = json::parse(line);
    if (message.contains("event")) {
      parsed.event = parse_event(message);
    } else if (message.contains("QMP")) {
      parsed.greeting = message.at("QMP");
    } else if (message.contains("error")) {
      parsed.reply =
          QmpReply{message.value("id", std::uint64_t{0}),
                   fail("qmp-refused", message.at("error").at("desc").get<std::string>())};
    } else if (message.contains("return")) {
      parsed.reply = QmpReply{message.value("id", std::uint64_t{0}), message.at("return")};
    } else {
      return fail("qmp-malformed", "a message of QEMU is of no known kind");
    }
  } catch (const json::exception& exception) {
    return fail("qmp-malformed", exception.what());
  }
  return parsed;
}

Result<json> Qmp::greet(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  json greeting;
  for (bool greeted = false; !greeted;) {
    auto message = next_message(deadline);
    if (!message) return fail(message.error());
    greeted = message->greeting.has_value();
    if (greeted) greeting = std::move(*message->greeting);
  }
  auto entered = call("qmp_capabilities", json::object(), timeout);
  if (!entered) return fail(entered.error());
  return greeting;
}

Result<json> Qmp::call(std::string_view command, json arguments,
                       std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::uint64_t id = ++last_id_;
  json request = {{"execute", command}, {"id", id}};
  if (!arguments.empty()) request["arguments"] = std::move(arguments);
  const auto named = [command](Error error) {
    error.reason = std::string(command) + ": " + error.reason;
    return fail(std::move(error));
  };
  if (auto sent = send(request.dump() + "\n", deadline); !sent) return named(sent.error());
  for (;;) {
    auto message = next_message(deadline);
    if (!message) return named(message.error());
    if (!message->reply || message->reply->id != id) continue;
    if (!message->reply->result) return named(message->reply->result.error());
    return std::move(message->reply->result);
  }
}

Result<std::string> Qmp::human(std::string_view command_line, std::chrono::milliseconds timeout) {
  auto reply = call("human-monitor-command", {{"command-line", command_line}}, timeout);
  if (!reply) return fail(reply.error());
  if (!reply->is_string()) return fail("qmp-malformed", "human-monitor-command returned no text");
  return reply->get<std::string>();
}

Result<QmpEvent> Qmp::wait_event(std::string_view name, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (auto event = take_event(name)) return std::move(*event);
    auto message = next_message(deadline);
    if (!message) {
      return fail(message.error().word,
                  "waiting for " + std::string(name) + ": " + message.error().reason);
    }
  }
}

std::optional<QmpEvent> Qmp::take_event(std::string_view name) {
  const auto found = std::find_if(events_.begin(), events_.end(),
                                  [name](const QmpEvent& event) { return event.name == name; });
  if (found == events_.end()) return std::nullopt;
  QmpEvent event = std::move(*found);
  events_.erase(found);
  return event;
}

void Qmp::drain() {
  while (next_message(std::chrono::steady_clock::time_point{})) {
  }
}

Result<void> Qmp::send(std::string_view text, Deadline deadline) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      text.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(socket_.get(), POLLOUT, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return fail("qmp-closed", errno_text("sending to QEMU", errno));
    }
  }
  return {};
}

Result<void> Qmp::receive(Deadline deadline) {
  std::array<char, 16384> chunk;
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (got > 0) {
      input_.append(chunk.data(), static_cast<std::size_t>(got));
      return {};
    }
    if (got == 0) return fail("qmp-closed", "QEMU closed its control connection");
    if (errno == EAGAIN) {
      if (auto ready = wait_for(socket_.get(), POLLIN, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return fail("qmp-closed", errno_text("reading from QEMU", errno));
    }
  }
}

// Events are kept aside on the way, so that no caller can lose one.
Result<QmpMessage> Qmp::next_message(Deadline deadline) {
  std::size_t searched = 0;
  for (;;) {
    const std::size_t end = input_.find('\n', searched);
    if (end == std::string::npos) {
      searched = input_.size();
      if (searched > line_bytes_max) return fail("qmp-malformed", "a line of QEMU is too long");
      if (auto received = receive(deadline); !received) return fail(received.error());
      continue;
    }
    auto message = parse_qmp_line(std::string_view(input_).substr(0, end));
    input_.erase(0, end + 1);
    if (message && message->event) keep(std::move(*message->event));
    return message;
  }
}

void Qmp::keep(QmpEvent event) {
  if (events_.size() == events_max) events_.pop_front();
  events_.push_back(std::move(event));
}

}  // namespace colo::guest
