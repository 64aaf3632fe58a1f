// What an operator learns of a primary.

#include "app/engine_primary.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

Words handover_words(const primary::HandingOver& s, const std::string& peer) {
  const auto words = [&](const char* step, const std::string& meaning) {
    return Words{State::handing_over, "to " + peer + ": " + meaning, "", step};
  };
  switch (s.step) {
    case primary::Handover::passing:
      return words("passing", "sending what the guest wrote; it runs here");
    case primary::Handover::saving:
      return words("saving", "taking the last checkpoint; the guest stands still here");
    case primary::Handover::loading:
      return words("loading",
                   peer + " loads the guest; it stands still here, and resumes if that fails");
    case primary::Handover::claiming:
      break;
  }
  return words("claiming", peer + " was told to claim; the guest stands still here");
}

Words lost_words(const primary::Lost& s, const Host& host) {
  const std::string owner = s.owner.owner.empty() ? "nobody" : s.owner.owner;
  const std::string owns = owner + " owns generation " + std::to_string(s.owner.generation.value);
  if (s.returning) {
    return {State::lost,
            "the guest was given back to this host; acquiring its resources" +
                Words::behind(": ", s.trouble),
            s.trouble.empty() ? "" : "mend the cause; it is tried again"};
  }
  if (!s.guest_kept) {
    return {State::lost, owns + "; this host joins it when its guest runs",
            host.command("status", host.peer_name())};
  }
  return {State::lost,
          owns + "; the guest here is paused, and kept until " + owner + "'s runs" +
              Words::behind("; ", s.trouble),
          host.command("status", host.peer_name()) +
              "; if its guest is gone for good: " + host.command("takeover", host.name)};
}

Words syncing_words(const primary::Syncing& s, const Host& host, const PrimarySession* session) {
  const std::uint64_t sent = session != nullptr ? session->sent_pages.load() : 0;
  const std::string pages = std::to_string(sent) + " pages sent";
  if (!s.session.resumed || s.session.base == Epoch{0}) {
    return {
        State::syncing,
        "the first copy to " + host.peer_name() + " runs: " + pages + "; nothing is protected yet",
        ""};
  }
  return {State::syncing,
          "what changed since checkpoint " + std::to_string(s.session.base.value) + " goes to " +
              host.peer_name() + ": " + pages + "; nothing newer is protected yet",
          ""};
}

Words protected_words(const primary::Protected& s, const Host& host, std::int64_t committed_ns) {
  const auto age_ms = (unix_now_ns() - committed_ns) / 1'000'000;
  const std::string& trouble = s.session.switchover_trouble;
  return {State::protected_,
          "checkpoint " + std::to_string(s.session.committed.value) + " committed on " +
              host.peer_name() + " " + std::to_string(age_ms) + " ms ago" +
              Words::behind("; the switchover was cancelled: ", trouble),
          trouble.empty() ? "" : "mend the cause, then " + host.command("switchover", host.name)};
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
          [&](const primary::Syncing& s) { return syncing_words(s, host, session); },
          [&](const primary::Protected& s) { return protected_words(s, host, committed_unix_ns); },
          [&](const primary::Reconnecting& s) {
            const auto left = std::max(s.until - io::steady_now(), Duration{0});
            const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
            return Words{
                State::reconnecting,
                s.cause + "; output is held; in " + std::to_string(ms) + " ms this host claims",
                host.command("status", peer)};
          },
          [&](const primary::HandingOver& s) { return handover_words(s, peer); },
          [&](const primary::Claiming& s) {
            return Words{State::claiming,
                         s.cause + "; output is held until the arbiter answers" +
                             Words::behind("; ", s.trouble),
                         s.trouble.empty() ? "" : host.look_at_arbiter()};
          },
          [&](const primary::Lost& s) { return lost_words(s, host); },
          [&](const primary::Left& s) {
            return Words{
                State::joining,
                peer + " runs the guest in generation " + std::to_string(s.generation.value), ""};
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

Words PrimarySide::words() const {
  Words words = words_of(core_.state(), host_, session_.get(), committed_unix_ns_);
  // The core knows no paths.
  if (const auto at = words.next.find("FILE"); at != std::string::npos) {
    words.next.replace(at, 4, host_.config_file.string());
  }
  return words;
}

void PrimarySide::fill(Status& status) const {
  const Words words = this->words();
  status.role = "primary";
  status.state = words.state;
  status.step = words.step;
  status.reason = words.reason;
  status.next = words.next;
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
    fill_links(peer, report, host_.peer);
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
  if (session_) {
    status.session = SessionStatus{session_->base.has_value(),
                                   session_->base.value_or(Epoch{0}).value, session_->first_pages};
  }
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
