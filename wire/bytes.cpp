#include "wire/bytes.h"

namespace colo::wire {

namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; }

// Bytes of the character at the front of `text`; 0 if it is not a clean one. Overlong forms,
// surrogates and control characters of both ranges (below 0x20, 0x7f to 0x9f) are not clean.
std::size_t clean_character_bytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  const bool wrong = (lead == 0xc2 && second < 0xa0) || (lead == 0xe0 && second < 0xa0) ||
                     (lead == 0xed && second >= 0xa0) || (lead == 0xf0 && second < 0x90) ||
                     (lead == 0xf4 && second >= 0x90);
  return wrong ? 0 : bytes;
}

}  // namespace

bool is_clean_text(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = clean_character_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string clean_text(std::string_view text, std::size_t bytes_max) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t bytes = clean_character_bytes(text);
    const std::string_view next = bytes == 0 ? std::string_view("?") : text.substr(0, bytes);
    if (clean.size() + next.size() > bytes_max) break;
    clean += next;
    text.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return clean;
}

void ByteWriter::text(std::string_view text, std::size_t bytes_max) {
  const std::string clean = clean_text(text, bytes_max);
  integer(static_cast<std::uint16_t>(clean.size()));
  raw(std::as_bytes(std::span(clean.data(), clean.size())));
}

ByteView ByteReader::take(std::size_t bytes, std::string_view field) {
  if (!good()) return {};
  if (bytes > rest_.size()) {
    refuse(field, std::to_string(bytes) + " bytes expected, " + std::to_string(rest_.size()) +
                      " are left");
    return {};
  }
  const ByteView taken = rest_.first(bytes);
  rest_ = rest_.subspan(bytes);
  return taken;
}

std::uint64_t ByteReader::number(std::string_view field, std::uint64_t max) {
  const auto value = integer<std::uint64_t>(field);
  if (value <= max) return value;
  refuse(field, std::to_string(value) + ", at most " + std::to_string(max));
  return 0;
}

bool ByteReader::flag(std::string_view field) {
  const auto value = integer<std::uint8_t>(field);
  if (value > 1) refuse(field, std::to_string(value) + " is neither 0 nor 1");
  return value == 1;
}

std::string ByteReader::text(std::string_view field, std::size_t bytes_max) {
  const auto length = integer<std::uint16_t>(field);
  if (length > bytes_max) {
    refuse(field, std::to_string(length) + " bytes, at most " + std::to_string(bytes_max));
    return {};
  }
  const ByteView bytes = take(length, field);
  std::string value(bytes.size(), '\0');
  std::transform(bytes.begin(), bytes.end(), value.begin(),
                 [](std::byte b) { return static_cast<char>(b); });
  if (!is_clean_text(value)) {
    refuse(field, "not printable UTF-8");
    return {};
  }
  return value;
}

void ByteReader::refuse(std::string_view field, const std::string& why) {
  if (good()) error_ = std::string(message_) + ": " + std::string(field) + ": " + why;
}

Result<void> ByteReader::finish() {
  if (good() && !rest_.empty()) {
    refuse("end", std::to_string(rest_.size()) + " bytes are left over");
  }
  if (!good()) return fail("bad-body", error_);
  return {};
}

}  // namespace colo::wire
