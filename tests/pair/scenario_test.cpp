// Golden scenarios: each file of scenarios/ is a story of the protocol, readable as documentation.
// Lines that begin with > are commands; what follows each is what both cores decided, and when.
// After an intended change: COLO_REWRITE_SCENARIOS=1 rewrites the files; read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/pair/world.h"

namespace colo::pair {
namespace {

using std::chrono::milliseconds;

struct Story {
  std::unique_ptr<World> world;
  Options options;
  std::size_t told = 0;
};

std::string status(const World& world) {
  const auto& owner = world.owners().empty() ? heartbeat::Ownership{} : world.owners().back();
  std::string line = "owner: " + (owner.owner.empty() ? "nobody" : owner.owner) + ", generation " +
                     std::to_string(owner.generation.value) + "; guest runs on: ";
  line += world.alpha_runs() ? (world.beta_runs() ? "BOTH" : "alpha")
                             : (world.beta_runs() ? "beta" : "nobody");
  return line + "; frames held: " + std::to_string(world.held());
}

primary::Mode mode_of(const std::string& word) {
  if (word == "automatic") return primary::Mode::automatic;
  return word == "colo" ? primary::Mode::colo : primary::Mode::periodic;
}

using Command = std::function<void(World&, const std::string& word)>;

void until_acknowledged(World& world, std::uint64_t more) {
  const auto acknowledged = [&world] {
    const auto* guarded = std::get_if<primary::Protected>(&world.primary().state());
    return guarded == nullptr ? 0 : guarded->session.committed.value;
  };
  const std::uint64_t wanted = acknowledged() + more;
  for (int i = 0; i < 2000 && acknowledged() < wanted; ++i) world.run(milliseconds(1));
  world.run(milliseconds(10));  // the flush
}

const std::map<std::string, Command>& commands() {
  static const std::map<std::string, Command> all = {
      {"time", [](World& w, const std::string& ms) { w.run(milliseconds(std::stol(ms))); }},
      {"join", [](World& w, const std::string&) { until_acknowledged(w, 1); }},
      {"ask-checkpoint",
       [](World& w, const std::string&) {
         w.ask(Host::alpha, primary::Event(primary::CheckpointAsked{}));
       }},
      {"checkpoint",
       [](World& w, const std::string&) {
         w.ask(Host::alpha, primary::Event(primary::CheckpointAsked{}));
         until_acknowledged(w, 1);
       }},
      {"kill-primary", [](World& w, const std::string&) { w.kill(Host::alpha, false); }},
      {"kill-secondary", [](World& w, const std::string&) { w.kill(Host::beta, false); }},
      {"cut", [](World& w, const std::string&) { w.cut(); }},
      {"heal", [](World& w, const std::string&) { w.heal(); }},
      {"arbiter",
       [](World& w, const std::string& state) { w.arbiter_reachable(state == "reachable"); }},
      {"end-guest", [](World& w, const std::string&) { w.end_guest(false); }},
      {"fail-loads", [](World& w, const std::string& n) { w.fail_loads(std::stoi(n)); }},
      {"takeover",
       [](World& w, const std::string&) {
         w.ask(Host::beta, secondary::Event(secondary::TakeoverAsked{}));
       }},
      {"switchover",
       [](World& w, const std::string&) {
         w.ask(Host::alpha, primary::Event(primary::SwitchoverAsked{}));
       }},
      {"take-back",
       [](World& w, const std::string&) {
         w.ask(Host::alpha, primary::Event(primary::TakeoverAsked{}));
       }},
      {"fail-hooks", [](World& w, const std::string& n) { w.fail_hooks(std::stoi(n)); }},
      {"lose-secondary", [](World& w, const std::string&) { w.kill(Host::beta, true); }},
      {"drop-acknowledgement", [](World& w, const std::string&) { w.drop_next_ack(); }},
      {"restart-secondary", [](World& w, const std::string&) { w.restart_secondary(); }},
      {"stop-primary",
       [](World& w, const std::string&) {
         w.ask(Host::alpha, primary::Event(primary::StopAsked{}));
       }},
      {"replica-differs", [](World& w, const std::string&) { w.replica_differs(); }},
      {"end-replica", [](World& w, const std::string&) { w.end_replica(); }},
      {"mode",
       [](World& w, const std::string& word) {
         w.ask(Host::alpha, primary::Event(primary::ModeSet{mode_of(word)}));
       }},
      {"status", [](World&, const std::string&) {}},
  };
  return all;
}

// What the cores do on this command.
std::string tell(Story& story, const std::string& line) {
  std::istringstream words(line);
  std::string verb, word;
  words >> verb >> word;
  if (verb == "hold-limit") {
    story.options.hold.packets = std::stoul(word);
    return "";
  }
  if (verb == "mode" && !story.world) {
    story.options.primary.mode = mode_of(word);
    return "";
  }
  if (verb == "grace") {
    story.options.primary.grace = story.options.secondary.grace = milliseconds(std::stol(word));
    return "";
  }
  const auto command = commands().find(verb);
  if (command == commands().end()) return "unknown command: " + verb + "\n";
  if (!story.world) story.world = std::make_unique<World>(story.options);
  command->second(*story.world, word);
  std::string out;
  const auto& trace = story.world->trace();
  for (; story.told < trace.size(); ++story.told) out += trace[story.told] + "\n";
  if (verb == "status") out += status(*story.world) + "\n";
  return out;
}

// The file as it should be: comments and commands kept, everything else told anew.
std::string retold(const std::string& text, Story& story) {
  story.options.trace = true;
  // Only checkpoints that the story asks for.
  story.options.primary.delay = std::chrono::hours(1);
  std::istringstream lines(text);
  std::string out, line;
  while (std::getline(lines, line)) {
    if (line.rfind("> ", 0) == 0) {
      out += line + "\n" + tell(story, line.substr(2));
    } else if (line.empty() || line[0] == '#') {
      out += line + "\n";
    }
  }
  return out;
}

std::string difference(const std::string& expected, const std::string& actual) {
  std::istringstream left(expected), right(actual);
  std::string one, other, out;
  for (int number = 1; left || right; ++number) {
    const bool has_one = static_cast<bool>(std::getline(left, one));
    const bool has_other = static_cast<bool>(std::getline(right, other));
    if (has_one == has_other && one == other) continue;
    if (has_one) out += std::to_string(number) + " - " + one + "\n";
    if (has_other) out += std::to_string(number) + " + " + other + "\n";
    if (out.size() > 4000) break;
  }
  return out;
}

std::vector<std::filesystem::path> scenarios() {
  std::vector<std::filesystem::path> all;
  for (const auto& entry : std::filesystem::directory_iterator(COLO_SCENARIOS)) {
    if (entry.path().extension() == ".txt") all.push_back(entry.path());
  }
  std::sort(all.begin(), all.end());
  return all;
}

class Scenario : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Scenario, IsToldAsWritten) {
  std::ifstream in(GetParam());
  std::stringstream text;
  text << in.rdbuf();
  Story story;
  const std::string actual = retold(text.str(), story);
  ASSERT_TRUE(story.world) << "no command in " << GetParam();
  for (const auto& broken : story.world->judge().violations()) ADD_FAILURE() << broken;
  if (std::getenv("COLO_REWRITE_SCENARIOS") != nullptr) {
    std::ofstream(GetParam()) << actual;
    return;
  }
  EXPECT_EQ(text.str(), actual) << GetParam() << "\n" << difference(text.str(), actual);
}

INSTANTIATE_TEST_SUITE_P(Files, Scenario, ::testing::ValuesIn(scenarios()),
                         [](const auto& of) { return of.param.stem().string(); });

}  // namespace
}  // namespace colo::pair
