#include "drill/drill.h"

#include <algorithm>

namespace colo::drill {
namespace {

const char* word(Role role) { return role == Role::primary ? "primary" : "secondary"; }

const char* word(Part part) {
  switch (part) {
    case Part::engine:
      return "engine";
    case Part::qemu:
      return "QEMU";
    case Part::host:
      return "host";
    case Part::spare:
      return "spare";
  }
  return "";
}

}  // namespace

const char* word(Outcome outcome) {
  switch (outcome) {
    case Outcome::unharmed:
      return "unharmed";
    case Outcome::kept:
      return "kept";
    case Outcome::taken_over:
      return "taken-over";
    case Outcome::moved:
      return "moved";
    case Outcome::given_back:
      return "given-back";
    case Outcome::ended:
      return "ended";
  }
  return "";
}

std::string describe(const Fault& fault) {
  const std::string whose = word(fault.whose);
  switch (fault.deed) {
    case Deed::kill:
      return std::string("kill ") + word(fault.part) + " of " + whose;
    case Deed::freeze:
      return std::string("freeze ") + word(fault.part) + " of " + whose;
    case Deed::cut:
      return "link silent";
    case Deed::silence_to:
      return "link silent towards " + whose;
    case Deed::unplug:
      return "cable out";
    case Deed::reset_link:
      return "connections reset";
    case Deed::slow_link:
      return "link of " + std::to_string(fault.bytes_per_second / 1000) + " kB/s";
    case Deed::mend:
      return "link mended";
    case Deed::arbiter_down:
      return "arbiter down";
    case Deed::arbiter_cut:
      return "arbiter cut from " + whose;
    case Deed::switchover:
      return "switchover asked";
    case Deed::takeover:
      return "takeover asked";
  }
  return "";
}

std::optional<Drill> in_mode(const Drill& drill, const std::string& mode) {
  const bool periodic = mode == "periodic";
  if (periodic ? !drill.periodic : !drill.colo) return std::nullopt;
  Drill played = drill;
  if (periodic || !drill.in_colo) return played;
  const InColo& other = *drill.in_colo;
  played.allowed = other.allowed;
  if (mode == "auto") played.allowed.insert(drill.allowed.begin(), drill.allowed.end());
  if (other.lasts) played.lasts = other.lasts;
  if (!other.phase.empty()) {
    played.phase = other.phase;
    played.phase_of = Role::secondary;
  }
  return played;
}

bool Drill::asks_switchover() const {
  return std::any_of(faults.begin(), faults.end(),
                     [](const Fault& fault) { return fault.deed == Deed::switchover; });
}

}  // namespace colo::drill
