// What keeping the committed checkpoint in shared memory costs: checkpoints through a cache without
// and with a store, same pages, in turns. Prints times and their ratio.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "cache/cache.h"

namespace {

using namespace colo;

constexpr std::uint64_t guest_pages = 1U << 18;  // 1 GiB
constexpr std::uint64_t video_pages = 4096;      // lives in the guest's process: mirrored
constexpr std::uint64_t checkpoints = 200;

class BenchArena final : public cache::Arena {
 public:
  explicit BenchArena(std::size_t bytes)
      : bytes_(static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
               bytes) {
    COLO_CHECK(static_cast<void*>(bytes_.data()) != MAP_FAILED);
  }
  ~BenchArena() override { ::munmap(bytes_.data(), bytes_.size()); }
  MutableBytes bytes() override { return bytes_; }
  Result<void> back(std::size_t, std::size_t) override { return {}; }

 private:
  MutableBytes bytes_;
};

class Memory final : public cache::FlushTarget {
 public:
  Memory() : bytes_((guest_pages + video_pages) * page_bytes) {}
  Result<void> write_page(PageId page, ByteView bytes) override {
    const std::uint64_t at = page.region == 0 ? page.page : guest_pages + page.page;
    std::memcpy(bytes_.data() + at * page_bytes, bytes.data(), page_bytes);
    return {};
  }

 private:
  Bytes bytes_;
};

struct Times {
  std::vector<double> stage, commit, flush;  // us
};

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void take(cache::Cache& cache, Memory& memory, Epoch epoch, std::uint64_t dirty, Times& times) {
  Bytes page(page_bytes, static_cast<std::byte>(epoch.value | 1));
  auto start = std::chrono::steady_clock::now();
  const std::uint64_t video = epoch == Epoch{1} ? video_pages : 0;
  for (PageIndex i = 0; i < video; ++i) COLO_CHECK(cache.put_page(epoch, {1, i}, page).has_value());
  for (std::uint64_t i = 0; i < dirty; ++i) {
    const PageIndex at = (epoch.value * 7919 + i * 61) % guest_pages;
    COLO_CHECK(cache.put_page(epoch, {0, at}, page).has_value());
  }
  COLO_CHECK(cache.put_device_state(epoch, Bytes(80U << 10)).has_value());
  times.stage.push_back(since(start));
  start = std::chrono::steady_clock::now();
  COLO_CHECK(cache.commit(epoch).has_value());
  times.commit.push_back(since(start));
  start = std::chrono::steady_clock::now();
  COLO_CHECK(cache.flush(memory).has_value());
  times.flush.push_back(since(start));
}

void compare(std::uint64_t dirty) {
  const MemoryLayout layout{{"ram", guest_pages, true}, {"video", video_pages, false}};
  const cache::CacheLimits limits{1U << 17};
  auto store = cache::Store::create(
      std::make_unique<BenchArena>(cache::Store::arena_bytes(layout, limits.staged_pages)), layout);
  COLO_CHECK(store.has_value());
  cache::Cache plain(layout, {false, true}, limits);
  cache::Cache kept(layout, {false, true}, limits, std::move(*store));
  Memory memory;
  Times without, with;
  for (std::uint64_t n = 1; n <= checkpoints; ++n) {
    take(plain, memory, Epoch{n}, dirty, without);
    take(kept, memory, Epoch{n}, dirty, with);
  }
  COLO_CHECK(!kept.store_trouble());
  const auto line = [](const char* what, const std::vector<double>& a,
                       const std::vector<double>& b) {
    std::printf("  %-7s %9.1f us without, %9.1f us with, ratio %.2f\n", what, median(a), median(b),
                median(b) / median(a));
  };
  std::printf("%llu dirty pages, %llu mirrored, 80 KiB of device state, median of %llu:\n",
              static_cast<unsigned long long>(dirty), static_cast<unsigned long long>(video_pages),
              static_cast<unsigned long long>(checkpoints));
  line("stage", without.stage, with.stage);
  line("commit", without.commit, with.commit);
  line("flush", without.flush, with.flush);
}

}  // namespace

int main() {
  for (const std::uint64_t dirty : {100, 2000, 20000}) compare(dirty);
}
