// What an operator learns of a primary.

#include "app/engine_primary.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

struct Words {
  State state;
  std::string reason;
  std::string next;
};

std::string trouble(const std::string& cause, const std::string& why) {
  return why.empty() ? cause : cause + "; " + why;
}

Words words_of(const primary::State& state, const Host& host, const PrimarySession* session,
               std::int64_t committed_unix_ns) {
  const std::string peer = host.peer_name();
  return std::visit(
      overloaded{
          [&](const primary::Starting& s) {
            return Words{State::starting,
                         s.trouble.empty() ? "claiming the guest, then booting it" : s.trouble, ""};
          },
          [&](const primary::Solo& s) {
            return Words{State::solo, "the guest runs without a replica: " + s.reason,
                         "on " + peer + ": colo run " + host.config_file.string()};
          },
          [&](const primary::Syncing&) {
            const std::uint64_t sent = session != nullptr ? session->sent_pages.load() : 0;
            return Words{State::syncing,
                         "the first copy to " + peer + " runs: " + std::to_string(sent) +
                             " pages sent; nothing is protected yet",
                         ""};
          },
          [&](const primary::Protected& s) {
            const auto age_ms = (unix_now_ns() - committed_unix_ns) / 1'000'000;
            return Words{State::protected_,
                         "checkpoint " + std::to_string(s.session.committed.value) +
                             " committed on " + peer + " " + std::to_string(age_ms) + " ms ago",
                         ""};
          },
          [&](const primary::Claiming& s) {
            return Words{State::claiming,
                         trouble(s.cause + "; output is held until the arbiter answers", s.trouble),
                         s.trouble.empty() ? "" : host.look_at_arbiter()};
          },
          [&](const primary::Lost& s) {
            return Words{State::lost,
                         s.owner.owner + " owns generation " +
                             std::to_string(s.owner.generation.value) +
                             "; the guest here is paused for good",
                         "end this engine and start it again: it then joins " + s.owner.owner};
          },
          [&](const primary::Ending& s) {
            return Words{State::ended, s.reason + "; telling the arbiter", ""};
          },
          [&](const primary::Ended& s) {
            return Words{State::ended, s.reason, s.remedy};
          }},
      state);
}

}  // namespace

void PrimarySide::fill(Status& status) const {
  const Words words = words_of(core_.state(), host_, session_.get(), committed_unix_ns_);
  status.role = "primary";
  status.state = words.state;
  status.reason = words.reason;
  status.next = words.next;
  // The core knows no paths.
  if (const auto at = status.next.find("FILE"); at != std::string::npos) {
    status.next.replace(at, 4, host_.config_file.string());
  }
  if (deaf_ && words.state == State::solo) {
    status.reason += "; no secondary can join: " + deaf_->text();
    status.next = deaf_->remedy;
  }
  status.delay_ms = std::chrono::duration<double, std::milli>(core_.delay()).count();
  status.generation = core_.generation().value;
  status.epoch = committed_;
  if (guest_) status.guest = describe(guest_->identity(), guest_runs_, guest_->process_id());
  PeerStatus peer;
  peer.host = host_.peer_name();
  if (session_ && session_->detector) {
    peer.connected = true;
    const auto report = session_->detector->report(io::steady_now());
    fill_links(peer, report, host_.config.peer_of(host_.name));
  }
  status.peer = std::move(peer);
  if (std::holds_alternative<primary::Syncing>(core_.state()) && session_ && guest_) {
    InitialCopy copy;
    copy.sent_pages = session_->sent_pages;
    copy.remaining_pages = session_->pending_pages;
    copy.total_pages = guest_->identity().memory_bytes() / page_bytes;
    status.initial_copy = copy;
  }
  fill_checkpoints(status);
  status.takeover = takeover_;
}

void PrimarySide::fill_checkpoints(Status& status) const {
  CheckpointStatus checkpoints;
  checkpoints.committed = committed_;
  checkpoints.sent_bytes = sent_bytes_;
  if (!pause_ms_.empty()) {
    checkpoints.pause_ms =
        PauseFigures{pause_ms_.quantile(0.5), pause_ms_.quantile(0.99), pause_ms_.max()};
  }
  if (!dirty_pages_.empty()) {
    checkpoints.dirty_pages = DirtyPageFigures{dirty_pages_.quantile(0.5), dirty_pages_.max()};
  }
  status.checkpoints = checkpoints;
  const io::GateFigures gate = host_.gate->figures();
  HoldStatus hold{gate.held_packets, gate.held_bytes, std::nullopt};
  if (gate.held_packets > 0) {
    hold.oldest_ms = std::chrono::duration<double, std::milli>(gate.oldest).count();
  }
  status.hold = hold;
}

}  // namespace colo::app
