#include "guest/qemu/migration_stream.h"

#include <array>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/page.h"

namespace colo::guest {
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::array<unsigned char, header_bytes> header{'Q', 'E', 'V', 'M', 0, 0, 0, 3};
constexpr std::uint8_t section_full = 0x04;
constexpr std::uint8_t section_configuration = 0x07;
constexpr std::uint8_t section_footer = 0x7e;
// Any number that QEMU does not use for the other sections; it counts those from 0.
constexpr std::uint32_t ram_section_id = 0x7fff0001;
constexpr std::uint32_t ram_section_version = 4;
// Flags in the low bits of a page's address.
constexpr std::uint64_t ram_zero = 0x02;
constexpr std::uint64_t ram_block_sizes = 0x04;
constexpr std::uint64_t ram_page = 0x08;
constexpr std::uint64_t ram_end = 0x10;
constexpr std::uint64_t ram_same_block = 0x20;

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}
  void u8(std::uint8_t value) { out_.push_back(std::byte{value}); }
  void be32(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) u8(static_cast<std::uint8_t>(value >> shift));
  }
  void be64(std::uint64_t value) {
    be32(static_cast<std::uint32_t>(value >> 32));
    be32(static_cast<std::uint32_t>(value));
  }
  void raw(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  void text(std::string_view value) { raw(std::as_bytes(std::span(value))); }
  void short_text(std::string_view value) {
    u8(static_cast<std::uint8_t>(value.size()));
    text(value);
  }

 private:
  Bytes& out_;
};

bool has_header(ByteView stream) {
  return stream.size() > header_bytes &&
         std::memcmp(stream.data(), header.data(), header_bytes) == 0;
}

std::uint32_t read_be32(ByteView at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<std::uint32_t>(at[i]);
  return value;
}

// Where the device sections begin.
Result<std::size_t> end_of_configuration(ByteView state) {
  constexpr std::size_t fixed = header_bytes + 5;
  if (has_header(state) && state.size() > fixed &&
      state[header_bytes] == std::byte{section_configuration}) {
    const std::size_t length = read_be32(state.subspan(header_bytes + 1));
    if (length < state.size() - fixed) return fixed + length;
  }
  return fail("load-failed", "the device state does not begin as one of QEMU does");
}

void write_block(Writer& writer, const LoadedBlock& block) {
  for (std::size_t at = 0; at < block.content.size(); at += page_bytes) {
    const ByteView page = block.content.subspan(at, page_bytes);
    const bool zero = is_zero_page(page);
    writer.be64(at | (zero ? ram_zero : ram_page) | (at == 0 ? 0 : ram_same_block));
    if (at == 0) writer.short_text(block.name);
    if (zero) {
      writer.u8(0);
    } else {
      writer.raw(page);
    }
  }
}

}  // namespace

Result<Bytes> add_configuration(ByteView saved, std::string_view machine) {
  if (!has_header(saved)) {
    return fail("save-failed", "QEMU saved a device state of an unknown format",
                "use a version of QEMU that this release names as supported");
  }
  Bytes stream;
  stream.reserve(saved.size() + machine.size() + 5);
  Writer writer(stream);
  writer.raw(saved.first(header_bytes));
  writer.u8(section_configuration);
  writer.be32(static_cast<std::uint32_t>(machine.size()));
  writer.text(machine);
  writer.raw(saved.subspan(header_bytes));
  return stream;
}

void ask_for_fresh_acpi_tables(Bytes& stream) {
  // A section: kind, id, name behind its length, instance, version, data, footer kind and id. The
  // data of this one is a single byte: whether the tables were computed since the last reset.
  constexpr std::string_view name =
      "\x0a"
      "acpi_build";
  constexpr std::size_t before_name = 5;
  constexpr std::size_t data_at = name.size() + 8;
  const ByteView all = stream;
  // The guest stands still meanwhile: find() of text runs at memchr's speed.
  const std::string_view text(reinterpret_cast<const char*>(stream.data()), stream.size());
  for (std::size_t index = text.find(name); index != std::string_view::npos;
       index = text.find(name, index + 1)) {
    if (index < before_name || index + data_at + 6 > all.size()) continue;
    const bool whole =
        all[index - before_name] == std::byte{section_full} &&
        all[index + data_at + 1] == std::byte{section_footer} &&
        read_be32(all.subspan(index - 4)) == read_be32(all.subspan(index + data_at + 2));
    if (whole) stream[index + data_at] = std::byte{0};
  }
}

Result<Bytes> add_ram_blocks(ByteView state, const std::vector<LoadedBlock>& blocks) {
  const auto devices = end_of_configuration(state);
  if (!devices) return fail(devices.error());
  std::uint64_t total = 0;
  for (const LoadedBlock& block : blocks) {
    COLO_CHECK(block.content.size() % page_bytes == 0 && block.name.size() < 256);
    total += block.content.size();
  }
  Bytes stream;
  Writer writer(stream);
  writer.raw(state.first(*devices));
  if (total != 0) {
    writer.u8(section_full);
    writer.be32(ram_section_id);
    writer.short_text("ram");
    writer.be32(0);  // instance
    writer.be32(ram_section_version);
    writer.be64(total | ram_block_sizes);
    for (const LoadedBlock& block : blocks) {
      writer.short_text(block.name);
      writer.be64(block.content.size());
    }
    for (const LoadedBlock& block : blocks) write_block(writer, block);
    writer.be64(ram_end);
    writer.u8(section_footer);
    writer.be32(ram_section_id);
  }
  writer.raw(state.subspan(*devices));
  return stream;
}

}  // namespace colo::guest
