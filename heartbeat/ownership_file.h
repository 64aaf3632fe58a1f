// The content of a file `generation.N` of the directory arbiter: four lines of text, so that an
// operator can read them with cat.
//
//   colo-ownership 1
//   generation 7
//   owner alpha
//   run 5f0c9a3e
//
// Reading is strict: a file is exactly what encode_ownership() writes, or it is corrupt.
// Threads: none.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "heartbeat/arbiter.h"

namespace colo::heartbeat {

// More than four lines with names at their bounds; a longer file is corrupt without reading on.
inline constexpr std::size_t ownership_file_bytes_max = 1024;

// A file of four lines can hold this owner and run, and a file's name this run.
// Errors: "bad-claim".
[[nodiscard]] Result<void> check_names(std::string_view owner, std::string_view run);

// REQUIRES: check_names() of owner and run.
[[nodiscard]] std::string encode_ownership(const Ownership& ownership);

// expected: the generation of the file's name. Errors: "arbiter-corrupt".
[[nodiscard]] Result<Ownership> decode_ownership(std::string_view text, Generation expected);
// Of the generation that the text itself names: for places that have no file's name beside it.
[[nodiscard]] Result<Ownership> decode_ownership(std::string_view text);

}  // namespace colo::heartbeat
