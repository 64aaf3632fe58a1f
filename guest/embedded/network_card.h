// One network card of the embedded guest: a stream socket, each frame behind its length (be32).
//
// Role: frames in and out of the inner end; the outer end is the engine's.
// Threads: none for the inner end, callers serialize; the outer end may be used from any thread.
// Errors: a length that no frame has breaks the card for good: the outer end then reads an end of
//   stream, as after the death of the guest.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace colo::guest::embedded {

inline constexpr std::size_t frame_bytes_max = 65536;

class NetworkCard {
 public:
  [[nodiscard]] static Result<NetworkCard> create();

  [[nodiscard]] int outer() const { return outer_.get(); }
  [[nodiscard]] int inner() const { return inner_.get(); }  // -1 once unplugged
  void unplug() { inner_.reset(); }

  // The next frame that has arrived whole.
  [[nodiscard]] std::optional<Bytes> receive();

  void send(ByteView frame);
  // Sends on what the socket did not take before.
  void send_on();
  // Frames wait for the engine to read. The guest then takes no more in, so this stays bounded.
  [[nodiscard]] bool blocked() const { return !outgoing_.empty(); }

 private:
  [[nodiscard]] std::optional<Bytes> take_frame();

  UniqueFd outer_, inner_;
  Bytes incoming_;
  std::size_t taken_ = 0;  // of incoming_
  Bytes outgoing_;
};

}  // namespace colo::guest::embedded
