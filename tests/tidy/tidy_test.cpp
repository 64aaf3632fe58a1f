// This tree keeps its own rules. Each failure is a line that an editor can jump to.
#include <gtest/gtest.h>

#include "tests/tidy/rules.h"

namespace colo::tidy {
namespace {

class TidyTree : public testing::Test {
 protected:
  static void SetUpTestSuite() { tree = new Tree(read_tree(COLO_SOURCE_DIR)); }
  static void TearDownTestSuite() {
    delete tree;
    tree = nullptr;
  }
  static void expect_none(const Failures& failures) {
    for (const Failure& failure : failures) ADD_FAILURE() << failure.text();
  }
  static inline Tree* tree = nullptr;
};

TEST_F(TidyTree, IsReadWhole) {
  std::size_t sources = 0;
  for (const File& file : tree->files) sources += file.is_source() ? 1 : 0;
  EXPECT_GT(sources, 100U) << "only " << sources << " sources below " << COLO_SOURCE_DIR;
}
TEST_F(TidyTree, IncludesOnlyWhatEachRoomMay) { expect_none(include_rules(*tree)); }
TEST_F(TidyTree, HasShortFilesAndFunctions) { expect_none(length_rules(*tree)); }
TEST_F(TidyTree, HasHeadersThatSayTheirRole) { expect_none(header_rules(*tree)); }
TEST_F(TidyTree, LeavesNothingForLater) { expect_none(leftover_rules(*tree)); }
TEST_F(TidyTree, HasLinksThatLeadSomewhere) { expect_none(link_rules(*tree)); }
TEST_F(TidyTree, IsFormatted) {
  if (clang_format_program().empty()) {
    GTEST_SKIP() << "NOT CHECKED: there is no clang-format of version 14 (package clang-format)";
  }
  expect_none(format_rules(*tree));
}

}  // namespace
}  // namespace colo::tidy
