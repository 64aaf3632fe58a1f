// Asks a running engine, for the command line: one request, one reply.
//
// Threads: blocks its caller, at most for the given time in all.
#pragma once

#include <chrono>
#include <filesystem>

#include "app/control.h"
#include "base/result.h"

namespace colo::app {

// The engine answers from its loop at once; one that does not within this time is stuck.
inline constexpr std::chrono::milliseconds control_answer_time{2000};

// Errors: "not-running" (nobody listens), "no-answer" (in time, or the engine ended meanwhile),
//   "no-permission", "bad-reply". An engine's refusal is in the Reply.
[[nodiscard]] Result<Reply> ask_engine(const std::filesystem::path& socket, const Request& request,
                                       std::chrono::milliseconds within = control_answer_time);

}  // namespace colo::app
