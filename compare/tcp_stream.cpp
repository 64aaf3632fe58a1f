#include "compare/tcp_stream.h"

#include <algorithm>
#include <cstring>

namespace colo::compare {
namespace {

// Far from 0, so that what was said before the first segment that is seen has positions too.
constexpr std::uint64_t first_position = 1ULL << 40;
// RFC 7323: no window is larger, so no honest segment is further ahead.
constexpr std::uint64_t window_max = 1ULL << 30;

}  // namespace

void TcpStream::number_from(std::uint32_t seq) {
  numbered_ = true;
  furthest_ = first_position + seq;
}

std::uint64_t TcpStream::position(std::uint32_t seq) const {
  const auto distance = static_cast<std::int32_t>(seq - static_cast<std::uint32_t>(furthest_));
  return furthest_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
}

void TcpStream::reached(std::uint64_t position) {
  if (position > furthest_ && position - furthest_ <= window_max) furthest_ = position;
}

TcpStream::Chunks::iterator TcpStream::chunk_behind(std::uint64_t at) {
  if (ahead_.empty() || ahead_.back().to() <= at) return ahead_.end();
  return std::upper_bound(
      ahead_.begin(), ahead_.end(), at,
      [](std::uint64_t position, const Chunk& chunk) { return position < chunk.to(); });
}

void TcpStream::hear(std::uint64_t from, ByteView bytes, Instant now) {
  const std::uint64_t begin = from;
  const std::uint64_t end = from + bytes.size();
  while (from < end) {
    if (const auto known = agreed_.end_of(from)) {
      from = *known;
      continue;
    }
    std::uint64_t to = std::min(end, agreed_.next_from(from));
    const auto chunk = chunk_behind(from);
    if (chunk != ahead_.end()) {
      if (chunk->from <= from) {
        from = chunk->to();
        continue;
      }
      to = std::min(to, chunk->from);
    }
    const ByteView piece = bytes.subspan(from - begin, to - from);
    ahead_.insert(chunk, {from, Bytes(piece.begin(), piece.end()), 0, now});
    bytes_ += piece.size();
    from = to;
  }
}

TcpStream::Match TcpStream::match(std::uint64_t from, ByteView bytes) {
  const std::uint64_t begin = from;
  const std::uint64_t end = from + bytes.size();
  while (from < end) {
    if (const auto known = agreed_.end_of(from)) {
      from = *known;
      continue;
    }
    const auto chunk = chunk_behind(from);
    if (chunk == ahead_.end() || chunk->from > from) return Match::missing;
    const std::uint64_t to = std::min(end, chunk->to());
    const ByteView theirs = ByteView(chunk->bytes).subspan(chunk->skip + (from - chunk->from));
    const ByteView ours = bytes.subspan(from - begin, to - from);
    if (std::memcmp(ours.data(), theirs.data(), ours.size()) != 0) return Match::different;
    take(chunk, from, to);
    agreed_.add(from, to);
    from = to;
  }
  return Match::equal;
}

// [from, to) of the chunk is said by both; what is left of it stays.
void TcpStream::take(Chunks::iterator chunk, std::uint64_t from, std::uint64_t to) {
  bytes_ -= to - from;
  if (to < chunk->to() && from > chunk->from) {
    const auto rest = static_cast<std::ptrdiff_t>(chunk->skip + (to - chunk->from));
    Chunk behind{to, Bytes(chunk->bytes.begin() + rest, chunk->bytes.end()), 0, chunk->since};
    chunk->bytes.resize(chunk->skip + (from - chunk->from));
    ahead_.insert(chunk + 1, std::move(behind));
  } else if (to < chunk->to()) {
    chunk->skip += to - chunk->from;
    chunk->from = to;
  } else if (from > chunk->from) {
    chunk->bytes.resize(chunk->skip + (from - chunk->from));
  } else {
    ahead_.erase(chunk);
  }
}

std::optional<std::uint64_t> TcpStream::ahead_to() const {
  if (ahead_.empty()) return std::nullopt;
  return ahead_.back().to();
}

std::optional<Instant> TcpStream::ahead_since() const {
  if (ahead_.empty()) return std::nullopt;
  return ahead_.front().since;
}

}  // namespace colo::compare
