// Puts the fragments of one side's IP datagrams together, so that they are compared as what they
// mean: the two guests may cut and number them differently.
//
// Pieces that overlap otherwise than as exact copies make a datagram odd: it is never whole, its
// frames wait for a checkpoint, and expire as one that lacks pieces.
//
// Role: pure bookkeeping. Threads: none. Errors: none; at a bound add() says `full`.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "compare/frame.h"
#include "compare/packet.h"

namespace colo::compare {

struct ReassemblyLimits {
  std::size_t datagrams = 64;
  std::size_t pieces = 256;  // of one datagram
  std::size_t bytes = 1U << 20;
};

class Reassembly {
 public:
  struct Whole {
    Bytes frame;               // one packet without fragmentation; its IP checksum is not redone
    std::vector<FrameId> ids;  // of the pieces, in the order they came
    Instant since{};           // the first piece
  };
  enum class Result : std::uint8_t { taken, whole, full };

  explicit Reassembly(ReassemblyLimits limits) : limits_(limits) {}

  // REQUIRES: a packet of Kind::fragment, parsed from `frame`. `whole` is filled when it is
  // complete.
  Result add(const Packet& packet, ByteView frame, FrameId id, Instant now, Whole& whole);
  // The datagram that lacks pieces for longest.
  [[nodiscard]] std::optional<Instant> oldest() const;
  [[nodiscard]] std::optional<FlowKey> oldest_key() const;
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Name {
    FlowKey key;
    std::uint32_t id = 0;
    friend constexpr auto operator<=>(const Name&, const Name&) = default;
  };
  struct Datagram {
    Instant since{};
    Bytes headers;  // of the first piece, up to its payload
    std::uint32_t network = 0;
    std::map<std::uint32_t, Bytes> pieces;
    std::optional<std::uint32_t> size;
    std::uint32_t have = 0;
    bool odd = false;
    std::vector<FrameId> ids;
  };

  void place(Datagram& datagram, const Packet& packet, ByteView frame);
  static bool join(const Name& name, Datagram& datagram, Whole& whole);

  ReassemblyLimits limits_;
  std::map<Name, Datagram> datagrams_;
  std::size_t bytes_ = 0;
};

}  // namespace colo::compare
