// The text of an errno, with what was being done.
#pragma once

#include <string>
#include <string_view>
#include <system_error>

namespace colo::guest {

[[nodiscard]] inline std::string errno_text(std::string_view doing, int error) {
  return std::string(doing) + ": " + std::generic_category().message(error);
}

}  // namespace colo::guest
