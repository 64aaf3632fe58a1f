// One sample of every message, for the tests and the fuzzers' seeds of the wire.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "wire/messages.h"
#include "wire/packets.h"
#include "wire/pages.h"

namespace colo::wire::samples {

inline constexpr FrameNumbers numbers{{7}, {42}, 1};

inline Agreement agreement() {
  return {"ledger",
          "pc-q35-7.2",
          "7.2.22",
          "tcg",
          {{"ram", 131072, true}, {"vga.vram", 4096, false}},
          0x1122334455667788};
}

inline Token token() {
  Token bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(0xa0 + i);
  return bytes;
}

inline Bytes page_of(unsigned char fill) { return Bytes(page_bytes, std::byte{fill}); }

inline Hello hello() { return {"beta", "5f0c9a3e", agreement()}; }
inline Hello hello_of_a_checkpoint() {
  Hello hello = samples::hello();
  hello.held = Held{"91d2b7c4", token(), {7}, {42}, {}};
  return hello;
}
inline Hello hello_of_a_first_copy() {
  Hello hello = samples::hello();
  hello.held = Held{"91d2b7c4", token(), {7}, {0}, {{0, 0, 4096}, {0, 8192, 1}, {1, 5, 90}}};
  return hello;
}
inline Welcome welcome() { return {"alpha", "91d2b7c4", token(), agreement()}; }
inline Refuse refuse() {
  return {{"wrong-guest", "machine type differs: pc-q35-7.2 here, pc-i440fx-7.2 there",
           "use the same file on both hosts"}};
}
inline Goodbye goodbye() { return {"asked to end", true}; }
inline GuestEnded guest_ended() { return {"QEMU was killed by signal 9", false}; }
inline Alive alive() { return {12345, {7}, GuestHere::runs}; }
inline LoadFailed load_failed() {
  return {{"load-failed", "QEMU refused the device state", "colo status FILE --host beta"}};
}
inline Cancel cancel() { return {"beta did not load the guest in time"}; }
inline Progress progress() { return {1000, 130072}; }
inline Attach attach() { return {token()}; }
inline DeviceState device_state() { return {81920, hash128(page_of(3))}; }
inline Commit commit() { return {300, 44, 0x0102030405060708, 81920}; }

inline ReplicaLost replica_lost() {
  return {{"replica-ended", "the replica's QEMU was killed by signal 9", ""}};
}
inline Ask ask() { return {"7/8 of colo.diverged_limit are used"}; }
inline Flows flows() { return {false, {std::byte{1}, std::byte{2}, std::byte{0}}}; }

inline Bytes packets(FrameNumbers frame_numbers = numbers) {
  PacketsFrame frame;
  static_cast<void>(frame.add(0, ByteView(page_of(7)).first(60)));
  static_cast<void>(frame.add(3, ByteView(page_of(8)).first(1)));
  return frame.finish(frame_numbers);
}

inline Bytes pages(FrameNumbers frame_numbers = numbers) {
  PagesFrame frame(0);
  frame.add_page(5, page_of(1));
  frame.add_page(9, page_of(0));
  frame.add_page(131071, page_of(2));
  return frame.finish(frame_numbers);
}

// The name of each kind and of each form it has, and a frame of it that is number `sequence` of its
// lane.
inline std::vector<std::pair<std::string, Bytes>> frames(std::uint64_t sequence = 1) {
  const FrameNumbers n{{7}, {42}, sequence};
  return {{"hello", encode(hello(), n)},
          {"hello-checkpoint", encode(hello_of_a_checkpoint(), n)},
          {"hello-first-copy", encode(hello_of_a_first_copy(), n)},
          {"welcome", encode(welcome(), n)},
          {"refuse", encode(refuse(), n)},
          {"committed", encode(Committed{}, n)},
          {"goodbye", encode(goodbye(), n)},
          {"guest_ended", encode(guest_ended(), n)},
          {"alive", encode(alive(), n)},
          {"progress", encode(progress(), n)},
          {"handover", encode(Handover{}, n)},
          {"loaded", encode(Loaded{}, n)},
          {"load_failed", encode(load_failed(), n)},
          {"go", encode(Go{}, n)},
          {"cancel", encode(cancel(), n)},
          {"took_over", encode(TookOver{}, n)},
          {"packets", packets(n)},
          {"attach", encode(attach(), n)},
          {"pages", pages(n)},
          {"device_state", encode(device_state(), n)},
          {"device_chunk", encode_device_chunk(page_of(3), n)},
          {"commit", encode(commit(), n)},
          {"replica_runs", encode(ReplicaRuns{}, n)},
          {"replica_lost", encode(replica_lost(), n)},
          {"ask", encode(ask(), n)},
          {"mode", encode(Mode{true}, n)},
          {"flows", encode(flows(), n)},
          {"flows-none", encode(Flows{}, n)}};
}

}  // namespace colo::wire::samples
