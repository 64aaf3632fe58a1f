// A client for what no two guests answer alike.
#pragma once

#include "demo/unix_switch.h"
#include "guest/embedded/ethernet.h"
#include "guest/embedded/ledger.h"
#include "guest/embedded/machine.h"
#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {

// A client that asks the guest how far its workers are, which no other guest answers alike.
// REQUIRES: no conversation holds the cables.
class Asker {
 public:
  explicit Asker(const Pair& pair) {
    std::vector<demo::SwitchPort> ports;
    for (const char* host : {alpha, beta}) {
      std::filesystem::remove(pair.switch_cable(host));
      ports.push_back({pair.switch_cable(host), pair.engine_cable(host)});
    }
    auto opened = demo::UnixSwitch::open(ports);
    if (!opened) throw std::runtime_error(opened.error().text());
    network_.emplace(std::move(*opened));
  }
  std::optional<std::uint64_t> steps() {
    using namespace guest::embedded;
    const LedgerRequest request{LedgerOperation::steps, 99, ++request_, {}};
    network_->send(build_frame(UdpDatagram{{{0x52, 0x54, 0, 1, 2, 3}},
                                           card_mac(0),
                                           ipv4(10, 77, 0, 99),
                                           card_ip(0),
                                           5000,
                                           ledger_port,
                                           encode(request)}));
    std::optional<std::uint64_t> answer;
    (void)wait_until([&] {
      const auto frame = network_->receive(std::chrono::milliseconds(50));
      const auto datagram = frame ? parse_udp(*frame) : std::nullopt;
      const auto reply = datagram ? decode_reply(datagram->payload) : std::nullopt;
      if (reply && reply->client == 99 && reply->request == request_) answer = reply->sequence;
      return answer.has_value();
    });
    return answer;
  }

 private:
  std::optional<demo::UnixSwitch> network_;
  std::uint64_t request_ = 0;
};

}  // namespace colo::e2e
