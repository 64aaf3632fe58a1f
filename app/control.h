// What passes over the control socket: one JSON object per line each way.
//
// Both ends are strict: an unknown command or key is an error that names the known ones.
// Threads: none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "app/status.h"
#include "base/result.h"

namespace colo::app {

// A longer line is not ours. A status is about 2 KiB; a history of owners makes it grow.
inline constexpr std::size_t control_line_bytes = 64U << 10;
// The newest owners that a reply carries, so that it fits a line; the arbiter has all of them.
inline constexpr std::size_t control_owners = 256;

enum class Command { status, checkpoint, switchover, takeover, give_back, set };
[[nodiscard]] const char* word(Command command);

struct Request {
  Command command = Command::status;
  std::string key, value;  // of `set` only
};

struct Reply {
  std::optional<Error> error;    // refused or failed; nothing else counts then
  std::string message;           // what was done, for a person
  std::optional<Status> status;  // the answer to Command::status
};

// Each line is without its newline.
// Errors: "bad-request" (not one JSON object of the known form), "unknown-command".
[[nodiscard]] Result<Request> parse_request(std::string_view line);
[[nodiscard]] std::string render(const Request& request);
// Errors: "bad-reply".
[[nodiscard]] Result<Reply> parse_reply(std::string_view line);
[[nodiscard]] std::string render(const Reply& reply);

}  // namespace colo::app
