#include "wire/header.h"

#include <string>

#include "wire/bytes.h"
#include "wire/checksum.h"

namespace colo::wire {

namespace {

// Where each field stands. docs/wire_format.md has the same table.
constexpr std::size_t magic_at = 0;
constexpr std::size_t version_at = 4;
constexpr std::size_t kind_at = 6;
constexpr std::size_t length_at = 8;
constexpr std::size_t reserved_at = 12;
constexpr std::size_t generation_at = 16;
constexpr std::size_t epoch_at = 24;
constexpr std::size_t sequence_at = 32;
constexpr std::size_t body_checksum_at = 40;
constexpr std::size_t header_checksum_at = 48;
static_assert(header_checksum_at + sizeof(std::uint64_t) == header_bytes);
static_assert(kind_at == version_prefix_bytes);

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return {};
    case Kind::hello:
      return "hello";
    case Kind::welcome:
      return "welcome";
    case Kind::refuse:
      return "refuse";
    case Kind::committed:
      return "committed";
    case Kind::goodbye:
      return "goodbye";
    case Kind::guest_ended:
      return "guest_ended";
    case Kind::alive:
      return "alive";
    case Kind::progress:
      return "progress";
    case Kind::handover:
      return "handover";
    case Kind::loaded:
      return "loaded";
    case Kind::load_failed:
      return "load_failed";
    case Kind::go:
      return "go";
    case Kind::cancel:
      return "cancel";
    case Kind::took_over:
      return "took_over";
    case Kind::packets:
      return "packets";
    case Kind::attach:
      return "attach";
    case Kind::pages:
      return "pages";
    case Kind::device_state:
      return "device_state";
    case Kind::device_chunk:
      return "device_chunk";
    case Kind::commit:
      return "commit";
    case Kind::replica_runs:
      return "replica_runs";
    case Kind::replica_lost:
      return "replica_lost";
    case Kind::ask:
      return "ask";
    case Kind::mode:
      return "mode";
    case Kind::flows:
      return "flows";
  }
  return {};
}

HeaderBytes encode_header(const Header& header) {
  HeaderBytes bytes{};
  put_little(bytes.data() + magic_at, magic);
  put_little(bytes.data() + version_at, protocol_version);
  put_little(bytes.data() + kind_at, static_cast<std::uint16_t>(header.kind));
  put_little(bytes.data() + length_at, header.length);
  put_little(bytes.data() + generation_at, header.generation.value);
  put_little(bytes.data() + epoch_at, header.epoch.value);
  put_little(bytes.data() + sequence_at, header.sequence);
  put_little(bytes.data() + body_checksum_at, header.body_checksum);
  put_little(bytes.data() + header_checksum_at,
             checksum64(ByteView(bytes).first(header_checksum_at)));
  return bytes;
}

Result<void> check_version_prefix(std::span<const std::byte, version_prefix_bytes> bytes) {
  if (get_little<std::uint32_t>(bytes.data() + magic_at) != magic) {
    return fail("bad-magic", "the peer's bytes do not begin as a frame of colo does",
                "check that the address and port are those of the peer's colo");
  }
  const auto theirs = get_little<std::uint16_t>(bytes.data() + version_at);
  if (theirs != protocol_version) {
    return fail("wrong-version",
                "protocol version " + std::to_string(protocol_version) + " here, " +
                    std::to_string(theirs) + " there",
                "install the same version of colo on both hosts");
  }
  return {};
}

Result<Header> decode_header(std::span<const std::byte, header_bytes> bytes,
                             std::uint32_t body_bytes) {
  if (auto prefix = check_version_prefix(bytes.first<version_prefix_bytes>()); !prefix) {
    return fail(prefix.error());
  }
  const auto checksum = get_little<std::uint64_t>(bytes.data() + header_checksum_at);
  if (checksum != checksum64(bytes.first(header_checksum_at))) {
    return fail("bad-header", "the header's checksum does not fit: damaged on its way");
  }
  if (get_little<std::uint32_t>(bytes.data() + reserved_at) != 0) {
    return fail("bad-header", "the header's reserved field is not 0");
  }
  const auto kind = get_little<std::uint16_t>(bytes.data() + kind_at);
  Header header;
  header.kind = static_cast<Kind>(kind);
  if (name(header.kind).empty()) {
    return fail("bad-kind", "kind " + std::to_string(kind) + " does not exist in version " +
                                std::to_string(protocol_version));
  }
  header.length = get_little<std::uint32_t>(bytes.data() + length_at);
  if (header.length > body_bytes) {
    return fail("too-long", std::string(name(header.kind)) + " of " +
                                std::to_string(header.length) + " bytes, at most " +
                                std::to_string(body_bytes) + " on this lane");
  }
  header.generation = {get_little<std::uint64_t>(bytes.data() + generation_at)};
  header.epoch = {get_little<std::uint64_t>(bytes.data() + epoch_at)};
  header.sequence = get_little<std::uint64_t>(bytes.data() + sequence_at);
  header.body_checksum = get_little<std::uint64_t>(bytes.data() + body_checksum_at);
  return header;
}

}  // namespace colo::wire
