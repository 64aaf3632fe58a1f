// What an operator learns of a secondary.

#include "app/engine_secondary.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

struct Words {
  State state;
  std::string reason;
  std::string next;
};

const char* word_of(secondary::Step step) {
  switch (step) {
    case secondary::Step::flushing:
      return "flushing the last checkpoint";
    case secondary::Step::preparing:
      return "starting a standby guest";
    case secondary::Step::loading:
      return "loading the device state";
    case secondary::Step::resuming:
      return "letting the guest run";
    case secondary::Step::failed:
      return "given up";
  }
  return "";
}

Words takeover_words(const secondary::TakingOver& s, const Host& host) {
  const std::string attempt = s.attempt > 1 ? ", attempt " + std::to_string(s.attempt) : "";
  const std::string trouble = s.trouble.empty() ? "" : "; " + s.trouble;
  if (s.step == secondary::Step::failed) {
    return {State::failed, "the checkpoint is kept, but no guest came of it" + trouble,
            "try again: " + host.command("takeover", host.name)};
  }
  return {State::taking_over, std::string(word_of(s.step)) + attempt + trouble, ""};
}

Words joining_words(const secondary::Joining& s, const Host& host) {
  const std::string trouble = s.trouble.empty() ? "dialing " + host.peer_name() : s.trouble;
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
          [&](const secondary::Joining& s) { return joining_words(s, host); },
          [&](const secondary::Receiving& s) {
            return Words{State::syncing,
                         "the first copy from " + s.host + " arrives; no takeover is possible yet",
                         ""};
          },
          [&](const secondary::Standby& s) {
            return Words{State::standby,
                         "checkpoint " + committed + " of " + s.host +
                             " is complete here; it can be taken over",
                         ""};
          },
          [&](const secondary::Suspecting& s) {
            return Words{
                State::standby,
                s.cause.text() + "; " + s.host + " has its head start before this host claims", ""};
          },
          [&](const secondary::Claiming& s) {
            return Words{State::claiming, s.trouble.empty() ? s.cause : s.cause + "; " + s.trouble,
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

void SecondarySide::fill(Status& status) const {
  const Words words = words_of(core_, host_);
  status.role = "secondary";
  status.state = words.state;
  status.reason = words.reason;
  status.next = words.next;
  status.generation = core_.generation().value;
  status.epoch = core_.committed().value;
  if (standby_) status.guest = describe(standby_->identity(), false, standby_->process_id());
  PeerStatus peer;
  peer.host = host_.peer_name();
  if (session_ && session_->detector) {
    peer.connected = !session_->closed;
    fill_links(peer, session_->detector->report(io::steady_now()),
               host_.config.peer_of(host_.name));
    if (core_.committed() == Epoch{0}) status.initial_copy = session_->initial_copy;
  }
  status.peer = std::move(peer);
  if (cache_) {
    const cache::CacheFigures figures = cache_->figures();
    status.cache = CacheStatus{figures.staged_pages, figures.received_pages, figures.diverged_pages,
                               figures.bytes};
  }
  status.takeover = takeover_;
}

}  // namespace colo::app
