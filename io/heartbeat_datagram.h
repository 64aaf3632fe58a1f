// One heartbeat as a datagram, and which datagrams count. docs/wire_format.md specifies it.
//
//   alive frame | host u16 + text | run u16 + text | link u16 | challenge u64 | answer u64 | HMAC
//   (32)
//
// The HMAC-SHA256 covers all bytes before it, under a key derived for heartbeats alone. Integers
// are little-endian. The link is its position in the configuration, the same on both hosts, so what
// was recorded on one link says nothing on another.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "io/tls_session.h"
#include "wire/messages.h"

namespace colo::io {

inline constexpr std::size_t heartbeat_bytes_max = 512;
inline constexpr std::size_t heartbeat_host_bytes_max = 255;
inline constexpr std::size_t heartbeat_run_bytes_max = 64;

struct Heartbeat {
  std::string host;  // the sender
  std::string run;   // a random word: the sender's engine, not its predecessor
  std::uint16_t link = 0;
  std::uint64_t count = 0;      // from 1, grows with each datagram of the run
  std::uint64_t challenge = 0;  // random, never 0: whoever repeats it has heard the sender lately
  std::uint64_t answer = 0;     // the challenge that the sender heard last on this link; 0: none
  Generation generation{};      // as wire::Alive says
  wire::GuestHere guest = wire::GuestHere::none;
};

// `key` is the derived one. REQUIRES: host and run are clean text, not empty, within their bounds;
// no guest runs in generation 0.
[[nodiscard]] Bytes encode_heartbeat(const Heartbeat& heartbeat, const Key& key);
// Nothing: not authentic, or not a heartbeat. Anyone can send datagrams, so this is no error.
[[nodiscard]] std::optional<Heartbeat> decode_heartbeat(ByteView datagram, const Key& key);

// Which authentic heartbeats are news: a recorded one that is sent again must not keep a dead peer
// alive. Within a run the count grows. Another run than the last one is taken only if it answers
// the challenge of the moment, and each run that is taken gets a new challenge: so it has heard us
// after everything that was taken before. No clock is compared.
// docs/decisions/0024-heartbeats-carry-the-state.md.
class HeartbeatFilter {
 public:
  // draw: gives random numbers other than 0.
  HeartbeatFilter(std::string own_host, std::size_t links, std::function<std::uint64_t()> draw);
  // True: news of the peer on `link`. REQUIRES: it is authentic.
  bool accept(const Heartbeat& heartbeat, std::size_t link);

  // What our next heartbeat on `link` says. REQUIRES: link < links.
  [[nodiscard]] std::uint64_t challenge(std::size_t link) const { return links_[link].challenge; }
  [[nodiscard]] std::uint64_t answer(std::size_t link) const { return links_[link].answer; }

 private:
  struct Link {
    std::uint64_t challenge = 0;
    std::uint64_t answer = 0;
    std::string run;  // empty: nobody was heard yet
    std::uint64_t count = 0;
  };
  std::string own_host_;
  std::function<std::uint64_t()> draw_;
  std::vector<Link> links_;
};

}  // namespace colo::io
