// The key that both hosts share: 32 random bytes, as 64 hex digits and a newline in a file that
// only its owner may read.
// Threads: any.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "io/tls_session.h"

namespace colo::io {

// Makes a new key. Errors: "key-exists" (it never overwrites), "key-not-written".
[[nodiscard]] Result<void> create_key_file(const std::filesystem::path& path);

// Errors: "key-missing", "key-permissions" (others could read it), "key-malformed".
[[nodiscard]] Result<Key> read_key_file(const std::filesystem::path& path);

// A key for one purpose (HKDF-SHA256 with the label as info), so that no two uses share a key:
// whoever learns one of them learns nothing of the others.
[[nodiscard]] Key derive_key(const Key& key, std::string_view label);

}  // namespace colo::io
