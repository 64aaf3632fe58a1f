// The judge of a conversation with the ledger: what was said, what was acknowledged, and whether
// the guest still has it. It believes nothing but its own list.
//
// Errors: none; whatever does not fit is counted.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace colo::demo {

struct Reply {
  enum class Kind { added, whole, refused };
  Kind kind = Kind::refused;
  std::uint64_t count = 0;   // added: the entry's sequence number; whole: all entries
  std::uint64_t digest = 0;  // chained up to there
  std::string text = {};     // refused: what the guest says
};

class Judge {
 public:
  // `tag` makes the entries of one conversation its own.
  explicit Judge(std::string tag);

  // The next entry; from now on its acknowledgement is awaited. Replies come in the order of the
  // entries.
  [[nodiscard]] std::string next_entry();
  [[nodiscard]] std::uint64_t outstanding() const { return sent() - answered_; }

  void hear(const Reply& reply);

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t wrong() const { return wrong_; }
  // The guest told its whole digest at least once, and it fitted the last time.
  [[nodiscard]] bool whole_fits() const { return whole_fits_; }
  // The first thing that did not fit, in words; empty when there was none.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  [[nodiscard]] std::uint64_t sent() const { return digests_.size() - 1; }
  void hear_added(const Reply& reply);
  void hear_whole(const Reply& reply);
  void count_wrong(std::string what);

  std::string tag_;
  std::vector<std::uint64_t> digests_;  // [n]: the digest behind n entries
  std::uint64_t answered_ = 0;          // replies to entries, whatever they said
  std::uint64_t acknowledged_ = 0;      // replies that fitted
  std::uint64_t highest_ = 0;           // acknowledged sequence number
  std::uint64_t lost_ = 0;
  std::uint64_t wrong_ = 0;
  bool whole_fits_ = false;
  std::string trouble_;
};

}  // namespace colo::demo
