// Reads and writes the wire's integers and texts. Little-endian, whatever the host is.
//
// ByteReader is bounded: it never reads past its view and never takes a length on trust. The first
// field that does not fit is remembered, later reads give zeros, and finish() tells; so a decoder
// is written as a plain list of fields.
// Threads: none. Errors: word "bad-body", the reason names the message and the field.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace colo::wire {

template <std::unsigned_integral Integer>
void put_little(std::byte* at, Integer value) {
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    at[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
  }
}

template <std::unsigned_integral Integer>
[[nodiscard]] Integer get_little(const std::byte* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Integer); ++i) {
    value |= std::to_integer<std::uint64_t>(at[i]) << (8 * i);
  }
  return static_cast<Integer>(value);
}

// Text on the wire is UTF-8 without control characters, so that a peer's words can go to a
// terminal, a log and a JSON document as they are.
[[nodiscard]] bool is_clean_text(std::string_view text);
// What is_clean_text() refuses becomes '?', what is longer than the bound is cut at a character.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max);

// Appends to a buffer that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  template <std::unsigned_integral Integer>
  void integer(Integer value) {
    std::array<std::byte, sizeof(Integer)> bytes;
    put_little(bytes.data(), value);
    raw(bytes);
  }
  void flag(bool value) { integer(static_cast<std::uint8_t>(value ? 1 : 0)); }
  // A u16 of its length, then the text, cleaned and cut to the bound.
  void text(std::string_view text, std::size_t bytes_max);
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

 private:
  Bytes& out_;
};

class ByteReader {
 public:
  // message: its name in errors; must outlive the reader.
  ByteReader(std::string_view message, ByteView bytes) : message_(message), rest_(bytes) {}

  template <std::unsigned_integral Integer>
  [[nodiscard]] Integer integer(std::string_view field) {
    const ByteView bytes = take(sizeof(Integer), field);
    return bytes.empty() ? Integer{0} : get_little<Integer>(bytes.data());
  }
  [[nodiscard]] std::uint64_t number(std::string_view field, std::uint64_t max);
  [[nodiscard]] bool flag(std::string_view field);
  [[nodiscard]] std::string text(std::string_view field, std::size_t bytes_max);
  template <std::size_t N>
  [[nodiscard]] std::array<std::byte, N> array(std::string_view field) {
    std::array<std::byte, N> value{};
    const ByteView bytes = take(N, field);
    std::copy(bytes.begin(), bytes.end(), value.begin());
    return value;
  }
  // The next bytes; an empty view if fewer are left.
  [[nodiscard]] ByteView take(std::size_t bytes, std::string_view field);

  // The decoder found this field wrong itself. Only the first complaint is kept.
  void refuse(std::string_view field, const std::string& why);
  [[nodiscard]] bool good() const { return error_.empty(); }
  // Everything was there and nothing is left over.
  [[nodiscard]] Result<void> finish();

 private:
  std::string_view message_;
  ByteView rest_;
  std::string error_;
};

}  // namespace colo::wire
