#include "tests/e2e/pair_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "app/control_client.h"
#include "demo/config_text.h"
#include "demo/udp_client.h"
#include "io/key_file.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

// A loopback address that belongs to this process: 127.64.0.0/10 has room for every process id.
std::string own_ip() {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  return "127." + std::to_string(64 + (pid >> 16 & 63)) + "." + std::to_string(pid >> 8 & 255) +
         "." + std::to_string(pid & 255);
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

demo::Folder make_folder() {
  auto folder = demo::Folder::make();
  if (!folder) throw std::runtime_error(folder.error().text());
  if (auto made = io::create_key_file(folder->key()); !made) {
    throw std::runtime_error(made.error().text());
  }
  return std::move(*folder);
}

demo::HostText relayed(const std::string& name, const demo::RelayedHost& host) {
  const std::string ip = "127.0.0.1:";
  return {name,
          ip + std::to_string(host.replication),
          ip + std::to_string(host.heartbeat),
          ip + std::to_string(host.replication_listen),
          ip + std::to_string(host.heartbeat_listen),
          ""};
}

}  // namespace

bool wait_until(const std::function<bool()>& done, std::chrono::milliseconds within) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Pair::Pair(const Settings& settings) : folder_(make_folder()) {
  demo::ConfigText text;
  text.key_file = folder_.key();
  text.run_directory = folder_.run_directory();
  text.checkpoint_directory = folder_.checkpoint_directory();
  text.arbiter = settings.hides_arbiter ? demo::Folder::arbiter_mount() : folder_.arbiter();
  text.delay_ms = settings.delay_ms;
  demo::Setting setting;
  setting.memory_mib = settings.memory_mib;
  setting.dirty_pages_per_second = settings.dirty_pages_per_second;
  text.guest = demo::embedded_guest_lines(setting);
  if (settings.relay) {
    relay_ = std::make_unique<demo::Relay>();
    const auto hosts = relay_->start();
    if (!hosts) throw std::runtime_error(hosts.error().text());
    text.hosts = {relayed(alpha, (*hosts)[0]), relayed(beta, (*hosts)[1])};
  } else {
    const std::string ip = own_ip();
    text.hosts = {{alpha, ip + ":7700", ip + ":7701", "", "", ""},
                  {beta, ip + ":7702", ip + ":7703", "", "", ""}};
  }
  for (demo::HostText& host : text.hosts) {
    host.outside =
        "unix:" + engine_cable(host.name).string() + "," + switch_cable(host.name).string();
  }
  std::string file = settings.tls ? "" : "tls = false\n";
  file += demo::render(text);
  const std::string mode = "mode = \"periodic\"";
  file.replace(file.find(mode), mode.size(), "mode = \"" + settings.mode + "\"");
  const std::string table = "\n[arbiter]\n";
  if (!settings.arbiter.empty()) {
    file.resize(file.rfind(table) + table.size());
    file += settings.arbiter;
  }
  file += settings.more;
  file += "\n[heartbeat]\nlost_after = \"" + settings.lost_after + "\"\ngrace = \"" +
          settings.grace + "\"\n";
  file += "\n[limits]\nstream_timeout = \"" + settings.stream_timeout + "\"\n";
  if (auto written = demo::write_file(folder_.config(), file); !written) {
    throw std::runtime_error(written.error().text());
  }
  auto loaded = app::load_config(folder_.config());
  if (!loaded) throw std::runtime_error(loaded.error().front().text(folder_.config()));
  config_ = std::move(*loaded);
}

Pair::~Pair() {
  client_.reset();
  // A stopped one is killed as well as any other.
  engines_.clear();
}

fs::path Pair::engine_cable(const std::string& host) const {
  return folder_.path() / ("net0." + host);
}
fs::path Pair::switch_cable(const std::string& host) const {
  return folder_.path() / ("switch." + host);
}

fs::path Pair::changed(const std::string& name, const std::string& from,
                       const std::string& to) const {
  std::string text = text_of(folder_.config());
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  EXPECT_TRUE(demo::write_file(folder_.path() / name, text));
  return folder_.path() / name;
}

void Pair::start(const std::string& host, const fs::path& config) {
  const fs::path file = config.empty() ? folder_.config() : config;
  engines_.erase(host);
  auto child = demo::Child::start({{COLO_BINARY, "run", file.string(), "--host", host},
                                   -1,
                                   folder_.log(host),
                                   folder_.host_directory(host)});
  ASSERT_TRUE(child) << child.error().text();
  engines_.emplace(host, std::move(*child));
}

void Pair::protect() {
  start(alpha);
  start(beta);
  ASSERT_TRUE(becomes(alpha, State::protected_));
  ASSERT_TRUE(becomes(beta, State::standby));
}

void Pair::send_signal(const std::string& host, int number) { ::kill(pid(host), number); }

void Pair::kill(const std::string& host) {
  send_signal(host, SIGKILL);
  EXPECT_EQ(wait_for_end(host), "signal 9");
}

std::string Pair::wait_for_end(const std::string& host) {
  demo::Child& engine = engines_.at(host);
  if (!wait_until([&] { return engine.ended().has_value(); })) {
    ADD_FAILURE() << host << " does not end" << trouble(host);
    return "runs";
  }
  return *engine.ended();
}

std::string Pair::end(const std::string& host) {
  send_signal(host, SIGTERM);
  return wait_for_end(host);
}

pid_t Pair::pid(const std::string& host) const { return engines_.at(host).pid(); }

Result<app::Reply> Pair::ask(const std::string& host, const app::Request& request) const {
  return app::ask_engine(config_.control_socket(host), request);
}

app::Status Pair::status(const std::string& host) const {
  const auto reply = ask(host, {});
  if (!reply || !reply->status) {
    ADD_FAILURE() << "no status of " << host << trouble(host);
    return {};
  }
  return *reply->status;
}

testing::AssertionResult Pair::shows(const std::string& host, const std::string& what,
                                     const std::function<bool(const app::Status&)>& true_of) const {
  std::string last = "no answer";
  const bool came = wait_until([&] {
    const auto reply = ask(host, {});
    if (!reply || !reply->status) {
      last = reply ? "no status" : reply.error().text();
      return false;
    }
    last = app::to_text(*reply->status);
    return true_of(*reply->status);
  });
  if (came) return testing::AssertionSuccess() << last;
  return testing::AssertionFailure() << host << " does not show " << what << "; its last status:\n"
                                     << last << trouble(host);
}

testing::AssertionResult Pair::becomes(const std::string& host, State state) const {
  return shows(host, app::word(state),
               [&](const app::Status& status) { return status.state == state; });
}

testing::AssertionResult Pair::goes_on_at(const std::string& host) const {
  return shows(host, "a running guest of its own", [](const app::Status& status) {
    return status.role == "primary" && status.guest && status.guest->running &&
           (status.state == State::solo || status.state == State::syncing ||
            status.state == State::protected_);
  });
}

testing::AssertionResult Pair::protected_by(const std::string& host) const {
  if (auto primary = becomes(host, State::protected_); !primary) return primary;
  return becomes(host == alpha ? beta : alpha, State::standby);
}

testing::AssertionResult Pair::owned(const std::string& host, const std::string& by) const {
  return shows(host, "the owners " + by,
               [&](const app::Status& status) { return owners(status) == by; });
}

std::string Pair::trouble(const std::string& host) const {
  const std::string other = host == alpha ? beta : alpha;
  return "\nlog of " + host + ":\n" + folder_.tail(host) + "log of " + other + ":\n" +
         folder_.tail(other);
}

Ran Pair::colo(const std::string& verb, const std::string& host, const std::string& words) const {
  const fs::path out = folder_.path() / "out";
  const fs::path err = folder_.path() / "err";
  const std::string command = std::string("exec '") + COLO_BINARY + "' " + verb + " " +
                              folder_.config().string() + " --host " + host + " " + words + " >" +
                              out.string() + " 2>" + err.string() + " </dev/null";
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
}

Ran Pair::colo_run(const std::string& host, const fs::path& config) const {
  const fs::path said = folder_.path() / "refused";
  fs::remove(said);
  auto child =
      demo::Child::start({{COLO_BINARY, "run", config.string(), "--host", host}, -1, said});
  if (!child) return {};
  if (!wait_until([&] { return child->ended().has_value(); })) {
    return {-1, "", "it runs: " + text_of(said)};
  }
  const std::string how = *child->ended();
  const std::string exited = "exit status ";
  if (how.rfind(exited, 0) != 0) return {-1, "", how + ": " + text_of(said)};
  return {std::stoi(how.substr(exited.size())), "", text_of(said)};
}

std::string Pair::log(const std::string& host) const { return text_of(folder_.log(host)); }

testing::AssertionResult Pair::logs(const std::string& host, const std::string& words) const {
  if (wait_until([&] { return log(host).find(words) != std::string::npos; })) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << host << " never logs \"" << words << "\"" << trouble(host);
}

demo::Client& Pair::talk() {
  std::vector<demo::SwitchPort> ports;
  for (const char* host : {alpha, beta}) {
    fs::remove(switch_cable(host));
    ports.push_back({switch_cable(host), engine_cable(host)});
  }
  auto network = demo::UnixSwitch::open(ports);
  if (!network) throw std::runtime_error(network.error().text());
  std::random_device random;
  client_ = std::make_unique<demo::Client>(
      std::make_unique<demo::UdpClient>(std::move(*network), random() | 1U));
  return *client_;
}

testing::AssertionResult Pair::answers(std::uint64_t replies) {
  const std::int64_t now = demo::unix_now_ns();
  if (wait_until([&] { return client_->replies_since(now) >= replies; })) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << client_->replies_since(now) << " replies, not " << replies
                                     << "; " << client_->figures().trouble << trouble(alpha);
}

testing::AssertionResult Pair::conversation_holds() {
  client_->finish();
  const demo::ClientFigures figures = client_->figures();
  client_.reset();
  if (figures.whole_fits && figures.lost == 0 && figures.wrong == 0 && figures.resets == 0 &&
      figures.unanswered == 0 && figures.acknowledged > 0) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure()
         << figures.acknowledged << " acknowledged, " << figures.lost << " lost, " << figures.wrong
         << " wrong, " << figures.unanswered << " unanswered, digest "
         << (figures.whole_fits ? "right" : "not right") << "; " << figures.trouble
         << trouble(alpha);
}

std::string owners(const app::Status& status) {
  std::string text;
  for (const app::OwnerStatus& one : status.owners) {
    text += (text.empty() ? "" : " ") + (one.owner.empty() ? std::string("-") : one.owner);
  }
  return text;
}

}  // namespace colo::e2e
