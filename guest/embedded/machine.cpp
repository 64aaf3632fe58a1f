#include "guest/embedded/machine.h"

#include <cstring>

#include "base/check.h"

namespace colo::guest::embedded {

namespace {

// splitmix64: a step of the generator and the number it gives.
std::uint64_t draw(std::uint64_t& generator) {
  generator += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = generator;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

tl::unexpected<Error> mixed_state(const std::string& what) {
  return fail("load-failed",
              "the embedded guest's device state and its memory are of different checkpoints: " +
                  what + " differs");
}

}  // namespace

Machine::Machine(std::shared_ptr<Ram> ram)
    : memory_(std::move(ram)), plan_(memory_.layout()[ram_region].pages) {
  registers_.ram_pages = memory_.layout()[ram_region].pages;
  COLO_CHECK(registers_.ram_pages >= ram_pages_min);
}

void Machine::start_from_the_beginning() {
  memory_.write(ram_region, header::magic, header::magic_value);
  for (std::size_t i = 0; i < worker_count; ++i) registers_.workers[i].generator = i;
}

Result<void> Machine::load(ByteView state) {
  const auto registers = decode_registers(state);
  if (!registers) return fail(registers.error());
  if (auto fits = verify(*registers); !fits) return fits;
  registers_ = *registers;
  return {};
}

Result<void> Machine::verify(const Registers& registers) {
  if (registers.ram_pages != registers_.ram_pages) {
    return fail("load-failed", "the embedded guest's device state is of a machine with " +
                                   std::to_string(registers.ram_pages) +
                                   " pages of memory; here are " +
                                   std::to_string(registers_.ram_pages));
  }
  if (memory_.read(ram_region, header::magic) != header::magic_value) {
    return fail("load-failed", "the embedded guest's memory is empty or not its own");
  }
  if (memory_.read(ram_region, header::sequence) != registers.ledger_sequence ||
      memory_.read(ram_region, header::digest) != registers.ledger_digest) {
    return mixed_state("the ledger's state in ram");
  }
  for (std::size_t i = 0; i < worker_count; ++i) {
    if (memory_.read(ram_region, header::steps(i)) != registers.workers[i].steps) {
      return mixed_state("the step count of worker " + std::to_string(i) + " in ram");
    }
    if (memory_.read(device_ram_region, RamPlan::worker_cell(i)) != registers.workers[i].steps) {
      return mixed_state("the step count of worker " + std::to_string(i) + " in device.ram");
    }
  }
  return verify_log(registers);
}

Result<void> Machine::verify_log(const Registers& registers) {
  const std::uint64_t last = registers.ledger_sequence;
  if (last == 0) return {};
  if (memory_.read(device_ram_region, RamPlan::ledger_cell(last)) != registers.ledger_digest) {
    return mixed_state("the ledger's digest in device.ram");
  }
  const std::uint64_t first = last - std::min(last, plan_.records()) + 1;
  std::optional<std::uint64_t> digest;
  if (first == 1) digest = 0;
  for (std::uint64_t sequence = first; sequence <= last; ++sequence) {
    const std::uint64_t at = plan_.record(sequence);
    const std::uint64_t size = memory_.read(ram_region, at + log_record::entry_size);
    const std::uint64_t found = memory_.read(ram_region, at + log_record::digest);
    const bool fits =
        size <= ledger_entry_bytes_max &&
        memory_.read(ram_region, at + log_record::sequence) == sequence &&
        (!digest ||
         chain_digest(*digest, memory_.view(ram_region, at + log_record::entry, size)) == found);
    if (!fits) return mixed_state("entry " + std::to_string(sequence) + " of the ledger");
    digest = found;
  }
  if (digest != registers.ledger_digest) return mixed_state("the digest of the ledger");
  return {};
}

void Machine::rewrite_page(std::size_t worker) {
  WorkerRegisters& own = registers_.workers[worker];
  ++own.steps;
  const std::uint64_t part = plan_.table_pages / worker_count;
  const PageIndex page = plan_.table_page + worker * part + draw(own.generator) % part;
  std::uint64_t word = own.generator ^ own.steps;
  const MutableBytes bytes = memory_.page_to_write(ram_region, page);
  for (std::size_t i = 0; i < page_bytes; i += sizeof word) {
    std::memcpy(bytes.data() + i, &word, sizeof word);
    word += 0x9E3779B97F4A7C15;
  }
  memory_.write(ram_region, header::steps(worker), own.steps);
  memory_.write(device_ram_region, RamPlan::worker_cell(worker), own.steps);
}

Machine::Outcome Machine::handle_frame(std::uint32_t port, ByteView frame) {
  ++registers_.frames_received;
  if (const auto arp = parse_arp(frame)) {
    if (!arp->request || arp->target_ip != card_ip(port)) return {};
    return {count_sent(build_frame(ArpMessage{arp->sender_mac, false, card_mac(port), card_ip(port),
                                              arp->sender_mac, arp->sender_ip}))};
  }
  const auto datagram = parse_udp(frame);
  if (!datagram || datagram->destination_mac != card_mac(port) ||
      datagram->destination_ip != card_ip(port) || datagram->destination_port != ledger_port) {
    return {};
  }
  const auto request = decode_request(datagram->payload);
  if (!request) return {};
  LedgerReply reply;
  switch (request->operation) {
    case LedgerOperation::crash:
      return {std::nullopt, true};
    case LedgerOperation::append:
      reply = append(*request);
      break;
    case LedgerOperation::digest:
      reply = {LedgerStatus::done, request->client, request->request, registers_.ledger_sequence,
               registers_.ledger_digest};
      break;
    case LedgerOperation::steps:
      reply = {LedgerStatus::done, request->client, request->request, 0, 0};
      for (const WorkerRegisters& worker : registers_.workers) reply.sequence += worker.steps;
      break;
  }
  return {count_sent(build_frame(UdpDatagram{card_mac(port), datagram->source_mac, card_ip(port),
                                             datagram->source_ip, ledger_port,
                                             datagram->source_port, encode(reply)}))};
}

Bytes Machine::announcement(std::uint32_t port) {
  return count_sent(build_frame(
      ArpMessage{broadcast_mac, true, card_mac(port), card_ip(port), MacAddress{}, card_ip(port)}));
}

Bytes Machine::count_sent(Bytes frame) {
  ++registers_.frames_sent;
  return frame;
}

std::optional<std::uint64_t> Machine::find_client(std::uint64_t client) {
  std::uint64_t spread = client;
  const std::uint64_t first = draw(spread) % ledger_clients_max;
  for (std::uint64_t i = 0; i < ledger_clients_max; ++i) {
    const std::uint64_t at = RamPlan::client((first + i) % ledger_clients_max);
    const std::uint64_t owner = memory_.read(ram_region, at + client_slot::client);
    if (owner == client || owner == 0) return at;
  }
  return std::nullopt;
}

LedgerReply Machine::append(const LedgerRequest& request) {
  LedgerReply reply{LedgerStatus::done, request.client, request.request, registers_.ledger_sequence,
                    registers_.ledger_digest};
  const auto slot = find_client(request.client);
  if (!slot) {
    reply.status = LedgerStatus::full;
    return reply;
  }
  const bool known = memory_.read(ram_region, *slot + client_slot::client) == request.client;
  const std::uint64_t latest = memory_.read(ram_region, *slot + client_slot::request);
  if (known && request.request == latest) {
    reply.sequence = memory_.read(ram_region, *slot + client_slot::sequence);
    reply.digest = memory_.read(ram_region, *slot + client_slot::digest);
    return reply;
  }
  if (known && request.request < latest) {
    reply.status = LedgerStatus::stale;
    return reply;
  }
  if (request.entry.empty() || request.entry.size() > ledger_entry_bytes_max) {
    reply.status = LedgerStatus::malformed;
    return reply;
  }
  reply.sequence = ++registers_.ledger_sequence;
  reply.digest = registers_.ledger_digest = chain_digest(registers_.ledger_digest, request.entry);

  const std::uint64_t record = plan_.record(reply.sequence);
  memory_.write(ram_region, record + log_record::sequence, reply.sequence);
  memory_.write(ram_region, record + log_record::client, request.client);
  memory_.write(ram_region, record + log_record::request, request.request);
  memory_.write(ram_region, record + log_record::digest, reply.digest);
  memory_.write(ram_region, record + log_record::entry_size, request.entry.size());
  memory_.write(ram_region, record + log_record::entry, request.entry);
  memory_.write(ram_region, *slot + client_slot::client, request.client);
  memory_.write(ram_region, *slot + client_slot::request, request.request);
  memory_.write(ram_region, *slot + client_slot::sequence, reply.sequence);
  memory_.write(ram_region, *slot + client_slot::digest, reply.digest);
  memory_.write(ram_region, header::sequence, reply.sequence);
  memory_.write(ram_region, header::digest, reply.digest);
  memory_.write(device_ram_region, RamPlan::ledger_cell(reply.sequence), reply.digest);
  return reply;
}

}  // namespace colo::guest::embedded
