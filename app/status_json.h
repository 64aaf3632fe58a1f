// A Status as a JSON tree: shared by `colo status --json` and the control socket's replies.
//
// Errors: status_from_tree() throws nlohmann::json::exception; only translation units of this room
//   that catch it may call it. Threads: none.
#pragma once

#include <nlohmann/json.hpp>

#include "app/status.h"

namespace colo::app {

// Every key is present, in the order of the documentation; what is missing is null.
[[nodiscard]] nlohmann::ordered_json to_tree(const Status& status);
[[nodiscard]] Status status_from_tree(const nlohmann::ordered_json& tree);

}  // namespace colo::app
