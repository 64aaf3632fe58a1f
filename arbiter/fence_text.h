// How one speaks with a fence agent: the standard input and the exit status that all `fence_*`
// programs share (https://github.com/ClusterLabs/fence-agents/blob/main/doc/FenceAgentAPI.md).
//
// Role: pure. Threads: none.
#pragma once

#include <string>
#include <string_view>

#include "arbiter/settings.h"
#include "base/result.h"

namespace colo::arbiter::fence {

enum class Action { off, status };

// A line of its input. Errors: "bad-option": it would be another line, or an action of its own.
[[nodiscard]] Result<void> check_option(std::string_view key, std::string_view value);

// "key=value" lines; blank ones and those that begin with # are skipped. Errors: "bad-option"
// names the line's number, never its text: these are secrets.
[[nodiscard]] Result<AgentOptions> parse_options(std::string_view text);

// REQUIRES: check_option() of all of them.
[[nodiscard]] std::string input_of(const AgentOptions& common, const AgentOptions& target,
                                   const AgentOptions& secrets, Action action);

// What an agent that was asked for a status says by its exit status.
enum class Power { on, off, unknown };
[[nodiscard]] Power power_of(int exit_status);

// The last line that says something, printable, short, and without the values of `secrets`.
[[nodiscard]] std::string last_words(const std::string& output, const AgentOptions& secrets);

}  // namespace colo::arbiter::fence
