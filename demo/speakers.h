// Which host the guest was heard from, frame by frame, as the network outside saw it: the witness
// of who spoke, which no engine can talk into anything.
//
// Threads: safe from any.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace colo::demo {

struct Spoken {
  std::int64_t unix_ns = 0;  // when the frame was put on the network
  std::size_t host = 0;      // 0 alpha, 1 beta
};

class Speakers {
 public:
  void heard(std::size_t host, std::int64_t unix_ns);
  // In the order of their times.
  [[nodiscard]] std::vector<Spoken> all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<Spoken> frames_;
};

// The kernel's time of a datagram or frame, from the control part of a received message; 0 when
// there is none. The socket has SO_TIMESTAMPNS.
[[nodiscard]] std::int64_t kernel_time(msghdr& message);

}  // namespace colo::demo
