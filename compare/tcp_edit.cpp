#include "compare/tcp_edit.h"

namespace colo::compare {
namespace {

constexpr unsigned option_end = 0, option_nothing = 1, option_sack = 5, option_stamps = 8;

}  // namespace

void replace32(MutableBytes frame, std::size_t at, std::uint32_t value, std::size_t begin,
               std::size_t checksum) {
  if (read32(frame, at) == value) return;
  std::uint32_t sum = 0xffffU ^ read16(frame, checksum);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<std::byte>(value >> (24 - 8 * i));
    const unsigned place = (at + i - begin) % 2 == 0 ? 8 : 0;
    sum += 0xffffU ^ (std::to_integer<unsigned>(frame[at + i]) << place);
    sum += std::to_integer<unsigned>(byte) << place;
    frame[at + i] = byte;
  }
  while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16);
  sum ^= 0xffffU;
  frame[checksum] = static_cast<std::byte>(sum >> 8);
  frame[checksum + 1] = static_cast<std::byte>(sum);
}

TcpEdit::TcpEdit(MutableBytes frame, const Packet& packet)
    : frame_(frame), at_(packet.transport), flags_(packet.said.flags) {
  const std::size_t end = at_ + packet.tcp_header;
  for (std::size_t i = at_ + 20; i < end;) {
    const auto kind = std::to_integer<unsigned>(frame_[i]);
    if (kind == option_end) break;
    if (kind == option_nothing) {
      ++i;
      continue;
    }
    if (i + 2 > end) break;
    const auto size = std::to_integer<std::size_t>(frame_[i + 1]);
    if (size < 2 || i + size > end) break;
    if (kind == option_stamps && size == 10) stamps_ = i + 2;
    if (kind == option_sack && size % 8 == 2) sacks_ = i + 2, sacks_end_ = i + size;
    i += size;
  }
}

void TcpEdit::shift_sacks(std::uint32_t by) {
  for (std::size_t at = sacks_; at < sacks_end_; at += 4) replace(at, read32(frame_, at) + by);
}

}  // namespace colo::compare
