#include "io/heartbeat_datagram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <utility>

#include "base/check.h"
#include "wire/bytes.h"
#include "wire/decoder.h"
#include "wire/messages.h"

namespace colo::io {
namespace {

constexpr std::size_t mac_bytes = 32;
using Mac = std::array<std::byte, mac_bytes>;

Mac mac_of(ByteView bytes, const Key& key) {
  Mac mac{};
  unsigned count = 0;
  COLO_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                  reinterpret_cast<unsigned char*>(mac.data()), &count) != nullptr);
  COLO_CHECK(count == mac_bytes);
  return mac;
}

// Behind the frame, the lengths of the texts counted, their bytes not.
constexpr std::size_t tail_bytes = 2 + 2 + 2 + 8 + 8;

bool is_name(const std::string& text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && wire::is_clean_text(text);
}

}  // namespace

Bytes encode_heartbeat(const Heartbeat& heartbeat, const Key& key) {
  COLO_CHECK(is_name(heartbeat.host, heartbeat_host_bytes_max));
  COLO_CHECK(is_name(heartbeat.run, heartbeat_run_bytes_max));
  Bytes datagram = wire::encode(wire::Alive{heartbeat.count, heartbeat.generation, heartbeat.guest},
                                {{}, {}, heartbeat.count});
  wire::ByteWriter out(datagram);
  out.text(heartbeat.host, heartbeat_host_bytes_max);
  out.text(heartbeat.run, heartbeat_run_bytes_max);
  out.integer(heartbeat.link);
  out.integer(heartbeat.challenge);
  out.integer(heartbeat.answer);
  out.raw(mac_of(datagram, key));
  COLO_CHECK(datagram.size() <= heartbeat_bytes_max);
  return datagram;
}

std::optional<Heartbeat> decode_heartbeat(ByteView datagram, const Key& key) {
  if (datagram.size() < wire::header_bytes + tail_bytes + mac_bytes) return std::nullopt;
  const ByteView signed_bytes = datagram.first(datagram.size() - mac_bytes);
  const Mac mac = mac_of(signed_bytes, key);
  if (CRYPTO_memcmp(mac.data(), datagram.last(mac_bytes).data(), mac_bytes) != 0) {
    return std::nullopt;
  }
  // Authentic from here on; the checks are against another version of ourselves.
  const auto header = wire::decode_header(signed_bytes.first<wire::header_bytes>());
  if (!header || header->kind != wire::Kind::alive ||
      header->length > signed_bytes.size() - wire::header_bytes) {
    return std::nullopt;
  }
  const std::size_t frame_bytes = wire::header_bytes + header->length;
  const auto frame = wire::decode_datagram(signed_bytes.first(frame_bytes));
  if (!frame) return std::nullopt;
  const auto alive = wire::decode_alive(frame->body);
  if (!alive) return std::nullopt;
  wire::ByteReader in("heartbeat", signed_bytes.subspan(frame_bytes));
  Heartbeat heartbeat;
  heartbeat.host = in.text("host", heartbeat_host_bytes_max);
  heartbeat.run = in.text("run", heartbeat_run_bytes_max);
  heartbeat.link = in.integer<std::uint16_t>("link");
  heartbeat.challenge = in.integer<std::uint64_t>("challenge");
  heartbeat.answer = in.integer<std::uint64_t>("answer");
  if (!in.finish() || heartbeat.host.empty() || heartbeat.run.empty()) return std::nullopt;
  heartbeat.count = alive->count;
  heartbeat.generation = alive->generation;
  heartbeat.guest = alive->guest;
  return heartbeat;
}

HeartbeatFilter::HeartbeatFilter(std::string own_host, std::size_t links,
                                 std::function<std::uint64_t()> draw)
    : own_host_(std::move(own_host)), draw_(std::move(draw)), links_(links) {
  for (Link& link : links_) link.challenge = draw_();
}

bool HeartbeatFilter::accept(const Heartbeat& heartbeat, std::size_t link) {
  if (link >= links_.size() || heartbeat.link != link) return false;
  if (heartbeat.host == own_host_ || heartbeat.count == 0) return false;
  Link& last = links_[link];
  const bool same_run = heartbeat.run == last.run;
  if (same_run && heartbeat.count <= last.count) return false;
  // Answered even if it is not taken: each side must hear the other before either is taken. A
  // recorded one misleads us until the peer's next, and costs nothing but that.
  last.answer = heartbeat.challenge;
  if (!same_run) {
    if (heartbeat.answer != last.challenge) return false;
    last.run = heartbeat.run;
    last.challenge = draw_();
  }
  last.count = heartbeat.count;
  return true;
}

}  // namespace colo::io
