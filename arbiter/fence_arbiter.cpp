#include "arbiter/fence_arbiter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>

#include "arbiter/agent_process.h"
#include "arbiter/secret_file.h"
#include "base/check.h"
#include "heartbeat/ownership_file.h"

namespace colo::arbiter {

namespace {

using Clock = std::chrono::steady_clock;
using heartbeat::Claim;
using heartbeat::ClaimAnswer;
using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using heartbeat::Ownership;

// One exchange with the agent about the peer.
class Dialogue {
 public:
  static Result<Dialogue> open(const FenceSettings& settings, const Asker& asker) {
    Dialogue dialogue(settings, asker);
    auto agent = find_agent(settings.agent);
    if (!agent) return fail(agent.error());
    dialogue.agent_ = std::move(*agent);
    if (settings.secrets_file.empty()) return dialogue;
    const auto text = read_secret_file(settings.secrets_file);
    if (!text) return fail(text.error());
    auto secrets = fence::parse_options(*text);
    if (!secrets) {
      secrets.error().reason = settings.secrets_file.string() + ": " + secrets.error().reason;
      return fail(secrets.error());
    }
    dialogue.secrets_ = std::move(*secrets);
    return dialogue;
  }

  [[nodiscard]] Result<AgentExit> ask(fence::Action action, Clock::time_point until) const {
    const auto& targets = settings_->targets;
    const FenceTarget& target = targets[0].host == asker_->peer ? targets[0] : targets[1];
    COLO_CHECK(target.host == asker_->peer);
    auto ran =
        run_agent(agent_, fence::input_of(settings_->options, target.options, secrets_, action),
                  std::max<Duration>(until - Clock::now(), std::chrono::milliseconds(1)));
    if (!ran) return fail(advised(ran.error()));
    return ran;
  }

  [[nodiscard]] tl::unexpected<Error> failed(const char* word, const std::string& what,
                                             const AgentExit& exit) const {
    std::string reason =
        settings_->agent + ": " + what + " (exit status " + std::to_string(exit.status) + ")";
    const std::string said = fence::last_words(exit.output, secrets_);
    if (!said.empty()) reason += ": " + said;
    return fail(advised({word, reason, ""}));
  }

 private:
  Dialogue(const FenceSettings& settings, const Asker& asker)
      : settings_(&settings), asker_(&asker) {}

  // The way out that an operator always has: fencing often fails with the power that it is about.
  [[nodiscard]] Error advised(Error error) const {
    error.remedy += (error.remedy.empty() ? "" : "; ") + std::string("if ") + asker_->peer +
                    " is certainly off, say so: touch " +
                    confirm_file(*settings_, *asker_).string();
    return error;
  }

  const FenceSettings* settings_;
  const Asker* asker_;
  std::filesystem::path agent_;
  AgentOptions secrets_;
};

Result<fence::Power> power_now(const Dialogue& dialogue, Clock::time_point until) {
  const auto status = dialogue.ask(fence::Action::status, until);
  if (!status) return fail(status.error());
  const fence::Power power = fence::power_of(status->status);
  if (power == fence::Power::unknown) {
    return dialogue.failed("fence-failed", "it does not know whether the power is off", *status);
  }
  return power;
}

}  // namespace

std::filesystem::path record_file(const FenceSettings& settings, const Asker& asker) {
  return settings.state_directory / (asker.guest + "." + asker.host);
}

std::filesystem::path confirm_file(const FenceSettings& settings, const Asker& asker) {
  return record_file(settings, asker).string() + ".peer-is-off";
}

Result<fence::Power> ask_power(const FenceSettings& settings, const Asker& asker) {
  const auto dialogue = Dialogue::open(settings, asker);
  if (!dialogue) return fail(dialogue.error());
  return power_now(*dialogue, Clock::now() + settings.timeout);
}

FenceArbiter::FenceArbiter(FenceSettings settings, Asker asker)
    : settings_(std::move(settings)),
      asker_(std::move(asker)),
      record_(record_file(settings_, asker_)) {
  ::unlink(confirm_file(settings_, asker_).c_str());
}

Result<void> FenceArbiter::power_off() {
  const auto confirmed = confirm_file(settings_, asker_);
  if (::unlink(confirmed.c_str()) == 0) return {};
  if (errno != ENOENT) {
    return fail("record-unusable",
                confirmed.string() + ": " + std::generic_category().message(errno),
                "the engine must be able to remove it, so that it counts once");
  }
  const auto until = Clock::now() + settings_.timeout;
  const auto dialogue = Dialogue::open(settings_, asker_);
  if (!dialogue) return fail(dialogue.error());
  const auto off = dialogue->ask(fence::Action::off, until);
  if (!off) return fail(off.error());
  if (off->status != 0) {
    return dialogue->failed("fence-failed", "it could not power " + asker_.peer + " off", *off);
  }
  const auto power = power_now(*dialogue, until);
  if (!power) return fail(power.error());
  if (*power == fence::Power::off) return {};
  return dialogue->failed("fence-unverified",
                          "it said that " + asker_.peer + " is off, and then that it is on", *off);
}

Result<ClaimAnswer> FenceArbiter::claim(const Claim& claim) {
  if (auto names = heartbeat::check_names(claim.owner, claim.run); !names) {
    return fail(names.error());
  }
  if (claim.from.value == std::numeric_limits<std::uint64_t>::max()) {
    return fail("bad-claim", "no generation comes after " + std::to_string(claim.from.value));
  }
  if (!claim.owner.empty() && claim.owner != asker_.host) {
    return fail("no-give-back",
                "a fence agent cannot give the guest to " + claim.owner + ", which is powered off",
                "retry here, or power it on, start its engine and let it boot the guest anew");
  }
  auto entries = record_.read();
  if (!entries) return fail(entries.error());
  const Ownership wanted{claim.from.next(), claim.owner, claim.run};
  const bool known = !entries->empty() && entries->back().run == claim.run &&
                     entries->back().generation > claim.from;
  if (known && entries->back() != wanted) return ClaimLost{entries->back()};
  if (!known) {
    entries->push_back(wanted);
    if (auto prepared = record_.prepare(std::move(*entries)); !prepared) {
      return fail(prepared.error());
    }
    if (!claim.owner.empty()) {
      if (auto off = power_off(); !off) return fail(off.error());
    }
    if (auto committed = record_.commit(); !committed) return fail(committed.error());
  }
  // Nothing proves that the peer does not run on: what was held must not leave.
  if (claim.owner.empty()) return ClaimLost{wanted};
  return ClaimWon{wanted.generation};
}

Result<Ownership> FenceArbiter::current() {
  const auto entries = record_.read();
  if (!entries) return fail(entries.error());
  Ownership newest = entries->empty() ? Ownership{} : entries->back();
  // What this host does not know must not let it boot: see the top of the header.
  if (newest.owner.empty() && asker_.first_primary) newest.owner = asker_.host;
  return newest;
}

Result<std::vector<Ownership>> FenceArbiter::history() { return record_.read(); }

}  // namespace colo::arbiter
