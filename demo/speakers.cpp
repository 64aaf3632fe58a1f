#include "demo/speakers.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace colo::demo {

void Speakers::heard(std::size_t host, std::int64_t unix_ns) {
  const std::scoped_lock lock(mutex_);
  frames_.push_back({unix_ns, host});
}

std::vector<Spoken> Speakers::all() const {
  std::vector<Spoken> frames;
  {
    const std::scoped_lock lock(mutex_);
    frames = frames_;
  }
  std::stable_sort(frames.begin(), frames.end(),
                   [](const Spoken& a, const Spoken& b) { return a.unix_ns < b.unix_ns; });
  return frames;
}

std::int64_t kernel_time(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec time{};
    std::memcpy(&time, CMSG_DATA(part), sizeof time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }
  return 0;
}

}  // namespace colo::demo
