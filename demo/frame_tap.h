// Listens at both hosts' ends of the client's network for frames of the guest, and tells whose end
// they came from.
//
// Threads: one of its own. Ownership: owns its sockets.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "demo/speakers.h"

namespace colo::demo {

class FrameTap {
 public:
  // `interfaces`: of alpha and of beta, inside that network namespace. The guest is known by its
  // address on the network.
  static Result<std::unique_ptr<FrameTap>> start(int network_namespace,
                                                 const std::array<std::string, 2>& interfaces,
                                                 const std::array<std::uint8_t, 6>& guest,
                                                 Speakers& speakers);
  FrameTap(const FrameTap&) = delete;
  FrameTap& operator=(const FrameTap&) = delete;
  ~FrameTap();

 private:
  FrameTap(const std::array<std::uint8_t, 6>& guest, Speakers& speakers)
      : guest_(guest), speakers_(speakers) {}
  void listen();
  void take(std::size_t host);

  std::array<std::uint8_t, 6> guest_;
  Speakers& speakers_;
  std::array<UniqueFd, 2> sockets_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace colo::demo
