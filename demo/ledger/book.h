// The entries of the ledger, in the order in which they were added.
//
// Threads: safe from any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace colo::demo {

struct BookMark {
  std::uint64_t count = 0;   // entries so far; the sequence number of the last one
  std::uint64_t digest = 0;  // chained over all of them
};

class Book {
 public:
  // The mark right behind the new entry.
  BookMark add(std::string entry);
  // Computed anew from every entry in memory, so that it sees what the memory really holds.
  [[nodiscard]] BookMark whole() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> entries_;
  BookMark mark_;
};

// Those of the guest: of long conversations, and of visitors that come for one entry each. Apart,
// so that each has an order of entries that nobody else's timing changes.
struct Books {
  Book ledger, visitors;
};

}  // namespace colo::demo
