// Who owned the guest, read from the arbiter's files themselves and not from an engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace colo::drill {

struct Owner {
  std::uint64_t generation = 0;
  std::string host;           // empty: nobody
  std::int64_t since_ns = 0;  // CLOCK_REALTIME: when its file was written
};

// Oldest first. Errors: "bad-history" where a generation is missing or a file is none.
[[nodiscard]] Result<std::vector<Owner>> read_history(const std::filesystem::path& arbiter);

}  // namespace colo::drill
