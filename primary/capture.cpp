#include "primary/capture.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "wire/header.h"

namespace colo::primary {

namespace {

constexpr std::array<std::byte, page_bytes> zeros{};
constexpr std::uint32_t batch_pages = wire::batch_data_pages_max;

std::uint64_t body_checksum(const Bytes& frame) {
  const auto header = wire::decode_header(ByteView(frame).first<wire::header_bytes>());
  COLO_CHECK(header.has_value());  // we made it
  return header->body_checksum;
}

}  // namespace

Capturer::Capturer(guest::Guest& guest, Lineage& lineage, FrameSink& sink, Generation generation,
                   CaptureOptions options)
    : guest_(guest),
      lineage_(lineage),
      sink_(sink),
      generation_(generation),
      options_(std::move(options)),
      scratch_(batch_pages * page_bytes) {}

Result<void> Capturer::join() {
  const std::optional<Base>& base = options_.base;
  if (base && (base->epoch > Epoch{} || lineage_.is(base->token))) return lineage_.resume(*base);
  // What a secondary without a checkpoint holds of an attempt that we cannot resume is sent again.
  lineage_.spoil();
  if (auto started = guest_.start_tracking(); !started) return started;
  return base ? lineage_.begin(base->token, base->pages) : lineage_.begin(options_.token);
}

Result<void> Capturer::scan() {
  if (!lineage_.sound()) {
    return fail("tracking-lost", "what the guest wrote is not known for certain",
                "none needed: the next session copies the whole memory");
  }
  auto scanned = guest_.scan(lineage_.pending());
  // What it had protected again before it failed may be in no bitmap.
  if (!scanned) lineage_.spoil();
  return scanned;
}

Result<PassFigures> Capturer::pass(Epoch epoch, bool first) {
  if (first) {
    if (auto joined = join(); !joined) return fail(joined.error());
  }
  lineage_.open(epoch);
  if (auto scanned = scan(); !scanned) return fail(scanned.error());
  const std::uint64_t bytes_before = epoch_bytes_;
  const auto pages =
      drain(epoch, first, [this](Bytes frame) { return sink_.push(std::move(frame)); });
  if (!pages) return fail(pages.error());
  return PassFigures{*pages, epoch_bytes_ - bytes_before};
}

Result<std::uint64_t> Capturer::drain(Epoch epoch, bool seek_untouched, const Emit& emit) {
  std::uint64_t pages = 0;
  for (RegionIndex region = 0; region < lineage_.pending().size(); ++region) {
    const auto drained = drain_region(region, epoch, seek_untouched, emit);
    if (!drained) return fail(drained.error());
    pages += *drained;
  }
  return pages;
}

Result<std::uint64_t> Capturer::drain_region(RegionIndex region, Epoch epoch, bool seek_untouched,
                                             const Emit& emit) {
  const Bitmap& pending = lineage_.pending()[region];
  std::vector<PageIndex> all;
  all.reserve(pending.count());
  pending.for_each([&](PageIndex page) { all.push_back(page); });

  wire::PagesFrame frame(region);
  const MutableBytes mapped = guest_.mapping(region);
  // Read through our mapping, such a page would get memory of its own for good. Asked after the
  // scan: what is written since is in the next one.
  Bitmap untouched(pending.size());
  if (seek_untouched && !mapped.empty() && all.size() > pending.size() / 8) {
    untouched = guest_.untouched(region);
  }
  for (std::size_t at = 0; at < all.size(); at += batch_pages) {
    const auto batch =
        std::span(all).subspan(at, std::min<std::size_t>(batch_pages, all.size() - at));
    if (mapped.empty()) {
      const auto out = MutableBytes(scratch_).first(batch.size() * page_bytes);
      if (auto read = guest_.read_pages(region, batch, out); !read) {
        // What is in the frame already is pending no more: it goes out before the error does.
        if (!frame.empty()) {
          if (auto sent = finish_frame(frame, epoch, emit); !sent) return fail(sent.error());
        }
        return fail(read.error());
      }
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const ByteView page = mapped.empty() ? ByteView(scratch_).subspan(i * page_bytes, page_bytes)
                            : untouched.test(batch[i])
                                ? ByteView(zeros)
                                : ByteView(mapped).subspan(batch[i] * page_bytes, page_bytes);
      frame.add_page(batch[i], page);
      lineage_.sent({region, batch[i]});
      if (!frame.full()) continue;
      if (auto sent = finish_frame(frame, epoch, emit); !sent) return fail(sent.error());
    }
  }
  if (!frame.empty()) {
    if (auto sent = finish_frame(frame, epoch, emit); !sent) return fail(sent.error());
  }
  return all.size();
}

Result<void> Capturer::finish_frame(wire::PagesFrame& frame, Epoch epoch, const Emit& emit) {
  const std::uint64_t pages = frame.data_pages() + frame.zero_pages();
  totals_.pages += pages;
  totals_.zero_pages += frame.zero_pages();
  Bytes bytes = frame.finish(number(epoch));
  digest_.add(body_checksum(bytes));
  epoch_bytes_ += bytes.size();
  if (options_.progress) options_.progress(pages);
  return emit(std::move(bytes));
}

Result<std::vector<Bytes>> Capturer::copy_residual(Epoch epoch, CheckpointFigures& figures) {
  const Instant until = options_.now() + options_.pause_max;
  std::vector<Bytes> frames;
  const auto copy = [&](Bytes frame) -> Result<void> {
    // The frame is numbered and counted: it is kept even when the checkpoint is given up.
    frames.push_back(std::move(frame));
    if (options_.now() < until) return {};
    return fail("pause-too-long",
                "copying the pages of checkpoint " + std::to_string(epoch.value) +
                    " took longer than limits.pause_max",
                "raise limits.pause_max, or lower the delay so that less is dirty");
  };
  const auto pages =
      scan().and_then([&]() -> Result<std::uint64_t> { return drain(epoch, false, copy); });
  if (!pages) {
    const Error why = pages.error();
    if (auto runs = let_run(figures); !runs) return fail(runs.error());
    // What was copied goes out as if it had been sent ahead; the epoch stays open.
    for (Bytes& frame : frames) {
      if (auto pushed = sink_.push(std::move(frame)); !pushed) return fail(pushed.error());
    }
    return fail(why);
  }
  figures.residual = *pages;
  return frames;
}

Result<void> Capturer::let_run(CheckpointFigures& figures) {
  auto resumed = guest_.resume();
  // Once more: a guest that stands still is the worst of all outcomes.
  if (!resumed) resumed = guest_.resume();
  if (!resumed) return fail("resume-failed", resumed.error().text(), resumed.error().remedy);
  figures.standstill = *resumed;
  return {};
}

Result<CheckpointFigures> Capturer::capture(Epoch epoch, const std::function<void()>& cut,
                                            After after) {
  CheckpointFigures figures;
  lineage_.open(epoch);
  if (auto paused = guest_.pause(); !paused) {
    const Error why = paused.error();
    if (auto runs = let_run(figures); !runs) return fail(runs.error());
    return fail(why);
  }
  auto frames = copy_residual(epoch, figures);
  if (!frames) return fail(frames.error());
  auto device_state = guest_.save_device_state();
  if (device_state) cut();
  const bool stays = after == After::stays && device_state;
  if (!stays) {
    if (auto runs = let_run(figures); !runs) return fail(runs.error());
  }
  if (!device_state) {
    const Error why = device_state.error();
    for (Bytes& frame : *frames) {
      if (auto pushed = sink_.push(std::move(frame)); !pushed) return fail(pushed.error());
    }
    return fail(why);
  }
  if (options_.standstill_ended) options_.standstill_ended(epoch);
  if (auto sent = send_rest(epoch, std::move(*frames), *device_state, figures); !sent) {
    const Error why = sent.error();
    if (stays) {
      if (auto runs = let_run(figures); !runs) return fail(runs.error());
    }
    return fail(why);
  }
  return figures;
}

Result<void> Capturer::send_rest(Epoch epoch, std::vector<Bytes> frames, const Bytes& device_state,
                                 CheckpointFigures& figures) {
  for (Bytes& frame : frames) {
    if (auto pushed = sink_.push(std::move(frame)); !pushed) return pushed;
  }
  const wire::DeviceState announced{device_state.size(), wire::hash128(device_state)};
  if (auto pushed = sink_.push(wire::encode(announced, number(epoch))); !pushed) return pushed;
  for (std::size_t at = 0; at < device_state.size(); at += wire::device_chunk_bytes) {
    const auto chunk =
        ByteView(device_state)
            .subspan(at, std::min(wire::device_chunk_bytes, device_state.size() - at));
    if (auto pushed = sink_.push(wire::encode_device_chunk(chunk, number(epoch))); !pushed) {
      return pushed;
    }
  }
  totals_.digest = digest_.value();
  totals_.device_bytes = device_state.size();
  if (auto pushed = sink_.push(wire::encode(totals_, number(epoch))); !pushed) return pushed;
  lineage_.captured();
  figures.pages = totals_.pages;
  figures.bytes = epoch_bytes_ + device_state.size();
  figures.device_bytes = device_state.size();
  totals_ = {};
  digest_ = {};
  epoch_bytes_ = 0;
  return {};
}

}  // namespace colo::primary
