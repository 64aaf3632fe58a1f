// What a guest's pages are to a secondary that was sent some of them: the memory between two
// sessions, so that the next one sends only the difference.
//
// A lineage begins with a whole copy and is named by the token of the session that began it;
// sessions that resume it go on with its epochs. Every page is in one of three sets, or is known to
// be on the secondary as it is here (the guest's tracking, which survives a session, finds it when
// it is written again):
//   pending         found dirty, in no frame yet
//   unacknowledged  put into a frame of the epoch after the last acknowledged one. A page gets here
//                   in the same moment in which it leaves `pending`, whether or not its frame is
//                   ever pushed: a frame says nothing about what the secondary has
//   resent          of these, put into more than one frame: of a first copy that was cut off the
//                   secondary may hold any of the versions
//
// A secondary at epoch n lacks pending, and unacknowledged too if n is the acknowledged epoch.
// If it is the epoch that was captured since (its acknowledgement was lost), it has those.
//
// Ownership: belongs to whoever owns the guest, outlives every Capturer on it and is handed from
// one to the next. Threads: the guest's thread only.
// Errors: "no-such-base", "bad-held-pages"; after one the lineage is as it was before.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "guest/guest.h"
#include "wire/messages.h"

namespace colo::primary {

// What a secondary says it has. The core decided that it fits; the lineage checks it again.
struct Base {
  wire::Token token{};           // of the session that began the lineage
  Epoch epoch;                   // committed there; 0: a first copy that was cut off
  std::vector<PageRange> pages;  // epoch 0 only: what it holds of it
};

class Lineage {
 public:
  explicit Lineage(const MemoryLayout& layout);

  // A new lineage. REQUIRES: the next scan() finds every page dirty (start_tracking()).
  // `stale`: what a secondary holds of an attempt that this lineage knows nothing of.
  Result<void> begin(const wire::Token& token, const std::vector<PageRange>& stale = {});
  // Tracking may have lost a write: nothing can be resumed until the next begin().
  void spoil() { sound_ = false; }
  // False until begin().
  [[nodiscard]] bool sound() const { return sound_; }
  [[nodiscard]] bool is(const wire::Token& token) const { return sound_ && token == token_; }

  // Makes everything pending that a secondary with this base lacks. Open is base.epoch + 1 then,
  // also if that epoch was captured before: what the secondary had staged of it is gone.
  Result<void> resume(const Base& base);

  // A pass or a capture of this epoch begins. REQUIRES: the epoch after the acknowledged one, or
  // the one after the captured one, which says that that was acknowledged.
  void open(Epoch epoch);
  // The commit record of the open epoch was given to the lane: the secondary may complete it.
  void captured();

  [[nodiscard]] guest::DirtyPages& pending() { return pending_; }
  [[nodiscard]] std::uint64_t pending_pages() const;
  // The page is in a frame. REQUIRES: it was pending.
  void sent(PageId page);

 private:
  [[nodiscard]] Result<guest::DirtyPages> bitmaps_of(const std::vector<PageRange>& ranges) const;

  wire::Token token_{};
  bool sound_ = false;
  Epoch acknowledged_;
  Epoch captured_;  // acknowledged_, or the one after it
  guest::DirtyPages pending_;
  guest::DirtyPages unacknowledged_;
  guest::DirtyPages resent_;
};

}  // namespace colo::primary
