// The binary as an operator and as a script sees it: exit status, and what is on which stream.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <thread>

#include "app/control_server.h"
#include "app/run_lock.h"
#include "tests/app/samples.h"
#include "tests/app/scratch.h"

namespace colo::app {
namespace {

using testing::HasSubstr;

struct Ran {
  int status = -1;
  std::string out, err;
};

class Cli : public testing::Test {
 protected:
  // A file for an embedded guest on loopback, all of whose paths are in the scratch directory.
  void SetUp() override {
    std::string text = sample_config;
    text = text.substr(0, text.find("[guest]")) + "[guest]\nkind = \"embedded\"\n" +
           text.substr(text.find("[[nic]]"));
    text = changed(text, "\"/etc/colo/ledger.key\"", "\"" + path("key") + "\"");
    text = changed(text, "\"/run/colo\"", "\"" + path("run") + "\"");
    text = changed(text, "\"/srv/shared/ledger\"", "\"" + path("arbiter") + "\"");
    text = changed(text, "tap:tap0", "tap:no-such-tap0");
    file = scratch.write("ledger.toml", text).string();
  }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (scratch.path() / name).string();
  }

  [[nodiscard]] Ran run(const std::string& arguments) const {
    const std::string command = std::string("'") + COLO_BINARY + "' " + arguments + " >" +
                                path("out") + " 2>" + path("err") + " </dev/null";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_text(path("out")),
            read_text(path("err"))};
  }

  Scratch scratch;
  std::string file;
};

TEST_F(Cli, SaysItsVersion) {
  const Ran ran = run("--version");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "colo " COLO_VERSION "\n");
}

TEST_F(Cli, HelpNamesEveryVerb) {
  const Ran ran = run("--help");
  EXPECT_EQ(ran.status, 0);
  for (const char* verb : {"run", "check", "keygen", "status", "checkpoint", "switchover",
                           "takeover", "give-back", "set"}) {
    EXPECT_THAT(ran.out, HasSubstr(std::string("\n  ") + verb));
  }
}

TEST_F(Cli, BadUsageIsStatusTwo) {
  for (const char* arguments : {"", "fly", "status", "status --fast x", "run", "set FILE"}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.status, 2) << arguments;
    EXPECT_FALSE(ran.err.empty()) << arguments;
    EXPECT_EQ(ran.out, "") << arguments;
  }
}

TEST_F(Cli, ABadFileIsStatusTwoForEveryVerbWithAllItsProblems) {
  const std::string bad = scratch.write("bad.toml", "nmae = \"x\"\ndelay = \"5\"\n").string();
  for (const char* verb :
       {"run", "check", "status", "checkpoint", "switchover", "takeover", "give-back"}) {
    const Ran ran = run(std::string(verb) + " " + bad);
    EXPECT_EQ(ran.status, 2) << verb;
    EXPECT_THAT(ran.err, HasSubstr(bad + ":1: unknown-key: `nmae`"));
    EXPECT_THAT(ran.err, HasSubstr(bad + ":2: bad-duration: `delay`"));
  }
}

TEST_F(Cli, AHostThatIsNeitherIsStatusTwoAndToldTheTwo) {
  const Ran named = run("status " + file + " --host gamma");
  EXPECT_EQ(named.status, 2);
  EXPECT_THAT(named.err, HasSubstr("\"gamma\" is not a host of ledger"));
  EXPECT_THAT(named.err, HasSubstr("alpha and beta"));
  const Ran unnamed = run("status " + file);
  EXPECT_EQ(unnamed.status, 2);
  EXPECT_THAT(unnamed.err, HasSubstr("--host"));
}

TEST_F(Cli, WithoutAnEngineTheVerbsFailAndSayHowToStartIt) {
  for (const char* verb :
       {"status", "status --json", "checkpoint", "switchover", "takeover", "give-back"}) {
    const Ran ran = run(std::string(verb) + " " + file + " --host alpha");
    EXPECT_EQ(ran.status, 1) << verb;
    EXPECT_THAT(ran.err, HasSubstr("not-running"));
    EXPECT_THAT(ran.err, HasSubstr("colo run FILE"));
  }
  EXPECT_EQ(run("set " + file + " delay=50ms --host alpha").status, 1);
}

TEST_F(Cli, SetKnowsWhatCanBeSet) {
  const Ran key = run("set " + file + " dely=50ms --host alpha");
  EXPECT_EQ(key.status, 2);
  EXPECT_THAT(key.err, HasSubstr("did you mean `delay`?"));
  const Ran value = run("set " + file + " delay=1ms --host alpha");
  EXPECT_EQ(value.status, 2);
  EXPECT_THAT(value.err, HasSubstr("must be from 5ms to 1min"));
  EXPECT_EQ(run("set " + file + " delay --host alpha").status, 2);
  const Ran peer = run("set " + file + " peer=beta:7700 --host alpha");
  EXPECT_EQ(peer.status, 2);
  EXPECT_THAT(peer.err, HasSubstr("names are not resolved"));
  EXPECT_EQ(run("set " + file + " peer-heartbeat=10.0.0.1:7, --host alpha").status, 2);
  EXPECT_EQ(run("set " + file + " peer=10.0.0.1:7700 --host alpha").status, 1) << "no engine runs";
}

TEST_F(Cli, KeygenMakesAKeyOnceAndNeverOverwrites) {
  EXPECT_EQ(run("keygen " + path("key")).status, 0);
  struct stat facts {};
  ASSERT_EQ(::stat(path("key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600U);
  const std::string key = read_text(path("key"));
  const Ran again = run("keygen " + path("key"));
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.err, HasSubstr("key-exists"));
  EXPECT_EQ(read_text(path("key")), key);
}

TEST_F(Cli, CheckListsWhatIsMissingWithRemedies) {
  const Ran ran = run("check " + file + " --host alpha");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.out, HasSubstr("missing  key-missing: "));
  EXPECT_THAT(ran.out, HasSubstr("missing  arbiter-missing: "));
  EXPECT_THAT(ran.out, HasSubstr("missing  outside-missing: there is no interface no-such-tap0"));
  EXPECT_THAT(ran.out, HasSubstr(" -> "));
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("ready")));
}

TEST_F(Cli, RunRefusesWhatCheckFinds) {
  const Ran ran = run("run " + file + " --host alpha");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("missing  key-missing: "));
}

TEST_F(Cli, RunRefusesWhileAnEngineRuns) {
  const auto lock = RunLock::take(scratch.path() / "run" / "ledger.alpha");
  ASSERT_TRUE(lock);
  const Ran ran = run("run " + file + " --host alpha");
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("already-running"));
  EXPECT_THAT(ran.err, HasSubstr("pid " + std::to_string(::getpid())));
}

TEST_F(Cli, RunRefusesALogLevelThatThereIsNot) {
  const Ran ran = run("run " + file + " --host alpha --log-level loud");
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.err, HasSubstr("bad-log-level"));
}

// An engine's end of the control socket that answers with what the test gives it.
class Answering {
 public:
  Answering(const std::filesystem::path& socket, Reply reply) {
    std::filesystem::create_directories(socket.parent_path());
    auto server = ControlServer::start(loop_, socket, [this, reply](const Request& request) {
      asked = request;
      return reply;
    });
    if (!server) ADD_FAILURE() << server.error().text();
    if (server) server_ = std::move(*server);
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Answering() {
    loop_.stop();
    thread_.join();
  }
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  Request asked;  // read it when the command has ended

 private:
  boost::asio::io_context loop_;
  std::unique_ptr<ControlServer> server_;
  std::thread thread_;
};

TEST_F(Cli, StatusIsTextForAPersonAndJsonForAScript) {
  Reply reply;
  reply.status = Status{};
  reply.status->state = State::solo;
  reply.status->reason = "beta is not there";
  const Answering engine(scratch.path() / "run" / "ledger.alpha" / "control.sock", reply);
  const Ran text = run("status " + file + " --host alpha");
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, testing::StartsWith("SOLO: beta is not there\n"));
  const Ran json = run("status " + file + " --host alpha --json");
  EXPECT_EQ(json.status, 0);
  EXPECT_TRUE(status_from_json(json.out));
}

TEST_F(Cli, ARefusalOfTheEngineIsStatusOneWithItsReason) {
  Reply reply;
  reply.error = Error{"not-secondary", "alpha is the primary", "run it on beta"};
  const Answering engine(scratch.path() / "run" / "ledger.alpha" / "control.sock", reply);
  const Ran ran = run("takeover " + file + " --host alpha");
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(ran.err, "colo: not-secondary: alpha is the primary (run it on beta)\n");
  EXPECT_EQ(engine.asked.command, Command::takeover);
}

TEST_F(Cli, SetHandsKeyAndValueToTheEngine) {
  Reply reply;
  reply.message = "delay is 50ms now";
  const Answering engine(scratch.path() / "run" / "ledger.alpha" / "control.sock", reply);
  const Ran ran = run("set " + file + " delay=50ms --host alpha");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.out, "delay is 50ms now\n");
  EXPECT_EQ(engine.asked.command, Command::set);
  EXPECT_EQ(engine.asked.key, "delay");
  EXPECT_EQ(engine.asked.value, "50ms");
}

}  // namespace
}  // namespace colo::app
