#include "demo/judge.h"

#include <array>
#include <cstdio>
#include <utility>

#include "demo/ledger/digest.h"

namespace colo::demo {
namespace {

std::string mark(std::uint64_t count, std::uint64_t digest) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%llu with digest %016llx",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(digest));
  return text.data();
}

}  // namespace

Judge::Judge(std::string tag) : tag_(std::move(tag)), digests_{empty_digest} {}

std::string Judge::next_entry() {
  std::string entry = tag_ + " entry " + std::to_string(sent() + 1);
  digests_.push_back(next_digest(digests_.back(), entry));
  return entry;
}

void Judge::hear(const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::added:
      return hear_added(reply);
    case Reply::Kind::whole:
      return hear_whole(reply);
    case Reply::Kind::refused:
      if (outstanding() > 0) answered_ += 1;
      return count_wrong("the guest says: " + reply.text);
  }
}

void Judge::hear_added(const Reply& reply) {
  if (outstanding() == 0) {
    return count_wrong("entry " + mark(reply.count, reply.digest) +
                       " acknowledged, though no reply was due");
  }
  answered_ += 1;
  const std::uint64_t expected = digests_[answered_];
  if (reply.count != answered_ || reply.digest != expected) {
    return count_wrong("entry " + mark(answered_, expected) + " was acknowledged as " +
                       mark(reply.count, reply.digest));
  }
  acknowledged_ += 1;
  highest_ = answered_;
}

void Judge::hear_whole(const Reply& reply) {
  whole_fits_ = false;
  if (reply.count < highest_) lost_ = highest_ - reply.count;
  if (reply.count > sent()) {
    return count_wrong("the guest has " + mark(reply.count, reply.digest) + ", but only " +
                       std::to_string(sent()) + " entries were sent");
  }
  if (reply.digest != digests_[reply.count]) {
    return count_wrong("the guest has " + mark(reply.count, reply.digest) + ", not " +
                       mark(reply.count, digests_[reply.count]));
  }
  whole_fits_ = reply.count >= highest_;
}

void Judge::count_wrong(std::string what) {
  wrong_ += 1;
  if (trouble_.empty()) trouble_ = std::move(what);
}

}  // namespace colo::demo
