#include "heartbeat/ownership_file.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace colo::heartbeat {

namespace {

constexpr std::size_t owner_bytes_max = 255;  // a host name has at most that
constexpr std::size_t run_bytes_max = 64;     // it is part of a temporary file's name

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

// The value of the line at the front of `text`, which is then removed: "<key> <value>\n".
std::optional<std::string_view> take_line(std::string_view& text, std::string_view key) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || end <= key.size() || text.substr(0, key.size()) != key ||
      text[key.size()] != ' ') {
    return std::nullopt;
  }
  const std::string_view value = text.substr(key.size() + 1, end - key.size() - 1);
  text.remove_prefix(end + 1);
  return value;
}

}  // namespace

Result<void> check_names(std::string_view owner, std::string_view run) {
  if (owner.size() > owner_bytes_max || std::any_of(owner.begin(), owner.end(), is_control)) {
    return fail("bad-claim",
                "the owner's name has control characters or more than " +
                    std::to_string(owner_bytes_max) + " bytes",
                "give the host a plain name");
  }
  if (run.empty() || run.size() > run_bytes_max || !std::all_of(run.begin(), run.end(), is_word)) {
    return fail("bad-claim", "the run must be 1 to " + std::to_string(run_bytes_max) +
                                 " letters, digits and dashes");
  }
  return {};
}

std::string encode_ownership(const Ownership& ownership) {
  return "colo-ownership 1\ngeneration " + std::to_string(ownership.generation.value) + "\nowner " +
         ownership.owner + "\nrun " + ownership.run + "\n";
}

Result<Ownership> decode_ownership(std::string_view text, Generation expected) {
  const std::string file = "generation." + std::to_string(expected.value);
  const std::string remedy =
      "restore the file from a backup of the storage; do not remove it while a guest runs";
  const auto version = take_line(text, "colo-ownership");
  if (!version || *version != "1") {
    return fail("arbiter-corrupt", file + " does not begin as an ownership of format 1", remedy);
  }
  const auto generation = take_line(text, "generation");
  if (!generation || *generation != std::to_string(expected.value)) {
    return fail("arbiter-corrupt", file + " does not name its own generation", remedy);
  }
  const auto owner = take_line(text, "owner");
  const auto run = take_line(text, "run");
  if (!owner || !run || !text.empty() || !check_names(*owner, *run)) {
    return fail("arbiter-corrupt", file + " is cut off or altered", remedy);
  }
  return Ownership{expected, std::string(*owner), std::string(*run)};
}

Result<Ownership> decode_ownership(std::string_view text) {
  constexpr std::string_view before = "\ngeneration ";
  const std::size_t at = text.find(before);
  Generation generation;
  if (text.size() <= ownership_file_bytes_max && at != std::string_view::npos) {
    const char* number = text.data() + at + before.size();
    // What does not parse stays 0, which no ownership has.
    std::from_chars(number, text.data() + text.size(), generation.value);
  }
  if (generation.value == 0) {
    return fail("arbiter-corrupt", "it is not an ownership of format 1", "find out who wrote it");
  }
  return decode_ownership(text, generation);
}

}  // namespace colo::heartbeat
