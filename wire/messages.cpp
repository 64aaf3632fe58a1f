#include "wire/messages.h"

#include <algorithm>

#include "base/check.h"
#include "wire/codec.h"
#include "wire/decoder.h"

namespace colo::wire {

namespace {

// The largest hello: seven texts, the layout and what is held at their limits. A welcome is
// smaller.
constexpr std::size_t range_bytes = 2 + 8 + 8;
constexpr std::size_t held_bytes_max =
    1 + (2 + text_bytes_max) + sizeof(Token) + 8 + 8 + 2 + held_ranges_max * range_bytes;
constexpr std::size_t hello_bytes_max = 6 * (2 + text_bytes_max) + 2 +
                                        regions_max * (2 + region_name_bytes_max + 9) +
                                        sizeof(std::uint64_t) + held_bytes_max;
static_assert(hello_bytes_max <= control_body_bytes_max, "a hello fits a control frame");
static_assert(regions_max <= 0xffff && held_ranges_max <= 0xffff, "their numbers fit a u16");

void write_agreement(ByteWriter& out, const Agreement& agreement) {
  COLO_CHECK(agreement.layout.size() <= regions_max);
  out.text(agreement.guest_name, text_bytes_max);
  out.text(agreement.machine, text_bytes_max);
  out.text(agreement.guest_version, text_bytes_max);
  out.text(agreement.accelerator, text_bytes_max);
  out.integer(agreement.config_hash);
  out.integer(static_cast<std::uint16_t>(agreement.layout.size()));
  for (const RegionLayout& region : agreement.layout) {
    COLO_CHECK(region.pages <= region_pages_max);
    out.text(region.name, region_name_bytes_max);
    out.integer(region.pages);
    out.flag(region.mapped);
  }
}

Agreement read_agreement(ByteReader& in) {
  Agreement agreement;
  agreement.guest_name = in.text("guest name", text_bytes_max);
  agreement.machine = in.text("machine type", text_bytes_max);
  agreement.guest_version = in.text("guest version", text_bytes_max);
  agreement.accelerator = in.text("accelerator", text_bytes_max);
  agreement.config_hash = in.integer<std::uint64_t>("configuration hash");
  const auto regions = in.integer<std::uint16_t>("region count");
  if (regions > regions_max) {
    in.refuse("region count", std::to_string(regions) + ", at most " + std::to_string(regions_max));
  }
  // Grown region by region as their bytes are found, never from the count alone.
  for (std::size_t i = 0; i < regions && in.good(); ++i) {
    RegionLayout region;
    region.name = in.text("region name", region_name_bytes_max);
    region.pages = in.number("region pages", region_pages_max);
    region.mapped = in.flag("region mapped");
    agreement.layout.push_back(std::move(region));
  }
  return agreement;
}

void write_held(ByteWriter& out, const std::optional<Held>& held) {
  out.flag(held.has_value());
  if (!held) return;
  out.text(held->primary_run, text_bytes_max);
  out.raw(held->lineage);
  out.integer(held->generation.value);
  out.integer(held->epoch.value);
  COLO_CHECK(held->pages.empty() || held->epoch == Epoch{0});
  const std::size_t ranges = std::min(held->pages.size(), held_ranges_max);
  out.integer(static_cast<std::uint16_t>(ranges));
  for (std::size_t i = 0; i < ranges; ++i) {
    const PageRange& range = held->pages[i];
    out.integer(static_cast<std::uint16_t>(range.region));
    out.integer(range.first);
    out.integer(range.count);
  }
}

// Ranges of the layout, in ascending order and apart, so that whoever walks them meets no page
// twice.
PageRange read_range(ByteReader& in, const MemoryLayout& layout, const Held& held) {
  PageRange range;
  range.region = in.integer<std::uint16_t>("held region");
  range.first = in.number("first held page", region_pages_max);
  range.count = in.number("held pages", region_pages_max);
  if (!in.good()) return range;
  if (range.region >= layout.size()) {
    in.refuse("held region", std::to_string(range.region) + " is none of the layout");
  } else if (range.count == 0 || range.first + range.count > layout[range.region].pages) {
    in.refuse("held pages", std::to_string(range.count) + " from " + std::to_string(range.first) +
                                " are none of region " + std::to_string(range.region));
  } else if (!held.pages.empty()) {
    const PageRange& last = held.pages.back();
    const bool after = range.region > last.region ||
                       (range.region == last.region && range.first >= last.first + last.count);
    if (!after) in.refuse("held pages", "not in ascending order");
  }
  return range;
}

std::optional<Held> read_held(ByteReader& in, const MemoryLayout& layout) {
  if (!in.flag("holds")) return std::nullopt;
  Held held;
  held.primary_run = in.text("held run", text_bytes_max);
  held.lineage = in.array<sizeof(Token)>("lineage");
  held.generation = Generation{in.integer<std::uint64_t>("held generation")};
  held.epoch = Epoch{in.integer<std::uint64_t>("held epoch")};
  const auto ranges = in.integer<std::uint16_t>("range count");
  const std::size_t most = held.epoch == Epoch{0} ? held_ranges_max : 0;
  if (ranges > most) {
    in.refuse("range count", std::to_string(ranges) + ", at most " + std::to_string(most));
  }
  for (std::size_t i = 0; i < ranges && in.good(); ++i) {
    held.pages.push_back(read_range(in, layout, held));
  }
  return held;
}

}  // namespace

Bytes encode(const Hello& hello, FrameNumbers numbers) {
  return frame_of(Kind::hello, numbers, [&](ByteWriter& out) {
    out.text(hello.host, text_bytes_max);
    out.text(hello.run, text_bytes_max);
    write_agreement(out, hello.agreement);
    write_held(out, hello.held);
  });
}

Result<Hello> decode_hello(ByteView body) {
  return message_of<Hello>(Kind::hello, body, [](ByteReader& in, Hello& hello) {
    hello.host = in.text("host", text_bytes_max);
    hello.run = in.text("run", text_bytes_max);
    hello.agreement = read_agreement(in);
    hello.held = read_held(in, hello.agreement.layout);
  });
}

Bytes encode(const Welcome& welcome, FrameNumbers numbers) {
  return frame_of(Kind::welcome, numbers, [&](ByteWriter& out) {
    out.text(welcome.host, text_bytes_max);
    out.text(welcome.run, text_bytes_max);
    out.raw(welcome.session);
    write_agreement(out, welcome.agreement);
    out.flag(welcome.resumes);
  });
}

Result<Welcome> decode_welcome(ByteView body) {
  return message_of<Welcome>(Kind::welcome, body, [](ByteReader& in, Welcome& welcome) {
    welcome.host = in.text("host", text_bytes_max);
    welcome.run = in.text("run", text_bytes_max);
    welcome.session = in.array<sizeof(Token)>("session");
    welcome.agreement = read_agreement(in);
    welcome.resumes = in.flag("resumes");
  });
}

Bytes encode(const Refuse& refuse, FrameNumbers numbers) {
  return error_frame(Kind::refuse, refuse.error, numbers);
}

Result<Refuse> decode_refuse(ByteView body) { return error_message<Refuse>(Kind::refuse, body); }

Bytes encode(const Committed&, FrameNumbers numbers) {
  return bare_frame(Kind::committed, numbers);
}

Result<Committed> decode_committed(ByteView body) {
  return bare_message<Committed>(Kind::committed, body);
}

Bytes encode(const Goodbye& goodbye, FrameNumbers numbers) {
  return frame_of(Kind::goodbye, numbers, [&](ByteWriter& out) {
    out.text(goodbye.reason, text_bytes_max);
    out.flag(goodbye.guest_ends);
  });
}

Result<Goodbye> decode_goodbye(ByteView body) {
  return message_of<Goodbye>(Kind::goodbye, body, [](ByteReader& in, Goodbye& goodbye) {
    goodbye.reason = in.text("reason", text_bytes_max);
    goodbye.guest_ends = in.flag("guest ends");
  });
}

Bytes encode(const GuestEnded& ended, FrameNumbers numbers) {
  return frame_of(Kind::guest_ended, numbers, [&](ByteWriter& out) {
    out.text(ended.reason, text_bytes_max);
    out.flag(ended.by_guest);
  });
}

Result<GuestEnded> decode_guest_ended(ByteView body) {
  return message_of<GuestEnded>(Kind::guest_ended, body, [](ByteReader& in, GuestEnded& ended) {
    ended.reason = in.text("reason", text_bytes_max);
    ended.by_guest = in.flag("by guest");
  });
}

Bytes encode(const Alive& alive, FrameNumbers numbers) {
  COLO_CHECK(alive.guest != GuestHere::runs || alive.generation > Generation{});
  return frame_of(Kind::alive, numbers, [&](ByteWriter& out) {
    out.integer(alive.count);
    out.integer(alive.generation.value);
    out.integer(static_cast<std::uint8_t>(alive.guest));
  });
}

Result<Alive> decode_alive(ByteView body) {
  return message_of<Alive>(Kind::alive, body, [](ByteReader& in, Alive& alive) {
    alive.count = in.integer<std::uint64_t>("count");
    alive.generation = {in.integer<std::uint64_t>("generation")};
    const auto guest = in.integer<std::uint8_t>("guest");
    if (guest > static_cast<std::uint8_t>(GuestHere::paused)) {
      in.refuse("guest", std::to_string(guest) + " says nothing");
      return;
    }
    alive.guest = static_cast<GuestHere>(guest);
    if (alive.guest == GuestHere::runs && alive.generation == Generation{}) {
      in.refuse("guest", "nobody owns generation 0");
    }
  });
}

Bytes encode(const Handover&, FrameNumbers numbers) { return bare_frame(Kind::handover, numbers); }
Result<Handover> decode_handover(ByteView body) {
  return bare_message<Handover>(Kind::handover, body);
}

Bytes encode(const Loaded&, FrameNumbers numbers) { return bare_frame(Kind::loaded, numbers); }
Result<Loaded> decode_loaded(ByteView body) { return bare_message<Loaded>(Kind::loaded, body); }

Bytes encode(const LoadFailed& failed, FrameNumbers numbers) {
  return error_frame(Kind::load_failed, failed.error, numbers);
}
Result<LoadFailed> decode_load_failed(ByteView body) {
  return error_message<LoadFailed>(Kind::load_failed, body);
}

Bytes encode(const Go&, FrameNumbers numbers) { return bare_frame(Kind::go, numbers); }
Result<Go> decode_go(ByteView body) { return bare_message<Go>(Kind::go, body); }

Bytes encode(const Cancel& cancel, FrameNumbers numbers) {
  return frame_of(Kind::cancel, numbers,
                  [&](ByteWriter& out) { out.text(cancel.reason, text_bytes_max); });
}
Result<Cancel> decode_cancel(ByteView body) {
  return message_of<Cancel>(Kind::cancel, body, [](ByteReader& in, Cancel& cancel) {
    cancel.reason = in.text("reason", text_bytes_max);
  });
}

Bytes encode(const TookOver&, FrameNumbers numbers) { return bare_frame(Kind::took_over, numbers); }
Result<TookOver> decode_took_over(ByteView body) {
  return bare_message<TookOver>(Kind::took_over, body);
}

Bytes encode(const Progress& progress, FrameNumbers numbers) {
  return frame_of(Kind::progress, numbers, [&](ByteWriter& out) {
    out.integer(progress.sent_pages);
    out.integer(progress.remaining_pages);
  });
}

Result<Progress> decode_progress(ByteView body) {
  return message_of<Progress>(Kind::progress, body, [](ByteReader& in, Progress& progress) {
    progress.sent_pages = in.integer<std::uint64_t>("sent pages");
    progress.remaining_pages = in.integer<std::uint64_t>("remaining pages");
  });
}

Bytes encode(const Attach& attach, FrameNumbers numbers) {
  return frame_of(Kind::attach, numbers, [&](ByteWriter& out) { out.raw(attach.session); });
}

Result<Attach> decode_attach(ByteView body) {
  return message_of<Attach>(Kind::attach, body, [](ByteReader& in, Attach& attach) {
    attach.session = in.array<sizeof(Token)>("session");
  });
}

Bytes encode(const DeviceState& state, FrameNumbers numbers) {
  return frame_of(Kind::device_state, numbers, [&](ByteWriter& out) {
    out.integer(state.bytes);
    out.raw(state.hash);
  });
}

Result<DeviceState> decode_device_state(ByteView body) {
  return message_of<DeviceState>(Kind::device_state, body, [](ByteReader& in, DeviceState& state) {
    state.bytes = in.integer<std::uint64_t>("bytes");
    state.hash = in.array<sizeof(Hash128)>("hash");
  });
}

Bytes encode(const Commit& commit, FrameNumbers numbers) {
  return frame_of(Kind::commit, numbers, [&](ByteWriter& out) {
    out.integer(commit.pages);
    out.integer(commit.zero_pages);
    out.integer(commit.digest);
    out.integer(commit.device_bytes);
  });
}

Result<Commit> decode_commit(ByteView body) {
  return message_of<Commit>(Kind::commit, body, [](ByteReader& in, Commit& commit) {
    commit.pages = in.integer<std::uint64_t>("pages");
    commit.zero_pages = in.number("zero pages", commit.pages);
    commit.digest = in.integer<std::uint64_t>("digest");
    commit.device_bytes = in.integer<std::uint64_t>("device bytes");
  });
}

Bytes encode_device_chunk(ByteView chunk, FrameNumbers numbers) {
  COLO_CHECK(!chunk.empty() && chunk.size() <= device_chunk_bytes);
  Bytes frame;
  frame.reserve(header_bytes + chunk.size());
  frame.resize(header_bytes);
  frame.insert(frame.end(), chunk.begin(), chunk.end());
  seal(frame, Kind::device_chunk, numbers);
  return frame;
}

}  // namespace colo::wire
