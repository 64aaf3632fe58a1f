// What an operator learns of a secondary.

#include "app/engine_secondary.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

struct StepWords {
  const char* word;
  const char* meaning;
};

StepWords words_of(secondary::Step step) {
  switch (step) {
    case secondary::Step::flushing:
      return {"flushing", "flushing the last checkpoint"};
    case secondary::Step::preparing:
      return {"preparing", "starting a standby guest"};
    case secondary::Step::loading:
      return {"loading", "loading the device state"};
    case secondary::Step::acquiring:
      return {"acquiring", "acquiring the guest's resources"};
    case secondary::Step::resuming:
      return {"resuming", "letting the guest run"};
    case secondary::Step::failed:
      break;
  }
  return {"", "given up"};
}

StepWords words_of(secondary::Handover step) {
  switch (step) {
    case secondary::Handover::preparing:
      return {"preparing", "starting a standby guest"};
    case secondary::Handover::flushing:
      return {"flushing", "flushing the last checkpoint"};
    case secondary::Handover::loading:
      return {"loading", "loading the device state"};
    case secondary::Handover::loaded:
      break;
  }
  return {"loaded", "ready; waiting for its word to claim"};
}

std::string ms_until(Instant until) {
  const auto left = std::max(until - io::steady_now(), Duration{0});
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(left).count()) +
         " ms";
}

Words takeover_words(const secondary::TakingOver& s, const Host& host) {
  if (s.step == secondary::Step::failed) {
    return {State::failed,
            "this host owns the guest and keeps its checkpoint, but it does not run here" +
                Words::behind(": ", s.trouble),
            "mend the cause, then " + host.command("takeover", host.name) +
                "; or let the other host have it back: " + host.command("give-back", host.name)};
  }
  const std::string attempt = s.attempt > 1 ? ", attempt " + std::to_string(s.attempt) : "";
  const StepWords words = words_of(s.step);
  return {State::taking_over, words.meaning + attempt + Words::behind("; ", s.trouble), "",
          words.word};
}

Words suspecting_words(const secondary::Suspecting& s, const Host& host, const std::string& held) {
  const bool returns = host.config.heartbeat.grace > Duration{0} || !s.session;
  if (!returns) {
    return {State::standby,
            s.cause.text() + "; " + s.host + " has its head start before this host claims", ""};
  }
  std::string reason = s.cause.text();
  if (s.until != Instant::max()) {
    reason += "; in " + ms_until(s.until) + " this host claims from checkpoint " + held;
  }
  return {State::reconnecting, reason + Words::behind("; ", s.trouble),
          host.command("status", host.peer_name())};
}

Words joining_words(const secondary::Core& core, const secondary::Joining& s, const Host& host) {
  const std::string trouble = s.trouble.empty() ? "dialing " + host.peer_name() : s.trouble;
  if (core.keeps() == secondary::Keeps::last_resort) {
    return {State::joining,
            "the guest was given back to " + host.peer_name() +
                ", which was not heard to run it; " + trouble,
            host.command("status", host.peer_name()) +
                "; if its guest is gone for good: " + host.command("takeover", host.name)};
  }
  if (host.owners.empty() || !host.owners.back().owner.empty()) {
    return {State::joining, trouble, host.command("status", host.peer_name())};
  }
  // Dialing for ever would not bring it back: somebody must boot it.
  const std::string& first = host.config.first_primary;
  return {State::joining,
          "the guest was ended on purpose and nobody owns it; " + first + " boots it; " + trouble,
          first == host.name ? "end this engine and start it again: it then boots the guest"
                             : "on " + first + ": colo run " + host.config_file.string()};
}

Words words_of(const secondary::Core& core, const Host& host) {
  const std::string peer = host.peer_name();
  const std::string committed = std::to_string(core.committed().value);
  return std::visit(
      overloaded{
          [&](const secondary::Joining& s) { return joining_words(core, s, host); },
          [&](const secondary::Receiving& s) {
            const std::string what = core.committed() == Epoch{0}
                                         ? "the first copy from " + s.host
                                         : "what changed since checkpoint " + committed;
            return Words{State::syncing, what + " arrives; no takeover is possible yet", ""};
          },
          [&](const secondary::Standby& s) {
            return Words{State::standby,
                         "checkpoint " + committed + " of " + s.host +
                             " is complete here; it can be taken over",
                         ""};
          },
          [&](const secondary::Suspecting& s) { return suspecting_words(s, host, committed); },
          [&](const secondary::HandingOver& s) {
            const StepWords words = words_of(s.step);
            return Words{State::handing_over, s.host + " hands its guest over: " + words.meaning,
                         "", words.word};
          },
          [&](const secondary::GivingBack& s) {
            const std::string doing =
                s.releasing ? "; releasing the guest's resources" : "; claiming for " + peer;
            return Words{State::claiming,
                         "the guest goes back to " + peer + ": " + s.cause + doing +
                             Words::behind("; ", s.trouble),
                         s.trouble.empty() ? "" : host.command("status", peer), "giving-back"};
          },
          [&](const secondary::Claiming& s) {
            return Words{State::claiming, s.cause + Words::behind("; ", s.trouble),
                         s.trouble.empty() ? "" : host.look_at_arbiter()};
          },
          [&](const secondary::TakingOver& s) { return takeover_words(s, host); },
          [&](const secondary::Live& s) {
            return Words{State::solo, s.cause, ""};
          },
          [&](const secondary::Ended& s) {
            return Words{State::ended, s.reason, ""};
          }},
      core.state());
}

}  // namespace

Words SecondarySide::words() const {
  Words words = words_of(core_, host_);
  if (words.state == State::standby && replica_ && replica_->runs &&
      std::holds_alternative<secondary::Standby>(core_.state())) {
    words.reason = "the guest of checkpoint " + std::to_string(replica_->epoch.value) + " of " +
                   host_.peer_name() + " runs here too; it can take over";
  }
  return words;
}

void SecondarySide::fill(Status& status) const {
  const Words words = this->words();
  status.role = "secondary";
  status.state = words.state;
  status.step = words.step;
  status.reason = words.reason;
  status.next = words.next;
  status.generation = core_.generation().value;
  status.epoch = core_.committed().value;
  if (replica_) {
    const guest::Guest& guest = *replica_->guest;
    status.guest = describe(guest.identity(), replica_->runs, guest.process_id());
  } else if (standby_) {
    status.guest = describe(standby_->identity(), false, standby_->process_id());
  }
  PeerStatus peer;
  peer.host = host_.peer_name();
  if (session_ && session_->detector) {
    peer.connected = !session_->closed;
    fill_links(peer, session_->detector->report(io::steady_now()), host_.peer);
    if (core_.committed() == Epoch{0}) status.initial_copy = session_->initial_copy;
    status.session = SessionStatus{session_->base.has_value(),
                                   session_->base.value_or(Epoch{0}).value, std::nullopt};
  }
  status.peer = std::move(peer);
  if (cache_) {
    const cache::CacheFigures figures = cache_->figures();
    status.cache = CacheStatus{figures.staged_pages, figures.received_pages, figures.diverged_pages,
                               figures.bytes};
  }
  if (replica_) {
    ReplicaStatus replica;
    replica.running = replica_->runs && !replica_->paused;
    replica.epoch = replica_->epoch.value;
    replica.diverged_pages = replica_->own_pages;
    replica.preimage_bytes = replica_->own_pages * page_bytes;
    replica.limit_bytes = replica_->limit_pages * page_bytes;
    status.replica = replica;
  }
  status.takeover = takeover_;
}

}  // namespace colo::app
