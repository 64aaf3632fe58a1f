#include "guest/embedded/registers.h"

#include <xxhash.h>

#include "guest/embedded/big_endian.h"

namespace colo::guest::embedded {

namespace {

constexpr std::uint32_t magic = 0x434C454D;  // "CLEM"
constexpr std::uint32_t format_version = 1;
constexpr std::size_t body_bytes = (5 + 2 * worker_count) * sizeof(std::uint64_t);

tl::unexpected<Error> refuse(std::string why) {
  return fail("load-failed", "the embedded guest's device state " + std::move(why));
}

}  // namespace

Bytes encode(const Registers& registers) {
  Bytes body;
  append_big_endian(body, registers.ram_pages);
  append_big_endian(body, registers.ledger_sequence);
  append_big_endian(body, registers.ledger_digest);
  append_big_endian(body, registers.frames_received);
  append_big_endian(body, registers.frames_sent);
  for (const WorkerRegisters& worker : registers.workers) {
    append_big_endian(body, worker.steps);
    append_big_endian(body, worker.generator);
  }
  Bytes out;
  append_big_endian(out, magic);
  append_big_endian(out, format_version);
  append_big_endian<std::uint64_t>(out, body.size());
  append_big_endian<std::uint64_t>(out, XXH3_64bits(body.data(), body.size()));
  append(out, body);
  return out;
}

Result<Registers> decode_registers(ByteView state) {
  BigEndianReader in(state);
  const auto found_magic = in.get<std::uint32_t>();
  const auto found_version = in.get<std::uint32_t>();
  const auto size = in.get<std::uint64_t>();
  const auto hash = in.get<std::uint64_t>();
  if (!in.ok()) return refuse("has only " + std::to_string(state.size()) + " bytes");
  if (found_magic != magic) return refuse("begins with the wrong magic number");
  if (found_version != format_version) {
    return refuse("has format version " + std::to_string(found_version) + "; this program knows " +
                  std::to_string(format_version));
  }
  if (size != body_bytes || in.rest().size() != size) {
    return refuse("says " + std::to_string(size) + " bytes and has " +
                  std::to_string(in.rest().size()) + " where " + std::to_string(body_bytes) +
                  " belong");
  }
  if (XXH3_64bits(in.rest().data(), in.rest().size()) != hash) return refuse("has the wrong hash");
  Registers registers;
  registers.ram_pages = in.get<std::uint64_t>();
  registers.ledger_sequence = in.get<std::uint64_t>();
  registers.ledger_digest = in.get<std::uint64_t>();
  registers.frames_received = in.get<std::uint64_t>();
  registers.frames_sent = in.get<std::uint64_t>();
  for (WorkerRegisters& worker : registers.workers) {
    worker.steps = in.get<std::uint64_t>();
    worker.generator = in.get<std::uint64_t>();
  }
  return registers;
}

}  // namespace colo::guest::embedded
