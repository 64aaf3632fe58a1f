#include "demo/ledger/book.h"

#include <utility>

#include "demo/ledger/digest.h"

namespace colo::demo {

BookMark Book::add(std::string entry) {
  const std::scoped_lock lock(mutex_);
  mark_.digest = next_digest(mark_.digest, entry);
  mark_.count += 1;
  entries_.push_back(std::move(entry));
  return mark_;
}

BookMark Book::whole() const {
  const std::scoped_lock lock(mutex_);
  BookMark mark{entries_.size(), empty_digest};
  for (const std::string& entry : entries_) mark.digest = next_digest(mark.digest, entry);
  return mark;
}

}  // namespace colo::demo
