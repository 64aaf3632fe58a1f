// Each rule can fail: a small tree that breaks it, and the line that is told.
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>

#include "tests/tidy/functions.h"
#include "tests/tidy/rules.h"

namespace colo::tidy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TidyRules : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "colo-tidy-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  std::vector<std::string> told(Failures (*rule)(const Tree&)) const {
    std::vector<std::string> lines;
    for (const Failure& failure : rule(read_tree(root_))) lines.push_back(failure.text());
    return lines;
  }
  // What an include in a file is told; empty when it is allowed.
  std::string include(const std::string& path, const std::string& what) {
    write(path, "// A comment.\n#include " + what + "\n");
    const auto lines = told(include_rules);
    std::filesystem::remove(root_ / path);
    return lines.empty() ? "" : lines[0];
  }

 private:
  std::filesystem::path root_;
};

TEST_F(TidyRules, RoomsMayNotIncludeEachOtherAgainstTheOrder) {
  EXPECT_EQ(include("wire/a.h", "\"cache/cache.h\""),
            "wire/a.h:2: wire may not include \"cache/cache.h\"");
  for (const auto& [path, what] : std::vector<std::pair<std::string, std::string>>{
           {"base/a.h", "\"wire/header.h\""},
           {"cache/a.h", "\"wire/header.h\""},
           {"compare/a.h", "\"cache/cache.h\""},
           {"heartbeat/a.cpp", "\"io/lane.h\""},
           {"guest/a.cpp", "\"wire/header.h\""},
           {"primary/pipe.cpp", "\"secondary/core.h\""},
           {"primary/pipe.cpp", "\"io/lane.h\""},
           {"secondary/pipe.cpp", "\"primary/core.h\""},
           {"secondary/pipe.cpp", "\"app/config.h\""},
           {"io/a.cpp", "\"primary/core.h\""},
           {"io/a.cpp", "\"app/config.h\""},
           {"app/a.cpp", "\"demo/stage.h\""},
           {"app/a.cpp", "\"tests/tidy/rules.h\""},
           {"demo/a.cpp", "\"app/config.h\""},
           {"tests/sim/a.cpp", "\"io/lane.h\""},
           {"wire/a.cpp", "<boost/asio.hpp>"},
           {"heartbeat/a.cpp", "<spdlog/spdlog.h>"},
           {"guest/a.cpp", "<liburing.h>"},
           {"app/a.cpp", "\"config.h\""},
       }) {
    EXPECT_NE(include(path, what), "") << path << " includes " << what;
  }
}

TEST_F(TidyRules, RoomsMayIncludeWhatTheOrderAllows) {
  for (const auto& [path, what] : std::vector<std::pair<std::string, std::string>>{
           {"base/a.h", "<vector>"},
           {"wire/a.h", "\"base/types.h\""},
           {"primary/pipe.cpp", "\"guest/guest.h\""},
           {"primary/core_session.cpp", "\"primary/core.h\""},
           {"primary/core.h", "\"primary/events.h\""},
           {"io/a.cpp", "\"wire/header.h\""},
           {"io/a.cpp", "<boost/asio.hpp>"},
           {"app/a.cpp", "\"secondary/core.h\""},
           {"guest/a.cpp", "\"guest/qemu/monitor.h\""},
           {"tests/guest/a.cpp", "\"guest/qemu/monitor.h\""},
           {"tests/pair/a.cpp", "\"io/lane.h\""},
       }) {
    EXPECT_EQ(include(path, what), "");
  }
}

TEST_F(TidyRules, ACoreSeesNoClockThreadOrGuest) {
  for (const char* path : {"primary/core.h", "secondary/core_takeover.cpp", "primary/events.h"}) {
    for (const char* what :
         {"<thread>", "<mutex>", "<random>", "<boost/asio.hpp>", "<liburing.h>",
          "<spdlog/spdlog.h>", "\"guest/guest.h\"", "\"io/lane.h\"", "\"app/config.h\"",
          "\"primary/capture.h\"", "\"secondary/stager.h\""}) {
      EXPECT_NE(include(path, what), "") << path << " includes " << what;
    }
  }
  write("primary/core.cpp", "// A comment.\nauto now = std::chrono::steady_clock::now();\n");
  EXPECT_THAT(told(include_rules),
              ElementsAre("primary/core.cpp:2: a core has no clock; time is an argument"));
}

TEST_F(TidyRules, OnlyTheGuestRoomKnowsQemu) {
  EXPECT_EQ(include("app/a.cpp", "\"guest/qemu/monitor.h\""),
            "app/a.cpp:2: only guest/ knows QEMU: \"guest/qemu/monitor.h\"");
  write("app/a.cpp", "// Over QMP.\n");
  write("guest/a.cpp", "// Over QMP.\n");
  EXPECT_THAT(told(include_rules), ElementsAre("app/a.cpp:1: only guest/ speaks of QMP"));
}

TEST_F(TidyRules, FilesHaveAtMost400Lines) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "\n";
  write("io/a.cpp", text);
  EXPECT_THAT(told(length_rules), IsEmpty());
  write("io/a.cpp", text + "\n");
  EXPECT_THAT(told(length_rules),
              ElementsAre("io/a.cpp:401: the file has 401 lines, more than 400"));
}

std::string function_of(std::size_t lines) {
  std::string text = "void f() {\n";
  for (std::size_t i = 2; i < lines; ++i) text += "  g();\n";
  return text + "}\n";
}

TEST_F(TidyRules, FunctionsHaveAtMost70Lines) {
  write("io/a.cpp", "namespace n {\n" + function_of(70) + "}\n");
  EXPECT_THAT(told(length_rules), IsEmpty());
  write("io/a.cpp", "namespace n {\n" + function_of(71) + "}\n");
  EXPECT_THAT(told(length_rules),
              ElementsAre("io/a.cpp:2: the function has 71 lines, more than 70"));
}

TEST_F(TidyRules, HeadersSayTheirRoleAndAreIncludedOnce) {
  write("io/a.h", "// A role.\n#pragma once\n");
  EXPECT_THAT(told(header_rules), IsEmpty());
  write("io/a.h", "#pragma once\n// A role.\n");
  EXPECT_THAT(told(header_rules),
              ElementsAre("io/a.h:1: a header begins with a comment that says its role"));
  write("io/a.h", "// A role.\n");
  EXPECT_THAT(told(header_rules), ElementsAre("io/a.h:1: a header has #pragma once"));
}

TEST_F(TidyRules, NothingIsLeftForLater) {
  write("io/a.cpp", "int TODOS;  // and FIXMEs\n");
  EXPECT_THAT(told(leftover_rules), IsEmpty());
  write("io/a.cpp",
        "int a;\n// TO"
        "DO: more\n");
  write("docs/a.md",
        "FIX"
        "ME\n");
  write("build/a.cpp",
        "// TO"
        "DO: not ours\n");
  EXPECT_THAT(told(leftover_rules), ElementsAre("docs/a.md:1: nothing is left for later: FIX"
                                                "ME",
                                                "io/a.cpp:2: nothing is left for later: TO"
                                                "DO"));
}

TEST_F(TidyRules, LinksLeadSomewhere) {
  write("docs/a.md",
        "[one](b.md#part) [two](../README.md) [web](https://example.org) [here](#part)\n"
        "```\n[shown](not-there.md)\n```\n");
  write("docs/b.md", "b\n");
  write("README.md", "[docs](docs/a.md)\n");
  EXPECT_THAT(told(link_rules), IsEmpty());
  write("README.md", "A line.\n[docs](docs/a.md) and [more](docs/c.md)\n");
  EXPECT_THAT(told(link_rules), ElementsAre("README.md:2: the link leads nowhere: docs/c.md"));
}

TEST_F(TidyRules, SourcesAreFormatted) {
  if (clang_format_program().empty()) {
    GTEST_SKIP() << "NOT CHECKED: there is no clang-format of version 14 (package clang-format)";
  }
  write(".clang-format", "BasedOnStyle: Google\n");
  write("io/a.cpp", "int a;\nint b;\n");
  EXPECT_THAT(told(format_rules), IsEmpty());
  write("io/a.cpp", "int a;\nint  b;\nint  c;\n");
  EXPECT_THAT(told(format_rules),
              ElementsAre("io/a.cpp:2: not as clang-format 14 writes it: run ./dev format"));
  write(".clang-format", "BasedOnStyle: Nobody\n");
  EXPECT_THAT(told(format_rules), ElementsAre(testing::HasSubstr("clang-format failed")));
}

std::vector<std::size_t> lengths(const std::string& text) {
  std::vector<std::size_t> all;
  for (const Function& function : find_functions(text)) all.push_back(function.lines());
  return all;
}

TEST(TidyFunctions, AreFoundWhereverTheyStand) {
  EXPECT_THAT(lengths("int f() {\n  return 1;\n}\n"), ElementsAre(3));
  EXPECT_THAT(lengths("namespace n {\nclass C {\n  int f() const {\n    return a_;\n  }\n};\n}\n"),
              ElementsAre(3));
  EXPECT_THAT(lengths("bool operator==(A a, A b) {\n}\n"), ElementsAre(2));
  EXPECT_THAT(lengths("void f(int a,\n       int b) {\n}\n"), ElementsAre(3));
  EXPECT_THAT(lengths("C::C(int a)\n    : a_(a),\n      b_{a},\n      c_{} {\n  g();\n}\n"),
              ElementsAre(6));
  EXPECT_THAT(lengths("struct flock whole() {\n}\nTEST(A, B) {\n}\n"), ElementsAre(2, 2));
  EXPECT_THAT(lengths("auto f() -> int {\n}\n"), ElementsAre(2));
}

TEST(TidyFunctions, AreNotSeenWhereThereAreNone) {
  EXPECT_THAT(lengths("struct S {\n  int a = f();\n  int b{0};\n};\n"), IsEmpty());
  EXPECT_THAT(lengths("const int a[] = {\n  1, (2), 3};\n"), IsEmpty());
  EXPECT_THAT(lengths("enum class E {\n  a,\n};\n"), IsEmpty());
  EXPECT_THAT(lengths("// int f() {\n/* int g() {\n} */\n"), IsEmpty());
  EXPECT_THAT(lengths("#define F(x) \\\n  do { \\\n  } while (x)\n"), IsEmpty());
}

TEST(TidyFunctions, EndAtTheirOwnBrace) {
  EXPECT_THAT(lengths("void f() {\n  if (a) {\n  }\n  auto l = [] {\n  };\n}\nint x;\n"),
              ElementsAre(6));
  EXPECT_THAT(lengths("void f() {\n  char c = '}';\n  g(\"}\", R\"(}\n})\");  // }\n}\n"),
              ElementsAre(5));
  EXPECT_THAT(lengths("void f() {\n  int n = 1'000;\n}\nvoid g() {\n  h('\\'');\n}\n"),
              ElementsAre(3, 3));
  EXPECT_THAT(lengths("void f() {\n  g({1, 2});\n  for (;;) {\n  }\n}\n"), ElementsAre(5));
}

}  // namespace
}  // namespace colo::tidy
