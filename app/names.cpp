#include "app/names.h"

#include <algorithm>

namespace colo::app {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool length_within(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most;
}

}  // namespace

bool is_guest_name(std::string_view name) {
  return length_within(name, 32) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_lower(c) || is_digit(c) || c == '-';
         });
}

bool is_host_name(std::string_view name) {
  return length_within(name, 63) && (is_letter(name.front()) || is_digit(name.front())) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; });
}

bool is_nic_id(std::string_view id) {
  return length_within(id, 15) && is_letter(id.front()) &&
         std::all_of(id.begin(), id.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

bool is_interface_name(std::string_view name) {
  return length_within(name, 15) && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(),
                      [](char c) { return c == '/' || c == ':' || c <= ' ' || c == 0x7f; });
}

}  // namespace colo::app
