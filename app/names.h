// Names that become parts of paths, of command lines and of what both hosts say to each other.
#pragma once

#include <string_view>

namespace colo::app {

inline constexpr const char* guest_name_rule =
    "use 1 to 32 of a-z, 0-9 and -: it becomes part of paths on both hosts";
[[nodiscard]] bool is_guest_name(std::string_view name);

inline constexpr const char* hook_name_rule = "use 1 to 32 of a-z, 0-9 and -";

inline constexpr const char* host_name_rule =
    "use 1 to 63 of a-z, A-Z, 0-9, - and ., the first one a letter or a digit";
[[nodiscard]] bool is_host_name(std::string_view name);

inline constexpr const char* nic_id_rule =
    "use 1 to 15 of a-z, A-Z, 0-9, - and _, the first one a letter, as QEMU does for -netdev id=";
[[nodiscard]] bool is_nic_id(std::string_view id);

// Linux: IFNAMSIZ - 1 bytes, no slash, no space.
[[nodiscard]] bool is_interface_name(std::string_view name);

}  // namespace colo::app
