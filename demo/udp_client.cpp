#include "demo/udp_client.h"

namespace colo::demo {
namespace {

namespace embedded = guest::embedded;

constexpr auto ask_again_after = std::chrono::milliseconds(200);
constexpr auto connect_patience = std::chrono::milliseconds(500);

constexpr embedded::MacAddress our_mac{{0x52, 0x54, 0x00, 0xC0, 0x01, 0x01}};
constexpr embedded::Ipv4Address our_ip = embedded::ipv4(10, 77, 0, 1);
constexpr embedded::Ipv4Address guest_ip = embedded::ipv4(10, 77, 0, 10);
constexpr std::uint16_t our_port = 40000;

std::string words(embedded::LedgerStatus status) {
  switch (status) {
    case embedded::LedgerStatus::done:
      return "done";
    case embedded::LedgerStatus::stale:
      return "stale: a later entry of ours is known already";
    case embedded::LedgerStatus::malformed:
      return "malformed entry";
    case embedded::LedgerStatus::full:
      return "too many clients";
  }
  return "unknown status";
}

}  // namespace

Result<void> UdpClient::connect() {
  const auto deadline = Clock::now() + connect_patience;
  network_.send(embedded::build_frame(
      embedded::ArpMessage{embedded::broadcast_mac, true, our_mac, our_ip, {}, guest_ip}));
  while (!guest_mac_ && Clock::now() < deadline) {
    if (const auto frame = network_.receive(std::chrono::milliseconds(50))) {
      static_cast<void>(hear(*frame));
    }
  }
  if (!guest_mac_) return fail("no-answer", "no reply to ARP requests");
  return {};
}

Result<void> UdpClient::send_entry(const std::string& entry) {
  const auto bytes = std::as_bytes(std::span(entry.data(), entry.size()));
  appended_ += 1;
  open_ = {embedded::LedgerOperation::append, client_, appended_,
           Bytes(bytes.begin(), bytes.end())};
  transmit();
  return {};
}

Result<void> UdpClient::ask_whole() {
  open_ = {embedded::LedgerOperation::digest, client_, appended_ + 1, {}};
  transmit();
  return {};
}

void UdpClient::transmit() {
  sent_at_ = Clock::now();
  network_.send(embedded::build_frame(embedded::UdpDatagram{our_mac, *guest_mac_, our_ip, guest_ip,
                                                            our_port, embedded::ledger_port,
                                                            embedded::encode(*open_)}));
}

Result<std::optional<Reply>> UdpClient::receive(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  for (;;) {
    const auto now = Clock::now();
    if (open_ && now >= sent_at_ + ask_again_after) transmit();
    if (now >= deadline) return std::nullopt;
    const auto until = open_ ? std::min(deadline, sent_at_ + ask_again_after) : deadline;
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    const auto frame = network_.receive(std::max(wait, std::chrono::milliseconds(0)));
    if (!frame) continue;
    if (auto reply = hear(*frame)) return reply;
  }
}

std::optional<Reply> UdpClient::hear(ByteView frame) {
  if (const auto message = embedded::parse_arp(frame)) {
    hear_arp(*message);
    return std::nullopt;
  }
  const auto datagram = embedded::parse_udp(frame);
  if (!datagram) return std::nullopt;
  return hear_ledger(*datagram);
}

void UdpClient::hear_arp(const embedded::ArpMessage& message) {
  if (message.sender_ip == guest_ip) guest_mac_ = message.sender_mac;
  if (message.request && message.target_ip == our_ip) {
    network_.send(embedded::build_frame(embedded::ArpMessage{
        message.sender_mac, false, our_mac, our_ip, message.sender_mac, message.sender_ip}));
  }
}

std::optional<Reply> UdpClient::hear_ledger(const embedded::UdpDatagram& datagram) {
  if (datagram.source_ip != guest_ip || datagram.destination_port != our_port) return std::nullopt;
  const auto reply = embedded::decode_reply(datagram.payload);
  // A second reply to a question that was asked twice is no news.
  if (!reply || !open_ || reply->client != client_ || reply->request != open_->request)
    return std::nullopt;
  const bool whole = open_->operation == embedded::LedgerOperation::digest;
  open_.reset();
  if (reply->status != embedded::LedgerStatus::done) {
    return Reply{Reply::Kind::refused, 0, 0, words(reply->status)};
  }
  return Reply{whole ? Reply::Kind::whole : Reply::Kind::added, reply->sequence, reply->digest, {}};
}

}  // namespace colo::demo
