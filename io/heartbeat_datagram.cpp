#include "io/heartbeat_datagram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>

#include "base/check.h"
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

template <class Integer>
void put(Bytes& bytes, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    bytes.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
  }
}

template <class Integer>
Integer take(ByteView& bytes) {
  Integer value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<Integer>(value | (static_cast<Integer>(bytes[i]) << (8 * i)));
  }
  bytes = bytes.subspan(sizeof value);
  return value;
}

// Behind the host name: run start, run number, link.
constexpr std::size_t tail_bytes = 8 + 8 + 2;

}  // namespace

Bytes encode_heartbeat(const Heartbeat& heartbeat, const Key& key) {
  COLO_CHECK(heartbeat.host.size() <= heartbeat_host_bytes_max);
  Bytes datagram = wire::encode(wire::Alive{heartbeat.count}, {{}, {}, heartbeat.count});
  put(datagram, static_cast<std::uint8_t>(heartbeat.host.size()));
  const ByteView host = std::as_bytes(std::span(heartbeat.host));
  datagram.insert(datagram.end(), host.begin(), host.end());
  put(datagram, heartbeat.run_start);
  put(datagram, heartbeat.run_number);
  put(datagram, heartbeat.link);
  const Mac mac = mac_of(datagram, key);
  datagram.insert(datagram.end(), mac.begin(), mac.end());
  COLO_CHECK(datagram.size() <= heartbeat_bytes_max);
  return datagram;
}

std::optional<Heartbeat> decode_heartbeat(ByteView datagram, const Key& key) {
  if (datagram.size() < wire::header_bytes + 1 + tail_bytes + mac_bytes) return std::nullopt;
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
  ByteView rest = signed_bytes.subspan(frame_bytes);
  if (!alive || rest.empty()) return std::nullopt;
  const auto host_bytes = take<std::uint8_t>(rest);
  if (rest.size() != host_bytes + tail_bytes) return std::nullopt;
  Heartbeat heartbeat;
  heartbeat.host.assign(reinterpret_cast<const char*>(rest.data()), host_bytes);
  rest = rest.subspan(host_bytes);
  heartbeat.run_start = take<std::uint64_t>(rest);
  heartbeat.run_number = take<std::uint64_t>(rest);
  heartbeat.link = take<std::uint16_t>(rest);
  heartbeat.count = alive->count;
  return heartbeat;
}

bool HeartbeatFilter::accept(const Heartbeat& heartbeat, std::size_t link) {
  if (link >= links_.size() || heartbeat.link != link) return false;
  if (heartbeat.host == own_host_ || heartbeat.count == 0) return false;
  Last& last = links_[link];
  if (heartbeat.run_start < last.run_start) return false;
  if (heartbeat.run_start == last.run_start) {
    if (last.count > 0 && heartbeat.run_number != last.run_number) return false;
    if (heartbeat.count <= last.count) return false;
  }
  last = {heartbeat.run_start, heartbeat.run_number, heartbeat.count};
  return true;
}

}  // namespace colo::io
