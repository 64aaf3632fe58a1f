// What a drill is: which faults are put, when, and which outcomes are allowed. All of it is said
// before the first process is started; nothing in here depends on what happens then.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "demo/setting.h"

namespace colo::drill {

using std::chrono::milliseconds;

// As they are before the first fault.
enum class Role { primary, secondary };
// qemu: the process of the guest that runs, or of the standby; where a replica runs, the replica's.
// spare: the process that will replace the replica.
enum class Part { engine, qemu, host, spare };

enum class Deed {
  kill,          // SIGKILL
  freeze,        // SIGSTOP; SIGCONT is part of the healing
  cut,           // the link is silent both ways
  silence_to,    // what is sent to this host does not arrive
  unplug,        // the link has no carrier
  reset_link,    // every connection between the hosts is reset, once
  slow_link,     // so many bytes in a second
  mend,          // the link is well again, before anything else is healed
  arbiter_down,  // neither host reaches it
  arbiter_cut,   // this host does not reach it
  switchover,    // no fault: the operator asks the primary for it
  takeover,      // no fault: the operator asks the secondary for it
};

// A line of an engine's log from which on the fault may fall.
struct Moment {
  Role whose = Role::primary;
  std::string line;
};

struct Fault {
  Deed deed = Deed::kill;
  Role whose = Role::primary;
  Part part = Part::host;
  std::optional<Moment> at;  // waited for before the deed
  milliseconds after{0};     // then this long
  std::uint64_t bytes_per_second = 0;
};

enum class Outcome {
  unharmed,    // the guest runs where it ran, and nobody claimed it
  kept,        // it runs where it ran, claimed anew by that host
  taken_over,  // it runs on the other host
  moved,       // the same, by a switchover
  given_back,  // the other host claimed it, and then this one again
  ended,       // nobody runs it
};
[[nodiscard]] const char* word(Outcome outcome);

// The phases in which a fault can fall, as the engines' logs tell afterwards.
inline constexpr auto phase_initial_copy = "initial-copy";
inline constexpr auto phase_idle = "idle";
inline constexpr auto phase_pass = "pass";
inline constexpr auto phase_standstill = "standstill";
inline constexpr auto phase_stream = "stream";
inline constexpr auto phase_commit = "commit";
inline constexpr auto phase_flush = "flush";
inline constexpr auto phase_load = "load";
inline constexpr auto phase_start = "start";  // a replica that loaded is told to run

enum class Load { light, heavy };  // heavy: phases long enough to be met
// Where the round begins: a guest in the middle of its first copy, or a protected one.
enum class Start { protected_pair, first_copy };

// What is otherwise where the secondary's guest runs too.
struct InColo {
  std::set<Outcome> allowed;
  std::string what;                   // a sentence, behind the drill's own
  std::optional<milliseconds> lasts;  // empty: as the drill's
  std::string phase;                  // by the secondary's log; empty: as the drill's
};

struct Drill {
  std::string name;
  std::string what;  // a sentence
  std::vector<Fault> faults;
  std::set<Outcome> allowed;
  Start start = Start::protected_pair;
  Load load = Load::light;
  // The fault that times are counted from.
  std::size_t clock = 0;
  // How long the faults last; empty: until a new owner's guest answers the client.
  std::optional<milliseconds> lasts;
  // The guest must be silent while they last: its output may not leave without a claim.
  bool silent = false;
  // The client's longest gap; of a drill that is `silent`, behind the healing.
  milliseconds reachable{10'000};
  // By itself: nobody but what was killed is started again.
  milliseconds protected_again{30'000};
  std::uint32_t grace_ms = 0;
  // The phase that the fault must fall in to be what its name says; by the log of `phase_of`.
  std::string phase;
  Role phase_of = Role::primary;
  bool qemu = true, embedded = true;
  // The modes that it is played in; auto is both.
  bool periodic = true, colo = true;
  std::optional<InColo> in_colo;  // empty: as in periodic mode

  [[nodiscard]] bool fits(demo::GuestKind guest) const {
    return guest == demo::GuestKind::qemu ? qemu : embedded;
  }
  [[nodiscard]] bool asks_switchover() const;
};

// The drill as it is played in a mode ("periodic", "colo", "auto"); empty where it is not. In auto
// the guest may be protected in either way when the fault falls, so either's outcome is allowed.
[[nodiscard]] std::optional<Drill> in_mode(const Drill& drill, const std::string& mode);

// "kill host of primary", "arbiter down"
[[nodiscard]] std::string describe(const Fault& fault);

}  // namespace colo::drill
