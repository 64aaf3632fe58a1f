// Takes checkpoints of a guest: running passes that send dirty pages ahead, then the standstill.
// The guest runs again before anything of the standstill is sent: neither the network nor the
// secondary is ever inside the pause (QEMU's own COLO keeps the guest stopped until the secondary
// has loaded).
//
// Ownership: guest, lineage and sink outlive the Capturer. One Capturer per session and bulk lane;
//   what it found dirty and what it sent is in the lineage, for the next session.
// Threads: the guest's thread only. Time: through the function it was given.
// Errors: those of the guest, the lineage and the sink; "pause-too-long"; "resume-failed": the
// guest
//   stands still and does not go on, it is of no further use; "tracking-lost": a scan failed, so
//   only a new whole copy can be trusted.
#pragma once

#include <functional>
#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "guest/guest.h"
#include "primary/lineage.h"
#include "wire/messages.h"
#include "wire/pages.h"

namespace colo::primary {

// Where finished frames go: the bulk lane.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // Waits while the lane is busy, as long as the lane itself allows.
  virtual Result<void> push(Bytes frame) = 0;
};

struct CaptureOptions {
  // Names the lineage that a whole copy begins.
  wire::Token token{};
  // The session resumes from here instead: its first pass sends the difference only.
  std::optional<Base> base;
  // Copying pages never keeps the guest stopped for longer than this (L6); stop, save and resume
  // have the guest's own time-outs.
  Duration pause_max = std::chrono::seconds(2);
  std::function<Instant()> now;
  // Called when the standstill of a checkpoint that succeeds is over.
  std::function<void(Epoch epoch)> standstill_ended;
  // Called with each finished frame's pages, for the progress of a first copy.
  std::function<void(std::uint64_t pages)> progress;
};

struct PassFigures {
  std::uint64_t pages = 0;
  std::uint64_t bytes = 0;
};

struct CheckpointFigures {
  std::uint64_t pages = 0;     // of the whole epoch, running passes included
  std::uint64_t residual = 0;  // of these, copied while the guest stood still
  std::uint64_t bytes = 0;     // of the whole epoch's frames
  std::uint64_t device_bytes = 0;
  std::optional<guest::Standstill> standstill;  // by the guest's own event times
};

// What the guest does behind a checkpoint: one that is to be handed over stays paused.
enum class After { runs, stays };

class Capturer {
 public:
  Capturer(guest::Guest& guest, Lineage& lineage, FrameSink& sink, Generation generation,
           CaptureOptions options);

  // `first`: of this session. It begins a lineage, where everything counts as dirty, or resumes the
  // last one from the options' base.
  Result<PassFigures> pass(Epoch epoch, bool first);

  // One whole checkpoint. `cut` is called once, at the end of the standstill, after everything
  // that can fail and right before the guest runs again. After::stays: the guest stays paused, but
  // where the checkpoint fails it runs again.
  Result<CheckpointFigures> capture(Epoch epoch, const std::function<void()>& cut,
                                    After after = After::runs);

  // What scan() still has to send; for progress. Units: pages.
  [[nodiscard]] std::uint64_t pending_pages() const { return lineage_.pending_pages(); }

 private:
  Result<void> join();
  Result<void> scan();
  // Turns every pending page into frames; `emit` takes each finished frame.
  using Emit = std::function<Result<void>(Bytes frame)>;
  // seek_untouched: most pages may never have been touched. Finding them takes time that grows with
  // the guest, so never in a standstill.
  Result<std::uint64_t> drain(Epoch epoch, bool seek_untouched, const Emit& emit);
  Result<std::uint64_t> drain_region(RegionIndex region, Epoch epoch, bool seek_untouched,
                                     const Emit& emit);
  Result<void> finish_frame(wire::PagesFrame& frame, Epoch epoch, const Emit& emit);
  Result<std::vector<Bytes>> copy_residual(Epoch epoch, CheckpointFigures& figures);
  Result<void> let_run(CheckpointFigures& figures);
  Result<void> send_rest(Epoch epoch, std::vector<Bytes> frames, const Bytes& device_state,
                         CheckpointFigures& figures);
  [[nodiscard]] wire::FrameNumbers number(Epoch epoch) { return {generation_, epoch, ++sequence_}; }

  guest::Guest& guest_;
  Lineage& lineage_;
  FrameSink& sink_;
  Generation generation_;
  CaptureOptions options_;
  Bytes scratch_;  // pages of regions that are not mapped
  std::uint64_t sequence_ = 0;
  // Of the open epoch, for its commit record.
  wire::Commit totals_;
  wire::PageDigest digest_;
  std::uint64_t epoch_bytes_ = 0;
};

}  // namespace colo::primary
