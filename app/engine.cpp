#include "app/engine.h"

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <thread>

#include "app/engine_core.h"
#include "app/engine_primary.h"
#include "app/engine_secondary.h"
#include "app/setting.h"
#include "arbiter/make.h"
#include "base/overloaded.h"
#include "heartbeat/start.h"
#include "io/clock.h"
#include "io/key_file.h"

namespace colo::app {

namespace {

// How often a host that waits asks the arbiter whether something changed.
constexpr auto arbiter_poll = std::chrono::seconds(1);
// For the threads to end what they are at, when asked to end.
constexpr auto exit_patience = std::chrono::seconds(3);

boost::asio::ip::udp::endpoint udp(const Address& address) {
  return {boost::asio::ip::make_address(address.ip), address.port};
}

Reply refused(const Error& error) {
  Reply reply;
  reply.error = error;
  return reply;
}

}  // namespace

Engine::Engine(const Config& config, const std::string& name, const RunOptions& options)
    : host_(loop_, config, name, options.config_file),
      signals_(loop_, SIGTERM, SIGINT),
      beat_timer_(loop_),
      arbiter_timer_(loop_),
      waiting_{"asking the arbiter who owns the guest", "", std::nullopt} {}

Engine::~Engine() = default;

Result<void> Engine::open() {
  const Config& config = host_.config;
  auto key = io::read_key_file(config.key_file);
  if (!key) return fail(key.error());
  host_.key = *key;
  host_.arbiter = arbiter::make_arbiter(config.arbiter, config.asker(host_.name));
  auto maker = guest::make_guest_maker(to_guest_config(config, host_.name));
  if (!maker) return fail(maker.error());
  host_.maker = std::move(*maker);
  if (!config.checkpoint_directory.empty()) {
    auto files = CheckpointFiles::open(config.checkpoint_directory,
                                       config.engine_directory(host_.name).filename());
    if (files) {
      host_.checkpoint_files = std::move(*files);
    } else {
      spdlog::warn("as a secondary this host would keep nothing for a restart of its engine: {}",
                   files.error().text());
    }
  }

  std::vector<io::OutsidePort> outside;
  for (const OutsideConfig& port : config.own(host_.name).outside) {
    auto opened = io::open_outside(port.nic, port.spec);
    if (!opened) return fail(opened.error());
    outside.push_back(std::move(*opened));
  }
  io::GateLimits limits;
  limits.hold = {config.limits.hold_packets, config.limits.hold_bytes};
  limits.compare.silence = config.colo.silence;
  auto gate = io::PacketGate::start(std::move(outside), limits, gate_handlers());
  if (!gate) return fail(gate.error());
  host_.gate = std::move(*gate);

  io::HeartbeatOptions heartbeat{host_.key, host_.name, host_.run, {}, config.heartbeat.interval};
  const HostConfig& own = config.own(host_.name);
  for (std::size_t i = 0; i < own.heartbeat.size(); ++i) {
    heartbeat.links.push_back({udp(own.heartbeat_listen[i]), udp(host_.peer.heartbeat[i])});
  }
  auto links = io::HeartbeatLinks::start(loop_, std::move(heartbeat),
                                         [this](std::size_t link, const io::PeerState& peer) {
                                           heard(link, {0, peer.generation, peer.guest});
                                         });
  if (!links) return fail(links.error());
  heartbeat_ = std::move(*links);

  auto control = ControlServer::start(loop_, config.control_socket(host_.name),
                                      [this](const Request& request) { return handle(request); });
  if (!control) return fail(control.error());
  control_ = std::move(*control);
  return {};
}

int Engine::run() {
  watch_signals();
  last_beat_ = io::steady_now();
  beat();
  read_arbiter();
  loop_.run();
  // Sides hold lanes and timers of the loop: they go before it.
  side_.reset();
  return exit_status_;
}

void Engine::watch_signals() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (error) return;
    spdlog::info("asked to end by signal {}", number);
    // Asked twice, nothing is waited for.
    if (std::exchange(asked_to_end_, true)) host_.hook_cancel.cancel();
    if (finishing_) {
      spdlog::info("ending");
    } else if (side_) {
      side_->stop();
    } else {
      finish(0);
    }
    watch_signals();
  });
}

void Engine::beat() {
  if (finishing_) return;  // it was due already when the timer was taken for the end
  const Instant now = io::steady_now();
  // A loop that comes this late stood still (SIGSTOP, a paused host): the silence is our own.
  if (side_ && now - last_beat_ > host_.config.heartbeat.lost_after / 2) {
    spdlog::warn("this engine stood still for {} ms",
                 std::chrono::duration_cast<std::chrono::milliseconds>(now - last_beat_).count());
    side_->stalled(last_beat_, now);
  }
  last_beat_ = now;
  const auto side = side_;
  if (side) side->beat(now);
  const wire::Alive says = side ? side->says() : wire::Alive{};
  heartbeat_->set_state(says.generation, says.guest);
  beat_timer_.expires_after(host_.config.heartbeat.interval);
  beat_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) beat();
  });
}

void Engine::heard(std::size_t link, const wire::Alive& peer) {
  const auto side = side_;
  if (side) {
    side->heard(link, peer);
    return;
  }
  // The peer owns the guest and runs it: there is nothing left to wait for.
  const bool waits = !finishing_ && !waiting_.next.empty();
  if (!waits || peer.guest != wire::GuestHere::runs) return;
  if (waiting_.takeable && peer.generation < *waiting_.takeable) return;
  spdlog::info("{} runs the guest in generation {}", host_.peer_name(), peer.generation.value);
  arbiter_timer_.cancel();
  become_secondary("", {});
}

void Engine::read_arbiter() {
  host_.read_ownership([this](const Result<heartbeat::Ownership>& ownership) {
    if (!side_ && !finishing_) on_ownership(ownership);
  });
}

void Engine::on_ownership(const Result<heartbeat::Ownership>& ownership) {
  if (!ownership) {
    wait(ownership.error().text(), host_.look_at_arbiter(), std::nullopt);
    return;
  }
  const auto start = heartbeat::decide_start(*ownership, host_.name, host_.config.first_primary);
  if (start != heartbeat::Start::claim && !std::exchange(released_, true)) {
    // A run before this one may have been killed with them.
    host_.release(HookRunner::Of::all, HookCause::lost, ownership->generation, [] {});
  }
  switch (start) {
    case heartbeat::Start::claim:
      become_primary(ownership->generation);
      return;
    case heartbeat::Start::join:
      become_secondary(ownership->run, ownership->generation);
      return;
    case heartbeat::Start::wait:
      // With a fence agent a host may know of no owner and yet not that there is none.
      wait((ownership->generation.value == 0 ? std::string("this host does not know who owned it")
                                             : "an earlier run of this host owned generation " +
                                                   std::to_string(ownership->generation.value)) +
               "; " + host_.peer_name() + " may hold a checkpoint of it and take over",
           "if " + host_.peer_name() +
               " holds none, boot the guest anew: " + host_.command("takeover", host_.name) +
               arbiter::boot_advice(host_.config.arbiter, host_.config.asker(host_.name)),
           ownership->generation);
      return;
  }
}

void Engine::wait(std::string reason, std::string next, std::optional<Generation> takeable) {
  if (reason != waiting_.reason) spdlog::warn("WAITING: {} ({})", reason, next);
  waiting_ = Waiting{std::move(reason), std::move(next), takeable};
  arbiter_timer_.expires_after(arbiter_poll);
  arbiter_timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) read_arbiter();
  });
}

void Engine::become_primary(Generation from) {
  auto side = std::make_shared<PrimarySide>(host_, from,
                                            [this](SideEnds ends) { side_ends(std::move(ends)); });
  if (auto listening = side->listen(); !listening) {
    spdlog::error("{}", listening.error().text());
    finish(1);
    return;
  }
  side_ = side;
  side->start();
}

void Engine::become_secondary(const std::string& peer_run, Generation current) {
  side_ = std::make_shared<SecondarySide>(host_, peer_run, current,
                                          [this](SideEnds ends) { side_ends(std::move(ends)); });
  side_->start();
}

void Engine::side_ends(SideEnds ends) {
  // Posted: the side that ends is still on the stack.
  boost::asio::post(loop_, [this, ends = std::move(ends)]() mutable {
    std::visit(overloaded{[this](const SideExit& exit) { finish(exit.status); },
                          [this](SideTakesOver& takeover) { go_on_as_primary(takeover); },
                          [this](const SideJoins& joins) {
                            spdlog::info("this host becomes the secondary: {}", joins.reason);
                            side_.reset();  // before its successor: it listens
                            become_secondary("", {});
                          }},
               ends);
  });
}

void Engine::go_on_as_primary(SideTakesOver& takeover) {
  auto side = std::make_shared<PrimarySide>(host_, std::move(takeover),
                                            [this](SideEnds next) { side_ends(std::move(next)); });
  if (auto listening = side->listen(); !listening) {
    // The guest runs; only a new secondary cannot join.
    spdlog::error("no secondary can join: {}", listening.error().text());
  }
  side_ = side;
  side->start();
}

void Engine::finish(int status) {
  if (finishing_) return;
  finishing_ = true;
  exit_status_ = status;
  arbiter_timer_.cancel();
  // Posted: this may be called from a request of the server that is let go.
  boost::asio::post(loop_, [this] { control_.reset(); });
  heartbeat_.reset();
  // A moment for farewells that are under way, and for resources to be released, unless a second
  // signal calls that off; then the loop ends whatever is left.
  beat_timer_.expires_after(std::chrono::milliseconds(200));
  beat_timer_.async_wait([this](const boost::system::error_code&) {
    host_.hook_worker.post([this] { boost::asio::post(loop_, [this] { loop_.stop(); }); });
  });
}

Reply Engine::handle(const Request& request) {
  if (request.command == Command::status) return status();
  if (request.command == Command::set) {
    const auto setting = parse_setting(request.key, request.value);
    if (!setting) return refused(setting.error());
    if (const auto* peer = std::get_if<PeerSetting>(&*setting)) return set_peer(*peer);
    if (const auto* links = std::get_if<PeerHeartbeatSetting>(&*setting)) {
      return set_peer_heartbeat(*links);
    }
  }
  if (side_) return side_->command(request);
  Reply reply;
  if (request.command == Command::takeover && waiting_.takeable) {
    spdlog::warn("the operator lets this host boot the guest anew");
    become_primary(*waiting_.takeable);
    reply.message = "claiming the guest, then booting it anew";
    return reply;
  }
  return refused({"waiting", waiting_.reason, waiting_.next});
}

Reply Engine::set_peer(const PeerSetting& setting) {
  host_.peer.replication = setting.replication;
  spdlog::info("the operator says that {} is at {} now", host_.peer_name(),
               setting.replication.text());
  if (side_) side_->peer_moved();
  Reply reply;
  reply.message = host_.peer_name() + " is dialed at " + setting.replication.text() +
                  " until this engine ends; the configuration file keeps its address";
  return reply;
}

Reply Engine::set_peer_heartbeat(const PeerHeartbeatSetting& setting) {
  const HostConfig& own = host_.config.own(host_.name);
  if (setting.links.size() != own.heartbeat_listen.size()) {
    return refused({"wrong-count",
                    "there are " + std::to_string(own.heartbeat_listen.size()) +
                        " heartbeat links, not " + std::to_string(setting.links.size()),
                    "write one address for each, with commas between them"});
  }
  for (std::size_t i = 0; i < setting.links.size(); ++i) {
    if (auto set = heartbeat_->set_peer(i, udp(setting.links[i])); !set)
      return refused(set.error());
    host_.peer.heartbeat[i] = setting.links[i];
  }
  Reply reply;
  reply.message =
      "heartbeats go to the new address until this engine ends; the configuration "
      "file keeps its own";
  return reply;
}

Reply Engine::status() const {
  Status status;
  status.name = host_.config.name;
  status.host = host_.name;
  status.pid = ::getpid();
  status.version = COLO_VERSION;
  status.role = "none";
  // Until the arbiter's first answer there is nothing that an operator could do.
  status.state = waiting_.next.empty() ? State::starting : State::waiting;
  status.reason = waiting_.reason;
  status.next = waiting_.next;
  status.mode = word(host_.config.mode);
  status.tls = host_.config.tls;
  status.unsafe = host_.config.arbiter.kind == arbiter::Kind::none;
  status.delay_ms = std::chrono::duration<double, std::milli>(host_.config.delay).count();
  status.owners = host_.owners;
  if (side_) side_->fill(status);
  Reply reply;
  reply.status = std::move(status);
  return reply;
}

// Frames are a mebibyte each and live for milliseconds: given back to the kernel and faulted in
// again they would cost several times what filling them costs, within the guest's standstill.
static void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  ::mallopt(M_TOP_PAD, 16 << 20);
}

int run_engine(const Config& config, const std::string& host, const RunOptions& options) {
  keep_freed_memory();
  Engine engine(config, host, options);
  if (auto opened = engine.open(); !opened) {
    spdlog::error("{}", opened.error().text());
    return 1;
  }
  const int status = engine.run();
  // A storage or QEMU call that hangs keeps its thread, and so us, for ever. Nothing is left to
  // save: the kernel ends the guest with this process.
  std::thread([status] {
    std::this_thread::sleep_for(exit_patience);
    ::_exit(status);
  }).detach();
  return status;
}

}  // namespace colo::app
