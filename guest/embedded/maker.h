// Makes embedded guests: a program of ours with threads, memory, device state and packets, for
// tests, benchmarks and the quick start. Needs no privilege and no QEMU.
#pragma once

#include <memory>

#include "guest/config.h"
#include "guest/guest.h"

namespace colo::guest {

// The memory is made with the first guest and is zero then; boot() makes it zero again.
// REQUIRES of boot(): no other guest of this maker lives.
// Errors of its guests' making: "bad-memory-size", "no-memory", "no-network-card", "no-descriptor".
[[nodiscard]] std::unique_ptr<GuestMaker> make_embedded_maker(const GuestConfig& config);

}  // namespace colo::guest
