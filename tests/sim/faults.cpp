#include "tests/sim/faults.h"

#include <algorithm>
#include <array>

namespace colo::sim {

using std::chrono::milliseconds;

namespace {

struct Entry {
  const char* name;
  unsigned weight;
};

// In the order of Fault.
constexpr std::array<Entry, fault_count> catalogue{{
    {"engine crash", 14},
    {"host loses power", 10},
    {"engine frozen", 8},
    {"host frozen", 8},
    {"guest dies", 8},
    {"guest shuts down", 2},
    {"standby dies", 6},
    {"replica dies", 8},
    {"replica hangs", 4},
    {"cut", 14},
    {"one-way cut", 12},
    {"lanes cut, heartbeats up", 8},
    {"heartbeats cut, lanes up", 8},
    {"blip", 10},
    {"datagrams lost", 4},
    {"slow link", 6},
    {"lanes reset", 8},
    {"capture fails", 6},
    {"pause fails", 4},
    {"scan fails", 3},
    {"resume fails", 5},
    {"boot fails", 2},
    {"flush fails", 6},
    {"flush slow", 4},
    {"load fails", 8},
    {"a device state never loads", 4},
    {"run fails", 4},
    {"standby does not start", 4},
    {"a hook fails", 6},
    {"arbiter down", 10},
    {"arbiter out of one side's reach", 8},
    {"arbiter slow", 6},
    {"arbiter's answer lost", 6},
    {"claim counts late", 8},
    {"takeover asked", 8},
    {"stop asked", 4},
    {"checkpoint asked", 4},
    {"delay set", 3},
    {"switchover asked", 14},
    {"give-back asked", 4},
    {"mode set", 8},
}};

Fault draw_fault(Random& random) {
  static const unsigned all = [] {
    unsigned sum = 0;
    for (const Entry& entry : catalogue) sum += entry.weight;
    return sum;
  }();
  auto left = static_cast<unsigned>(random.below(all));
  for (std::size_t i = 0; i < fault_count; ++i) {
    if (left < catalogue[i].weight) return static_cast<Fault>(i);
    left -= catalogue[i].weight;
  }
  return Fault::cut;
}

}  // namespace

const char* name(Fault fault) { return catalogue[static_cast<std::size_t>(fault)].name; }

std::vector<Strike> draw_plan(Random& random, const Settings& settings) {
  const int count = random.chance(300)   ? 1
                    : random.chance(600) ? random.between(2, 3)
                                         : random.between(4, 7);
  std::vector<Strike> plan;
  Duration last{};
  for (int i = 0; i < count; ++i) {
    Strike strike;
    strike.fault = draw_fault(random);
    strike.host = random.below(2);
    if (i > 0 && random.chance(500)) {
      // Close behind the one before, where what that one began is under way.
      strike.at = last + random.between(Duration{}, settings.detector.lost_after * 2);
    } else {
      strike.at = random.between(Duration{}, settings.safety);
    }
    strike.at = std::min(strike.at, settings.safety);
    last = strike.at;
    if (random.chance(350)) {
      const std::array<int, 3> reaches{8, 40, 200};
      strike.action = static_cast<std::uint32_t>(random.between(1, random.pick(reaches)));
    }
    const std::array<int, 7> lengths{10, 60, 200, 500, 1200, 2500, 60000};
    strike.lasts =
        random.between(Duration(milliseconds(1)), Duration(milliseconds(random.pick(lengths))));
    strike.times = random.chance(700) ? random.between(1, 2) : random.between(3, 12);
    plan.push_back(strike);
  }
  return plan;
}

std::string describe(const Strike& strike) {
  const auto ms = [](Duration time) {
    return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
  };
  std::string text = std::string(name(strike.fault)) + " (" + host_names[strike.host] + ", ";
  text += strike.action != 0 ? "with its action " + std::to_string(strike.action)
                             : "at " + ms(strike.at);
  return text + ", for " + ms(strike.lasts) + ", " + std::to_string(strike.times) + " times)";
}

}  // namespace colo::sim
