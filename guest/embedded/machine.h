// The embedded guest as a machine that does one step at a time: the same steps on the same memory
// and registers have the same outcome.
//
// Role: the program itself. It has no thread, no clock and no socket; the Runner makes its steps.
// Threads: none; callers serialize.
#pragma once

#include <optional>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "guest/embedded/ethernet.h"
#include "guest/embedded/ledger.h"
#include "guest/embedded/memory.h"
#include "guest/embedded/ram_plan.h"
#include "guest/embedded/registers.h"

namespace colo::guest::embedded {

// The addresses of a network card, by its place in the configuration: 10.77.0.10 and up.
[[nodiscard]] constexpr Ipv4Address card_ip(std::uint32_t port) {
  return {ipv4(10, 77, 0, 10).value + port};
}
[[nodiscard]] constexpr MacAddress card_mac(std::uint32_t port) {
  return {{0x52, 0x54, 0x00, 0xC0, 0x10, static_cast<std::uint8_t>(1 + port)}};
}

class Machine {
 public:
  // REQUIRES: ram of at least ram_pages_min pages.
  explicit Machine(std::shared_ptr<Ram> ram);

  [[nodiscard]] Memory& memory() { return memory_; }

  // Writes the first state. REQUIRES: all memory is zero.
  void start_from_the_beginning();
  [[nodiscard]] Bytes save() const { return encode(registers_); }
  // Takes over a saved state if it fits the memory; else ("load-failed") changes nothing.
  Result<void> load(ByteView state);

  // One worker's step: rewrites one page of its part of the table.
  void rewrite_page(std::size_t worker);

  struct Outcome {
    std::optional<Bytes> reply;  // a frame for the same port
    bool crash = false;
  };
  [[nodiscard]] Outcome handle_frame(std::uint32_t port, ByteView frame);
  // The frame by which a network learns where the card is: a gratuitous ARP.
  [[nodiscard]] Bytes announcement(std::uint32_t port);

 private:
  [[nodiscard]] Bytes count_sent(Bytes frame);
  [[nodiscard]] LedgerReply append(const LedgerRequest& request);
  // The slot of this client, or the free one that it may have; nothing if all are taken.
  [[nodiscard]] std::optional<std::uint64_t> find_client(std::uint64_t client);
  [[nodiscard]] Result<void> verify(const Registers& registers);
  [[nodiscard]] Result<void> verify_log(const Registers& registers);

  Memory memory_;
  RamPlan plan_;
  Registers registers_;
};

}  // namespace colo::guest::embedded
