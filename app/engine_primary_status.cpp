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

const char* word(primary::CheckpointReason reason) {
  switch (reason) {
    case primary::CheckpointReason::first:
      return "first";
    case primary::CheckpointReason::interval:
      return "interval";
    case primary::CheckpointReason::different:
      return "different";
    case primary::CheckpointReason::silence:
      return "silence";
    case primary::CheckpointReason::full:
      return "full";
    case primary::CheckpointReason::peer_asked:
      return "peer-asked";
    case primary::CheckpointReason::asked:
      return "asked";
    case primary::CheckpointReason::mode:
      break;
  }
  return "mode";
}

Counts counts_of(const primary::CheckpointCounts& checkpoints) {
  Counts counts;
  for (std::size_t i = 0; i < checkpoints.size(); ++i) {
    if (checkpoints[i] == 0) continue;
    counts.emplace_back(word(static_cast<primary::CheckpointReason>(i)), checkpoints[i]);
  }
  return counts;
}

Mode app_mode(primary::Mode mode) {
  switch (mode) {
    case primary::Mode::periodic:
      return Mode::periodic;
    case primary::Mode::colo:
      return Mode::colo;
    case primary::Mode::automatic:
      break;
  }
  return Mode::automatic;
}

double in_ms(Duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

const primary::SessionState* session_of(const primary::State& state) {
  if (const auto* s = std::get_if<primary::Protected>(&state)) return &s->session;
  if (const auto* s = std::get_if<primary::HandingOver>(&state)) return &s->session;
  return nullptr;
}

}  // namespace

// What protects the guest now, where a mode could be more than that.
std::optional<EffectiveMode> PrimarySide::effective_mode() const {
  const primary::SessionState* session = session_of(core_.state());
  if (session == nullptr || core_.mode() == primary::Mode::periodic) return std::nullopt;
  if (session->replica_runs()) return EffectiveMode{word(Mode::colo), "", {}, {}};
  EffectiveMode now{word(Mode::periodic), core_.mode_reason(), mode_since_unix_ns_, {}};
  const Instant present = io::steady_now();
  if (core_.periodic_until() > present) now.left_ms = in_ms(core_.periodic_until() - present);
  if (now.reason.empty()) {
    now.reason = session->comparing
                     ? "the replica of checkpoint " + std::to_string(session->committed.value) +
                           " does not run yet"
                     : "the next checkpoint begins it";
  }
  return now;
}

void PrimarySide::fill_compare(Status& status, const io::GateFigures& gate) const {
  const compare::CompareFigures& figures = gate.compare;
  const bool compares = session_ && session_->compares;
  if (!compares && figures.equal == 0) return;
  CompareStatus compared;
  compared.equal = figures.equal;
  for (std::size_t i = 0; i < compare::reasons; ++i) {
    if (figures.different[i] == 0) continue;
    compared.different.emplace_back(compare::word(static_cast<compare::Reason>(i)),
                                    figures.different[i]);
  }
  compared.held_packets = figures.held.packets;
  if (figures.oldest) compared.oldest_ms = in_ms(io::steady_now() - *figures.oldest);
  status.compare = std::move(compared);
}

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
  status.mode = word(app_mode(core_.mode()));
  status.effective_mode = effective_mode();
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
  checkpoints.by_reason = counts_of(core_.checkpoints());
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
  fill_compare(status, gate);
}

}  // namespace colo::app
