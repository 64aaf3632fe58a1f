// The bodies of control frames. Decoding checks every length and count against its bound and that
// nothing is left over; an error has word "bad-body" and names the field.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "wire/header.h"

namespace colo::wire {

// Every limit with its reason; docs/wire_format.md repeats them.
// Names, reasons and remedies fit; a terminal shows no more anyway. Longer ones are cut.
inline constexpr std::size_t text_bytes_max = 1024;
// A QEMU guest has about 10 RAM blocks; hot-plugged memory and ROMs stay far below.
inline constexpr std::size_t regions_max = 256;
// QEMU's own bound of a RAM block's name. With it the largest hello fits a control frame.
inline constexpr std::size_t region_name_bytes_max = 255;
// 4 PiB a region: then the bytes of 256 regions fit a u64 with room to spare.
inline constexpr std::uint64_t region_pages_max = 1ULL << 40;

// What of an unfinished first copy a secondary offers to keep. Dropping some only costs their
// bytes.
inline constexpr std::size_t held_ranges_max = 4096;

using Token = std::array<std::byte, 16>;
using Hash128 = std::array<std::byte, 16>;

// What both sides must agree on; compared by difference().
struct Agreement {
  std::string guest_name;
  std::string machine;        // versioned machine type
  std::string guest_version;  // QEMU's version
  std::string accelerator;
  MemoryLayout layout;
  std::uint64_t config_hash = 0;
};

// Empty when equal; else the name of the first thing that differs with both values, ours first:
// "machine type differs: pc-q35-7.2 here, pc-i440fx-7.2 there".
[[nodiscard]] std::string difference(const Agreement& ours, const Agreement& theirs);

// What a secondary holds of an earlier session: a session may go on from it.
struct Held {
  std::string primary_run;  // of the welcome that began the lineage
  // Names the lineage: the token of the last welcome that did not resume. The token of a session
  // that resumed names nothing beyond its bulk lane.
  Token lineage{};
  Generation generation;  // in which that checkpoint was committed
  Epoch epoch;
  std::vector<PageRange> pages;  // only for epoch 0: of the first copy, in ascending order
};
struct Hello {
  std::string host;
  std::string run;  // random word per engine process
  Agreement agreement;
  std::optional<Held> held{};
};
struct Welcome {
  std::string host;
  std::string run;
  Token session{};
  Agreement agreement;
  // The session goes on from what was held: the base is header.epoch, the open checkpoint the one
  // after it. Otherwise header.epoch is 0 and a whole copy follows.
  bool resumes = false;
};
struct Refuse {
  Error error;
};
struct Committed {};  // header.generation and header.epoch say which
struct Goodbye {
  std::string reason;
  bool guest_ends = false;  // the sender was asked to end together with its guest: no takeover
};
struct GuestEnded {
  std::string reason;
  bool by_guest = false;
};
// What the sender can say of the guest.
enum class GuestHere : std::uint8_t {
  none = 0,    // nothing that matters to the peer: no guest, a standby, one that is not its own
  runs = 1,    // the sender owns `generation`, and its guest runs
  paused = 2,  // it lost the guest and keeps it paused: it could resume it
};
struct Alive {
  std::uint64_t count = 0;
  Generation generation{};  // that the sender owns, or owned last; 0: none
  // REQUIRES, and decoding checks: no guest runs in generation 0.
  GuestHere guest = GuestHere::none;
};
// The switchover; header.epoch is the checkpoint's number.
struct Handover {};  // load this checkpoint and say so
struct Loaded {};
struct LoadFailed {
  Error error;
};
struct Go {};  // claim and run
struct Cancel {
  std::string reason;
};
struct TookOver {};  // the claim was won
// COLO mode; header.epoch is the number of the incarnation's checkpoint.
struct ReplicaRuns {};
struct ReplicaLost {
  Error error;
};
struct Ask {
  std::string reason;
};
// header.epoch: the first checkpoint that it applies to. It comes on another lane than that.
struct Mode {
  bool colo = false;  // run as replicas; otherwise only stood by for
};
// A part of the primary's table of rewritten connections (compare::Rewriter, opaque here) as it was
// at the cut of checkpoint header.epoch; after the last part it is whole. Comes with every
// checkpoint that is run, empty or not, in front of the first packet for its incarnation; that one
// does not run before.
// REQUIRES: part.size() <= flows_part_bytes_max.
inline constexpr std::size_t flows_part_bytes_max = 128U << 10;
// Of a whole table, which a receiver bounds: more than any table of 16,384 connections.
inline constexpr std::size_t flows_bytes_max = 2U << 20;
struct Flows {
  bool last = true;
  Bytes part;
};
struct Progress {
  std::uint64_t sent_pages = 0;
  std::uint64_t remaining_pages = 0;
};
struct Attach {
  Token session{};
};
struct DeviceState {
  std::uint64_t bytes = 0;  // the receiver bounds it before it holds any
  Hash128 hash{};           // XXH3-128 of the whole state
};
struct Commit {
  std::uint64_t pages = 0;       // page entries of this epoch on the lane, repeats counted
  std::uint64_t zero_pages = 0;  // of these, sent as zero
  std::uint64_t digest = 0;      // PageDigest over the epoch's page frames in order
  std::uint64_t device_bytes = 0;
};

// A whole frame, header and body, of a message. `sequence` is the lane's next number. Texts are
// cleaned and cut to their bound.
// REQUIRES: layout.size() <= regions_max, region pages <= region_pages_max. Ranges beyond
// held_ranges_max are not sent.
struct FrameNumbers {
  Generation generation;
  Epoch epoch;
  std::uint64_t sequence = 0;
};
[[nodiscard]] Bytes encode(const Hello&, FrameNumbers);
[[nodiscard]] Bytes encode(const Welcome&, FrameNumbers);
[[nodiscard]] Bytes encode(const Refuse&, FrameNumbers);
[[nodiscard]] Bytes encode(const Committed&, FrameNumbers);
[[nodiscard]] Bytes encode(const Goodbye&, FrameNumbers);
[[nodiscard]] Bytes encode(const GuestEnded&, FrameNumbers);
[[nodiscard]] Bytes encode(const Alive&, FrameNumbers);
[[nodiscard]] Bytes encode(const Progress&, FrameNumbers);
[[nodiscard]] Bytes encode(const Handover&, FrameNumbers);
[[nodiscard]] Bytes encode(const Loaded&, FrameNumbers);
[[nodiscard]] Bytes encode(const LoadFailed&, FrameNumbers);
[[nodiscard]] Bytes encode(const Go&, FrameNumbers);
[[nodiscard]] Bytes encode(const Cancel&, FrameNumbers);
[[nodiscard]] Bytes encode(const TookOver&, FrameNumbers);
[[nodiscard]] Bytes encode(const ReplicaRuns&, FrameNumbers);
[[nodiscard]] Bytes encode(const ReplicaLost&, FrameNumbers);
[[nodiscard]] Bytes encode(const Ask&, FrameNumbers);
[[nodiscard]] Bytes encode(const Mode&, FrameNumbers);
[[nodiscard]] Bytes encode(const Flows&, FrameNumbers);
[[nodiscard]] Bytes encode(const Attach&, FrameNumbers);
[[nodiscard]] Bytes encode(const DeviceState&, FrameNumbers);
[[nodiscard]] Bytes encode(const Commit&, FrameNumbers);
// A device chunk's body is the bytes themselves; REQUIRES: 0 < chunk.size() <= device_chunk_bytes.
inline constexpr std::size_t device_chunk_bytes = 256U << 10;
[[nodiscard]] Bytes encode_device_chunk(ByteView chunk, FrameNumbers);

[[nodiscard]] Result<Hello> decode_hello(ByteView body);
[[nodiscard]] Result<Welcome> decode_welcome(ByteView body);
[[nodiscard]] Result<Refuse> decode_refuse(ByteView body);
[[nodiscard]] Result<Committed> decode_committed(ByteView body);
[[nodiscard]] Result<Goodbye> decode_goodbye(ByteView body);
[[nodiscard]] Result<GuestEnded> decode_guest_ended(ByteView body);
[[nodiscard]] Result<Alive> decode_alive(ByteView body);
[[nodiscard]] Result<Progress> decode_progress(ByteView body);
[[nodiscard]] Result<Handover> decode_handover(ByteView body);
[[nodiscard]] Result<Loaded> decode_loaded(ByteView body);
[[nodiscard]] Result<LoadFailed> decode_load_failed(ByteView body);
[[nodiscard]] Result<Go> decode_go(ByteView body);
[[nodiscard]] Result<Cancel> decode_cancel(ByteView body);
[[nodiscard]] Result<TookOver> decode_took_over(ByteView body);
[[nodiscard]] Result<ReplicaRuns> decode_replica_runs(ByteView body);
[[nodiscard]] Result<ReplicaLost> decode_replica_lost(ByteView body);
[[nodiscard]] Result<Ask> decode_ask(ByteView body);
[[nodiscard]] Result<Mode> decode_mode(ByteView body);
[[nodiscard]] Result<Flows> decode_flows(ByteView body);
[[nodiscard]] Result<Attach> decode_attach(ByteView body);
[[nodiscard]] Result<DeviceState> decode_device_state(ByteView body);
[[nodiscard]] Result<Commit> decode_commit(ByteView body);

[[nodiscard]] Hash128 hash128(ByteView bytes);

}  // namespace colo::wire
