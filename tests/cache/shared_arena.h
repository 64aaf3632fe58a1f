// Shared memory as a store's arena: a child process may write it and be killed.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <memory>

#include "base/check.h"
#include "cache/store.h"

namespace colo::cache::testing {

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes)
      : bytes_(static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
               bytes) {
    COLO_CHECK(static_cast<void*>(bytes_.data()) != MAP_FAILED);
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { ::munmap(bytes_.data(), bytes_.size()); }
  [[nodiscard]] MutableBytes bytes() const { return bytes_; }

 private:
  MutableBytes bytes_;
};

// Backed from the start; `budget` bytes of new demands are granted before it is full.
class TestArena final : public Arena {
 public:
  explicit TestArena(std::shared_ptr<SharedMemory> memory, std::size_t budget = ~std::size_t{0})
      : memory_(std::move(memory)), budget_(budget) {}
  MutableBytes bytes() override { return memory_->bytes(); }
  Result<void> back(std::size_t first, std::size_t bytes) override {
    COLO_CHECK(first % page_bytes == 0 && first + bytes <= memory_->bytes().size());
    if (bytes > budget_) return fail("store-full", "asked by the test");
    budget_ -= bytes;
    return {};
  }

 private:
  std::shared_ptr<SharedMemory> memory_;
  std::size_t budget_;
};

}  // namespace colo::cache::testing
