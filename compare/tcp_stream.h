// The bytes that the replica said in one direction of one TCP connection, and how far the primary
// has said the same: by position in the stream, whatever the segments were.
//
// Positions are sequence numbers made 64 bits wide, so that nothing here meets the wrap. A byte of
// the replica is kept until the primary has said it too; after that only its position is kept, so a
// retransmission is known for one and is not compared again (a receiver keeps one copy of a byte).
//
// Role: pure bookkeeping for compare/tcp_conversation.h. Threads: none. Errors: none.
#pragma once

#include <deque>
#include <optional>

#include "base/types.h"
#include "compare/ranges.h"

namespace colo::compare {

class TcpStream {
 public:
  enum class Match : std::uint8_t { equal, missing, different };

  // The position of a sequence number: the one nearest to the furthest position so far.
  [[nodiscard]] std::uint64_t position(std::uint32_t seq) const;
  // Positions are now near this one. Only forwards, and only by what a window can be.
  void reached(std::uint64_t position);
  [[nodiscard]] bool numbered() const { return numbered_; }
  void number_from(std::uint32_t seq);

  // The replica's bytes. What is known already changes nothing.
  void hear(std::uint64_t from, ByteView bytes, Instant now);
  // The primary's bytes. What is equal becomes part of what both said, also in front of a gap.
  Match match(std::uint64_t from, ByteView bytes);

  // Both said this: a checkpoint holds it.
  void agree(std::uint64_t from, std::uint64_t to) { agreed_.add(from, to); }

  // The replica's bytes that the primary has not said.
  [[nodiscard]] std::size_t chunks() const { return ahead_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::optional<std::uint64_t> ahead_to() const;
  // When the first of them, by position, came.
  [[nodiscard]] std::optional<Instant> ahead_since() const;
  // Apart from each other; more than one: what both said has gaps.
  [[nodiscard]] std::size_t agreed_ranges() const { return agreed_.count(); }

 private:
  struct Chunk {
    std::uint64_t from = 0;
    Bytes bytes;
    std::size_t skip = 0;  // of `bytes`, from the front: said by both
    Instant since{};
    [[nodiscard]] std::uint64_t to() const { return from + bytes.size() - skip; }
  };
  using Chunks = std::deque<Chunk>;

  [[nodiscard]] Chunks::iterator chunk_behind(std::uint64_t at);
  void take(Chunks::iterator chunk, std::uint64_t from, std::uint64_t to);

  bool numbered_ = false;
  std::uint64_t furthest_ = 0;
  Ranges agreed_;
  Chunks ahead_;  // by position, apart from each other and from what is agreed
  std::size_t bytes_ = 0;
};

}  // namespace colo::compare
