// Numbers in network byte order, as Ethernet frames, the ledger's datagrams and the device state
// have them. Threads: any.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>

#include "base/types.h"

namespace colo::guest::embedded {

template <std::unsigned_integral Number>
void append_big_endian(Bytes& out, Number number) {
  for (std::size_t i = sizeof(Number); i > 0; --i) {
    out.push_back(static_cast<std::byte>(number >> (8 * (i - 1))));
  }
}

inline void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

// Reads on from where it is; past the end it gives nothing, and stays there.
class BigEndianReader {
 public:
  explicit BigEndianReader(ByteView bytes) : rest_(bytes) {}

  template <std::unsigned_integral Number>
  [[nodiscard]] std::optional<Number> number() {
    const auto from = bytes(sizeof(Number));
    if (!from) return std::nullopt;
    std::uint64_t all = 0;
    for (const std::byte byte : *from) all = (all << 8) | std::to_integer<std::uint64_t>(byte);
    return static_cast<Number>(all);
  }
  [[nodiscard]] std::optional<ByteView> bytes(std::size_t count) {
    if (broken_ || rest_.size() < count) {
      broken_ = true;
      return std::nullopt;
    }
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  // Like number(), with 0 where there is nothing; ok() tells in the end.
  template <std::unsigned_integral Number>
  [[nodiscard]] Number get() {
    return number<Number>().value_or(0);
  }
  [[nodiscard]] bool ok() const { return !broken_; }
  [[nodiscard]] ByteView rest() const { return rest_; }

 private:
  ByteView rest_;
  bool broken_ = false;
};

}  // namespace colo::guest::embedded
