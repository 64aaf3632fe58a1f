// The ledger of the embedded guest: datagrams over Ethernet frames. A client number takes the place
// of a connection; what is not answered is asked again, and the ledger adds nothing twice.
#pragma once

#include "demo/transport.h"
#include "demo/unix_switch.h"
#include "guest/embedded/ethernet.h"
#include "guest/embedded/ledger.h"

namespace colo::demo {

class UdpClient final : public Transport {
 public:
  UdpClient(UnixSwitch network, std::uint64_t client)
      : network_(std::move(network)), client_(client) {}

  Result<void> connect() override;
  // The ledger keeps one reply per client.
  [[nodiscard]] std::size_t window() const override { return 1; }
  Result<void> send_entry(const std::string& entry) override;
  Result<void> ask_whole() override;
  Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) override;

 private:
  using Clock = std::chrono::steady_clock;
  void transmit();
  [[nodiscard]] std::optional<Reply> hear(ByteView frame);
  [[nodiscard]] std::optional<Reply> hear_ledger(const guest::embedded::UdpDatagram& datagram);
  void hear_arp(const guest::embedded::ArpMessage& message);

  UnixSwitch network_;
  std::uint64_t client_;
  std::uint64_t appended_ = 0;
  std::optional<guest::embedded::MacAddress> guest_mac_;
  std::optional<guest::embedded::LedgerRequest> open_;  // what is not answered yet
  Clock::time_point sent_at_;
};

}  // namespace colo::demo
