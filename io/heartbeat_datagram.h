// One heartbeat as a datagram, and which datagrams count. docs/wire_format.md specifies it.
//
//   alive frame | host length u8 | host | run start u64 | run number u64 | link u16 | HMAC (32)
//
// The HMAC-SHA256 covers all bytes before it, under a key derived for heartbeats alone. Integers
// are little-endian. The link is its position in the configuration, the same on both hosts, so what
// was recorded on one link says nothing on another.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "io/tls_session.h"

namespace colo::io {

inline constexpr std::size_t heartbeat_bytes_max = 512;
inline constexpr std::size_t heartbeat_host_bytes_max = 255;

struct Heartbeat {
  std::string host;              // the sender
  std::uint64_t run_start = 0;   // when the sender's engine started: nanoseconds since 1970
  std::uint64_t run_number = 0;  // random: tells two runs apart that claim the same start
  std::uint16_t link = 0;
  std::uint64_t count = 0;  // from 1, grows with each datagram of the run
};

// `key` is the derived one. REQUIRES: host.size() <= heartbeat_host_bytes_max.
[[nodiscard]] Bytes encode_heartbeat(const Heartbeat& heartbeat, const Key& key);
// Nothing: not authentic, or not a heartbeat. Anyone can send datagrams, so this is no error.
[[nodiscard]] std::optional<Heartbeat> decode_heartbeat(ByteView datagram, const Key& key);

// Which authentic heartbeats are news: a recorded one that is sent again must not keep a dead peer
// alive. Within a run the count grows; a later run replaces an earlier one, never the reverse.
// So a host whose clock was set back between two runs of its engine is not heard before its clock
// has caught up, or the listening engine has started anew.
class HeartbeatFilter {
 public:
  HeartbeatFilter(std::string own_host, std::size_t links)
      : own_host_(std::move(own_host)), links_(links) {}
  // True: news of the peer on `link`.
  bool accept(const Heartbeat& heartbeat, std::size_t link);

 private:
  struct Last {
    std::uint64_t run_start = 0;
    std::uint64_t run_number = 0;
    std::uint64_t count = 0;
  };
  std::string own_host_;
  std::vector<Last> links_;
};

}  // namespace colo::io
