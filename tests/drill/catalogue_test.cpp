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
      const bool needs_qemu = fault.part == Part::qemu || fault.deed == Deed::unplug;
      EXPECT_FALSE(needs_qemu && drill.embedded) << drill.name;
    }
  }
}

// A guest that is gone is allowed only where nothing was protected yet.
TEST(Catalogue, LetsAGuestEndOnlyBeforeItIsProtected) {
  for (const Drill& drill : catalogue()) {
    if (drill.allowed.count(Outcome::ended) == 0) continue;
    EXPECT_EQ(drill.start, Start::first_copy) << drill.name;
  }
}

// What lasts until a new owner answers must have an owner that changes.
TEST(Catalogue, WaitsForANewOwnerOnlyWhereThereIsOne) {
  for (const Drill& drill : catalogue()) {
    if (drill.lasts) continue;
    EXPECT_EQ(drill.allowed.count(Outcome::unharmed), 0U) << drill.name;
    EXPECT_EQ(drill.allowed.count(Outcome::ended), 0U) << drill.name;
  }
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

std::string row_of(const Drill& drill) {
  std::string allowed;
  for (const Outcome outcome : drill.allowed) {
    allowed += (allowed.empty() ? "" : ", ") + std::string(word(outcome));
  }
  return "| `" + drill.name + "` | " + (drill.embedded ? "both" : "qemu") + " | " + drill.what +
         " | " + allowed + " |\n";
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
