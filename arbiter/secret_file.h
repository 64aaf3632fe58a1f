// A small file that only its owner may read: a password, options of a fence agent.
//
// Errors: "secret-missing", "secret-permissions". No error has a byte of the content. Threads: any.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"

namespace colo::arbiter {

inline constexpr std::size_t secret_bytes_max = 4096;

// The content without the line ends at its end.
[[nodiscard]] Result<std::string> read_secret_file(const std::filesystem::path& file);

}  // namespace colo::arbiter
