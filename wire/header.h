// The fixed header in front of every frame, on every lane. docs/wire_format.md is the
// specification; this file and that page change together.
//
// All integers are little-endian. The header has a checksum of its own, so a reader trusts the
// length before it waits for the body. Checksums are XXH3-64: integrity, not security (TLS is).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace colo::wire {

inline constexpr std::uint32_t magic = 0x4f4c4f43;  // "COLO" in a hex dump
inline constexpr std::uint16_t protocol_version = 3;
inline constexpr std::size_t header_bytes = 56;
// The largest body: 256 pages with their table fit; a decoder never holds more than one.
inline constexpr std::uint32_t body_bytes_max = 2U << 20;

enum class Kind : std::uint16_t {
  invalid = 0,
  // control lane
  hello = 1,         // secondary -> primary: who I am, what I hold
  welcome = 2,       // primary -> secondary: accepted; session token for the bulk lane
  refuse = 3,        // either: names what differs or what is wrong; the sender closes
  committed = 4,     // secondary -> primary: epoch is complete and takeable
  goodbye = 5,       // either: I end or leave on purpose, with a reason; the sender closes
  guest_ended = 6,   // primary -> secondary: the guest's process died; take over
  alive = 7,         // either, UDP and control lane: heartbeat
  progress = 8,      // primary -> secondary: initial copy, for the secondary's status
  handover = 9,      // primary -> secondary: load the last checkpoint, the guest stands still
  loaded = 10,       // secondary -> primary
  load_failed = 11,  // secondary -> primary: it will not take the guest
  go = 12,           // primary -> secondary: claim and run
  cancel = 13,       // primary -> secondary: no switchover, the guest runs on here
  took_over = 14,    // secondary -> primary: the claim was won
  packets = 15,      // either, COLO mode: frames of the network for the replica, or from it
  // bulk lane
  attach = 16,        // secondary -> primary, first on the bulk lane: the session token
  pages = 17,         // a batch of pages of one region
  device_state = 18,  // size and hash of the device state that follows in chunks
  device_chunk = 19,
  commit = 20,  // the epoch's counts and digest: the checkpoint is whole
  // control lane, COLO mode
  replica_runs = 21,  // secondary -> primary: its guest runs from this checkpoint
  replica_lost = 22,  // secondary -> primary: it has nothing to take over from any more
  ask = 23,           // secondary -> primary: it wants a checkpoint
  mode = 24,          // primary -> secondary: whether checkpoints from this one on are run
  flows = 25,         // primary -> secondary: its table of rewritten connections
};

struct Header {
  Kind kind = Kind::invalid;
  std::uint32_t length = 0;  // of the body
  Generation generation;
  Epoch epoch;
  std::uint64_t sequence = 0;  // per lane and direction, from 1, without gaps
  std::uint64_t body_checksum = 0;
};

using HeaderBytes = std::array<std::byte, header_bytes>;
static_assert(header_bytes ==
                  3 * sizeof(std::uint32_t) + 2 * sizeof(std::uint16_t) + 5 * sizeof(std::uint64_t),
              "the header is its fields and nothing between them");

// The name of a kind as in docs/wire_format.md; empty for a number that is none.
[[nodiscard]] std::string_view name(Kind kind);

[[nodiscard]] HeaderBytes encode_header(const Header& header);

// Magic and version stand at the same place in every version of the protocol, whatever follows
// them; so they are judged alone and first, as soon as these bytes are there.
inline constexpr std::size_t version_prefix_bytes = 6;
// Errors: "bad-magic", "wrong-version" (names both).
[[nodiscard]] Result<void> check_version_prefix(
    std::span<const std::byte, version_prefix_bytes> bytes);

// body_bytes: the bound of the lane.
// Errors, in this order: "bad-magic", "wrong-version", "bad-header" (checksum, reserved field),
// "bad-kind", "too-long" (names the length and the bound).
[[nodiscard]] Result<Header> decode_header(std::span<const std::byte, header_bytes> bytes,
                                           std::uint32_t body_bytes = body_bytes_max);

}  // namespace colo::wire
