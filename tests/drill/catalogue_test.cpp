// The catalogue says of each drill what it allows, and names no fault that cannot be put.
#include "drill/catalogue.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

namespace colo::drill {
namespace {

TEST(Catalogue, NamesEachDrillOnceAndSaysWhatItAllows) {
  std::set<std::string> names;
  for (const Drill& drill : catalogue()) {
    EXPECT_TRUE(names.insert(drill.name).second) << drill.name << " twice";
    EXPECT_FALSE(drill.what.empty()) << drill.name;
    EXPECT_FALSE(drill.faults.empty()) << drill.name;
    EXPECT_LT(drill.clock, drill.faults.size()) << drill.name;
    EXPECT_FALSE(drill.allowed.empty()) << drill.name;
    EXPECT_TRUE(drill.qemu || drill.embedded) << drill.name;
  }
}

TEST(Catalogue, AsksTheEmbeddedGuestForNoProcessOfItsOwn) {
  for (const Drill& drill : catalogue()) {
    for (const Fault& fault : drill.faults) {
      const bool needs_qemu =
          fault.part == Part::qemu || fault.part == Part::spare || fault.deed == Deed::unplug;
      EXPECT_FALSE(needs_qemu && drill.embedded) << drill.name;
    }
  }
}

std::vector<Drill> played_in(const std::string& mode) {
  std::vector<Drill> played;
  for (const Drill& drill : catalogue()) {
    if (auto one = in_mode(drill, mode)) played.push_back(std::move(*one));
  }
  return played;
}

// A guest that is gone is allowed only where nothing was protected yet; and, where a replica runs,
// if both guests were harmed.
TEST(Catalogue, LetsAGuestEndOnlyBeforeItIsProtectedOrWithItsReplica) {
  for (const char* mode : {"periodic", "colo"}) {
    for (const Drill& drill : played_in(mode)) {
      if (drill.allowed.count(Outcome::ended) == 0) continue;
      if (drill.start == Start::first_copy) continue;
      EXPECT_STREQ(mode, "colo") << drill.name;
      std::set<Role> harmed;
      for (const Fault& fault : drill.faults) harmed.insert(fault.whose);
      EXPECT_EQ(harmed.size(), 2U) << drill.name;
    }
  }
}

// What lasts until a new owner answers must have an owner that changes.
TEST(Catalogue, WaitsForANewOwnerOnlyWhereThereIsOne) {
  for (const char* mode : {"periodic", "colo", "auto"}) {
    for (const Drill& drill : played_in(mode)) {
      if (drill.lasts) continue;
      EXPECT_EQ(drill.allowed.count(Outcome::unharmed), 0U) << drill.name << " in " << mode;
      EXPECT_EQ(drill.allowed.count(Outcome::ended), 0U) << drill.name << " in " << mode;
    }
  }
}

TEST(Catalogue, PlaysEachDrillInTheModesThatItIsFor) {
  for (const Drill& drill : catalogue()) {
    EXPECT_TRUE(drill.periodic || drill.colo) << drill.name;
    EXPECT_EQ(in_mode(drill, "periodic").has_value(), drill.periodic) << drill.name;
    EXPECT_EQ(in_mode(drill, "colo").has_value(), drill.colo) << drill.name;
    EXPECT_EQ(in_mode(drill, "auto").has_value(), drill.colo) << drill.name;
  }
}

TEST(Catalogue, AllowsInColoModeWhatThatModeAllowsAndInAutoEither) {
  Drill drill;
  drill.allowed = {Outcome::unharmed};
  drill.lasts = milliseconds(3000);
  drill.in_colo = InColo{{Outcome::kept}, "the replica is lost", {}, phase_idle};
  EXPECT_EQ(in_mode(drill, "periodic")->allowed, std::set{Outcome::unharmed});
  EXPECT_TRUE(in_mode(drill, "periodic")->phase.empty());
  EXPECT_EQ(in_mode(drill, "colo")->allowed, std::set{Outcome::kept});
  EXPECT_EQ(in_mode(drill, "colo")->lasts, milliseconds(3000));
  EXPECT_EQ(in_mode(drill, "colo")->phase, phase_idle);
  EXPECT_EQ(in_mode(drill, "auto")->allowed, (std::set{Outcome::unharmed, Outcome::kept}));
}

TEST(Catalogue, CoversEveryFaultThatAHostOrALinkCanHave) {
  std::set<std::string> put;
  for (const Drill& drill : catalogue()) {
    for (const Fault& fault : drill.faults) put.insert(describe(fault));
  }
  for (const char* part : {"host", "engine", "QEMU"}) {
    for (const char* deed : {"kill ", "freeze "}) {
      for (const char* role : {" of primary", " of secondary"}) {
        EXPECT_EQ(put.count(deed + std::string(part) + role), 1U) << deed << part << role;
      }
    }
  }
  for (const char* other :
       {"link silent", "link silent towards primary", "link silent towards secondary", "cable out",
        "connections reset", "arbiter down", "arbiter cut from primary",
        "arbiter cut from secondary", "switchover asked"}) {
    EXPECT_EQ(put.count(other), 1U) << other;
  }
}

std::string words(const std::set<Outcome>& outcomes) {
  std::string text;
  for (const Outcome outcome : outcomes) {
    text += (text.empty() ? "" : ", ") + std::string(word(outcome));
  }
  return text;
}

std::string row_of(const Drill& drill) {
  std::string in_colo = "the same";
  if (!drill.colo) {
    in_colo = "not played";
  } else if (!drill.periodic) {
    in_colo = words(drill.allowed);
  } else if (drill.in_colo) {
    in_colo = words(drill.in_colo->allowed) + ": " + drill.in_colo->what;
  }
  return "| `" + drill.name + "` | " + (drill.embedded ? "both" : "qemu") + " | " + drill.what +
         " | " + (drill.periodic ? words(drill.allowed) : "not played") + " | " + in_colo + " |\n";
}

// Whoever reads the page reads what is played, no more and no less.
TEST(Catalogue, IsWhatItsPageSays) {
  std::ifstream file(std::filesystem::path(COLO_SOURCE_DIR) / "docs/drills.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  std::size_t rows = 0;
  for (std::size_t at = page.find("\n| `"); at != std::string::npos;
       at = page.find("\n| `", at + 1))
    rows += 1;
  for (const Drill& drill : catalogue()) {
    EXPECT_NE(page.find("\n" + row_of(drill)), std::string::npos) << row_of(drill);
  }
  EXPECT_EQ(rows, catalogue().size());
}

}  // namespace
}  // namespace colo::drill
