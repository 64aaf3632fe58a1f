// A primary's pipeline wired to a secondary's without a network: guest -> Capturer -> frames ->
// Stager -> cache -> a standby's memory.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <memory>
#include <thread>

#include "cache/cache.h"
#include "guest/embedded/maker.h"
#include "primary/capture.h"
#include "secondary/guest_memory.h"
#include "secondary/stager.h"
#include "wire/decoder.h"

namespace colo::pipeline {

inline guest::GuestConfig small_guest() {
  guest::GuestConfig config;
  config.name = "test";
  config.kind = "embedded";
  config.embedded = {2ULL << 20, 20000};
  config.nics.push_back({"net0"});
  return config;
}

// A guest that fails on demand; everything else is the embedded guest's.
class FaultyGuest : public guest::Guest {
 public:
  explicit FaultyGuest(std::unique_ptr<guest::Guest> inner) : inner_(std::move(inner)) {}

  bool pause_fails = false;
  bool save_fails = false;
  bool scan_fails = false;
  int resumes_failing = 0;
  bool paused = false;

  const guest::Identity& identity() const override { return inner_->identity(); }
  // Not mapped, so that read_pages() is used and a copy of a running guest is a clean read.
  MutableBytes mapping(RegionIndex) override { return {}; }
  Result<void> pause() override {
    if (pause_fails) return fail("pause-failed", "asked by the test");
    paused = true;
    return inner_->pause();
  }
  Result<std::optional<guest::Standstill>> resume() override {
    if (resumes_failing > 0) {
      --resumes_failing;
      return fail("stuck", "asked by the test");
    }
    if (!paused) return std::optional<guest::Standstill>();
    paused = false;
    return inner_->resume();
  }
  Result<void> start_tracking() override { return inner_->start_tracking(); }
  Result<void> scan(guest::DirtyPages& dirty) override {
    if (scan_fails) return fail("scan-failed", "asked by the test");
    return inner_->scan(dirty);
  }
  Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                          MutableBytes out) override {
    return inner_->read_pages(region, pages, out);
  }
  Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) override {
    return inner_->write_page(region, page, bytes);
  }
  Result<Bytes> save_device_state() override {
    if (save_fails) return fail("save-failed", "asked by the test");
    return inner_->save_device_state();
  }
  Result<void> load_device_state(ByteView state) override {
    return inner_->load_device_state(state);
  }
  Result<void> announce() override { return inner_->announce(); }
  std::span<const guest::PacketPort> ports() const override { return inner_->ports(); }
  int end_fd() const override { return inner_->end_fd(); }
  guest::End end() override { return inner_->end(); }

 private:
  std::unique_ptr<guest::Guest> inner_;
};

// Keeps frames in order until the test delivers them.
class Wire final : public primary::FrameSink {
 public:
  Result<void> push(Bytes frame) override {
    if (broken) return fail("lane-ended", "asked by the test");
    frames.push_back(std::move(frame));
    return {};
  }
  std::deque<Bytes> frames;
  bool broken = false;
};

inline std::vector<Bytes> memory_of(guest::Guest& guest) {
  std::vector<Bytes> regions;
  const MemoryLayout& layout = guest.identity().layout;
  for (RegionIndex region = 0; region < layout.size(); ++region) {
    std::vector<PageIndex> pages(layout[region].pages);
    for (PageIndex page = 0; page < pages.size(); ++page) pages[page] = page;
    Bytes bytes(pages.size() * page_bytes);
    EXPECT_TRUE(guest.read_pages(region, pages, bytes).has_value());
    regions.push_back(std::move(bytes));
  }
  return regions;
}

class Pipeline : public ::testing::Test {
 protected:
  void SetUp() override {
    auto booted = source_maker->boot();
    ASSERT_TRUE(booted) << booted.error().text();
    guest = std::make_unique<FaultyGuest>(std::move(*booted));
    guest->paused = true;
    ASSERT_TRUE(guest->resume());
    auto made = target_maker->standby();
    ASSERT_TRUE(made) << made.error().text();
    standby = std::move(*made);
    memory.set(standby);
    lineage = std::make_unique<primary::Lineage>(guest->identity().layout);
    join();
  }

  // A new session: a new Capturer, Stager and cache on the same two guests.
  void join() {
    const MemoryLayout& layout = guest->identity().layout;
    std::vector<bool> mirrored;
    for (const RegionLayout& region : layout) mirrored.push_back(!region.mapped);
    cache = std::make_unique<cache::Cache>(layout, mirrored, cache::CacheLimits{});
    cache->write_through(&memory);
    stager = std::make_unique<secondary::Stager>(*cache, layout, generation);
    wire.frames.clear();
    decoder = wire::FrameDecoder();
    primary::CaptureOptions options;
    options.pause_max = pause_max;
    options.now = [this] { return now += tick; };
    capturer = std::make_unique<primary::Capturer>(*guest, *lineage, wire, generation, options);
  }

  // Delivers what was sent; commits as the core would. The last error, if any.
  std::optional<Error> deliver() {
    while (!wire.frames.empty()) {
      decoder.feed(wire.frames.front());
      wire.frames.pop_front();
      const auto frame = decoder.next();
      if (!frame) return frame.error();
      if (!*frame) continue;
      const auto complete = stager->take(**frame);
      if (!complete) return complete.error();
      if (*complete) {
        if (auto committed = cache->commit(**complete); !committed) return committed.error();
      }
    }
    return std::nullopt;
  }

  // One checkpoint, and the guest's memory as it was in its standstill.
  Result<primary::CheckpointFigures> checkpoint(Epoch epoch) {
    return capturer->capture(epoch, [this] {
      ++cuts;
      EXPECT_TRUE(guest->paused) << "cut while the guest ran";
      at_cut = memory_of(*guest);
    });
  }

  // The guest's own workers write all the time; this waits until they have.
  void wait_for_writes() {
    const auto before = memory_of(*guest);
    while (memory_of(*guest) == before) std::this_thread::yield();
  }

  void expect_standby_equals_cut() {
    const auto flushed = cache->flush(memory);
    ASSERT_TRUE(flushed) << flushed.error().text();
    EXPECT_TRUE(memory_of(*standby) == at_cut) << "the flushed memory is not the checkpoint's";
  }

  const Generation generation{3};
  Duration pause_max = std::chrono::seconds(2);
  Duration tick{};
  Instant now{};
  std::unique_ptr<guest::GuestMaker> source_maker = guest::make_embedded_maker(small_guest());
  std::unique_ptr<guest::GuestMaker> target_maker = guest::make_embedded_maker(small_guest());
  std::unique_ptr<FaultyGuest> guest;
  std::shared_ptr<guest::Guest> standby;
  secondary::GuestMemory memory;
  std::unique_ptr<primary::Lineage> lineage;
  Wire wire;
  wire::FrameDecoder decoder;
  std::unique_ptr<primary::Capturer> capturer;
  std::unique_ptr<cache::Cache> cache;
  std::unique_ptr<secondary::Stager> stager;
  std::vector<Bytes> at_cut;
  int cuts = 0;
};

}  // namespace colo::pipeline
