// Reads the user's QEMU command line as far as the engine must understand it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "guest/config.h"

namespace colo::guest {

// "-drive file=a,readonly=on": name "drive" without its dashes. A word that belongs to no option
// (QEMU takes it for a disk image) has the name "".
struct Option {
  std::string name;
  std::string value;
  friend bool operator==(const Option&, const Option&) = default;
};
// The words behind the program's name.
[[nodiscard]] std::vector<Option> parse_options(const std::vector<std::string>& command);

// "a,readonly=on,file=x,,y": the parts of a value; a part without '=' has an empty value.
struct Part {
  std::string key;
  std::string value;
  bool has_value = false;
};
[[nodiscard]] std::vector<Part> parse_parts(std::string_view value);

// Bytes that `-m` asks for. Errors: "memory-size-missing", "memory-size-invalid".
[[nodiscard]] Result<std::uint64_t> memory_bytes_of(const std::vector<std::string>& command);
[[nodiscard]] bool names_itself(const std::vector<std::string>& command);

// All that speaks against protecting a guest with this command.
[[nodiscard]] std::vector<Finding> command_findings(const GuestConfig& config);
// What of it speaks against a guest with own copies of its memory (guest/guest.h), which runs while
// its successor starts beside it.
[[nodiscard]] std::vector<Finding> own_copies_findings(const GuestConfig& config);

}  // namespace colo::guest
