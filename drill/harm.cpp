#include "drill/harm.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

namespace colo::drill {

using Act = std::function<Result<void>()>;

namespace {

// A replica that is being replaced is there again soon.
constexpr auto replica_patience = std::chrono::seconds(10);
constexpr auto between_glances = std::chrono::milliseconds(5);

bool replica_runs(const std::optional<demo::EngineStatus>& status) {
  return status && status->replica && status->replica->running;
}

}  // namespace

Result<pid_t> Harm::guest_process(const std::string& whose) const {
  const auto deadline = std::chrono::steady_clock::now() + replica_patience;
  engines_.look();
  while (replica_ && whose == secondary_ && !replica_runs(engines_.status(whose)) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(between_glances);
    engines_.look();
  }
  const auto& status = engines_.status(whose);
  if (!status || !status->guest_pid) return fail("no-process", whose + " has no QEMU");
  return *status->guest_pid;
}

Result<std::vector<pid_t>> Harm::victims(const Fault& fault) const {
  const std::string& whose = host(fault.whose);
  switch (fault.part) {
    case Part::engine:
      return std::vector{engines_.pid(whose)};
    case Part::host:
      return engines_.processes_of(whose);
    case Part::qemu:
    case Part::spare:
      break;
  }
  const auto guest = guest_process(whose);
  if (!guest) return fail(guest.error());
  if (fault.part == Part::qemu) return std::vector{*guest};
  auto others = engines_.processes_of(whose);
  others.erase(
      std::remove_if(others.begin(), others.end(),
                     [&](pid_t pid) { return pid == *guest || pid == engines_.pid(whose); }),
      others.end());
  if (others.empty()) return fail("no-process", whose + " has no spare");
  return others;
}

Result<Act> Harm::prepare(const Fault& fault) {
  switch (fault.deed) {
    case Deed::kill:
    case Deed::freeze: {
      auto pids = victims(fault);
      if (!pids) return fail(pids.error());
      return Act([this, fault, pids = std::move(*pids)] {
        return fault.deed == Deed::kill ? kill(fault, pids) : freeze(fault, pids);
      });
    }
    case Deed::cut:
    case Deed::silence_to:
    case Deed::unplug:
    case Deed::reset_link:
    case Deed::slow_link:
      return Act([this, fault] {
        link_ = true;
        return harm_link(fault);
      });
    case Deed::mend:
      return Act([this] { return scene_.mend(); });
    case Deed::arbiter_down:
      return Act([this] { return hide_arbiter({primary_, secondary_}); });
    case Deed::arbiter_cut:
      return Act([this, fault] { return hide_arbiter({host(fault.whose)}); });
    case Deed::switchover:
      return Act([this] {
        return demo::tell_engine(scene_.folder().control_socket(primary_), "switchover");
      });
    case Deed::takeover:
      return Act([this] {
        return demo::tell_engine(scene_.folder().control_socket(secondary_), "takeover");
      });
  }
  return fail("no-deed", "there is no such fault");
}

Result<void> Harm::harm_link(const Fault& fault) {
  switch (fault.deed) {
    case Deed::cut:
      return scene_.cut();
    case Deed::silence_to:
      return scene_.cut_towards(host(fault.whose));
    case Deed::unplug:
      return scene_.unplug();
    case Deed::reset_link:
      return scene_.reset_connections();
    case Deed::slow_link:
      return scene_.throttle(fault.bytes_per_second);
    default:
      return fail("no-deed", "that is no fault of the link");
  }
}

Result<void> Harm::kill(const Fault& fault, const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) ::kill(pid, SIGKILL);
  const std::string& whose = host(fault.whose);
  if (fault.part == Part::qemu || fault.part == Part::spare) return {};
  engines_.expect_end(whose);
  killed_engines_.insert(whose);
  if (fault.part == Part::host) unswept_.insert(whose);
  return {};
}

Result<void> Harm::freeze(const Fault& fault, const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) ::kill(pid, SIGSTOP);
  frozen_.insert(frozen_.end(), pids.begin(), pids.end());
  if (fault.part == Part::engine || fault.part == Part::host)
    engines_.set_frozen(host(fault.whose), true);
  return {};
}

Result<void> Harm::hide_arbiter(const std::vector<std::string>& hosts) {
  for (const std::string& one : hosts) {
    if (auto hidden = scene_.folder().hide_arbiter(one); !hidden) return hidden;
    without_arbiter_.insert(one);
  }
  return {};
}

Result<void> Harm::sweep() {
  for (const std::string& one : unswept_) {
    if (auto gone = engines_.kill_host(one); !gone) return gone;
    scene_.folder().forget_run(one);
  }
  unswept_.clear();
  return {};
}

void Harm::wake() {
  for (const pid_t pid : frozen_) ::kill(pid, SIGCONT);
  frozen_.clear();
  for (const std::string& one : {primary_, secondary_}) engines_.set_frozen(one, false);
}

Result<void> Harm::heal() {
  wake();
  if (link_) {
    if (auto mended = scene_.mend(); !mended) return mended;
    link_ = false;
  }
  for (const std::string& one : without_arbiter_) {
    if (auto shown = scene_.folder().show_arbiter(one); !shown) return shown;
  }
  without_arbiter_.clear();
  for (const std::string& one : killed_engines_) {
    if (auto started = engines_.start(one); !started) return started;
  }
  killed_engines_.clear();
  return {};
}

}  // namespace colo::drill
