// colo-bench: a real service in the guest, loaded from outside: unprotected, periodic and colo one
// after the other in one run, of one guest. Then the primary's host is killed while writers write,
// and every write that was acknowledged must be there.
//
// A measurement: a slow one is no failure. A lost or wrong write is, and a mode that could not run.

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "demo/engines.h"
#include "demo/folder.h"
#include "demo/interrupt.h"
#include "demo/line_socket.h"
#include "demo/redis_writers.h"
#include "demo/scene.h"
#include "demo/service.h"
#include "demo/story.h"

namespace colo::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Json = nlohmann::ordered_json;
using Counts = std::map<std::string, std::uint64_t>;

constexpr seconds boot_patience{120};
constexpr seconds copy_patience{120};
constexpr seconds patience{30};
constexpr std::uint32_t writers = 4;

struct BenchOptions : Setting {
  Service loaded = Service::redis;
  Load load;
  std::vector<std::string> modes{"periodic", "colo"};
  std::filesystem::path json_file;
};

struct Row {
  std::string mode;
  std::string not_run;  // why, or empty
  LoadFigures load;
  std::uint64_t checkpoints = 0, equal = 0;
  Counts by_reason;
};

Counts minus(Counts now, const Counts& before) {
  for (const auto& [reason, count] : before) now[reason] -= count;
  for (auto i = now.begin(); i != now.end();) i = i->second == 0 ? now.erase(i) : std::next(i);
  return now;
}

class Bench {
 public:
  Bench(const BenchOptions& options, Interrupt& interrupt, Story& story)
      : options_(options), interrupt_(interrupt), story_(story) {}
  // Whether nothing was lost and everything ran.
  bool play();
  [[nodiscard]] Json to_json() const;

 private:
  Result<void> act();
  Result<void> set_up();
  Result<void> protect();
  Result<void> measure(const std::string& mode);
  Result<LoadFigures> run_load(const Load& load);
  Result<void> enter(const std::string& mode);
  Result<void> kill_amid_writes();
  Result<void> until(const std::string& what, milliseconds time,
                     const std::function<bool()>& condition);
  [[nodiscard]] const EngineStatus& known(const std::string& host) const;
  void print(const Row& row) const;

  const BenchOptions& options_;
  Interrupt& interrupt_;
  Story& story_;
  std::unique_ptr<Scene> scene_;
  std::unique_ptr<Engines> engines_;  // goes before the scene
  std::vector<Row> rows_;
  std::optional<WriterFigures> writes_;  // of the kill
};

bool Bench::play() {
  Result<void> played = act();
  if (!played) std::fprintf(stderr, "colo-bench: %s\n", played.error().text().c_str());
  if (engines_) static_cast<void>(engines_->end());
  engines_.reset();
  if (scene_) {
    if (auto gone = scene_->tear_down(); !gone) played = gone;
  }
  bool good = played.has_value();
  for (const Row& row : rows_) good = good && row.not_run.empty();
  return good && (!writes_ || writes_->lost + writes_->wrong + writes_->resets == 0);
}

Result<void> Bench::act() {
  if (auto done = set_up(); !done) return done;
  if (auto done = measure("unprotected"); !done) return done;
  if (auto done = protect(); !done) return done;
  for (const std::string& mode : options_.modes) {
    if (auto entered = enter(mode); !entered) {
      Row row;
      row.mode = mode;
      row.not_run = entered.error().text();
      rows_.push_back(row);
      print(row);
      continue;
    }
    if (auto done = measure(mode); !done) return done;
  }
  if (options_.loaded != Service::redis) return {};
  return kill_amid_writes();
}

Result<void> Bench::until(const std::string& what, milliseconds time,
                          const std::function<bool()>& condition) {
  return interrupt_.until(what, time, [&]() -> Result<bool> {
    engines_->look();
    if (auto alive = engines_->check_alive(); !alive) return fail(alive.error());
    return condition();
  });
}

const EngineStatus& Bench::known(const std::string& host) const {
  static const EngineStatus nothing;
  const auto& status = engines_->status(host);
  return status ? *status : nothing;
}

Result<void> Bench::set_up() {
  auto scene = make_qemu_scene(options_);
  if (!scene) return fail(scene.error());
  scene_ = std::move(*scene);
  engines_ = std::make_unique<Engines>(*scene_);
  if (auto started = engines_->start("alpha"); !started) return started;
  LineSocket probe;
  const auto answers = until("the service's first answer", boot_patience, [&] {
    return probe
        .connect(scene_->outside_namespace(), scene_->guest_address(), port_of(options_.loaded),
                 milliseconds(500))
        .has_value();
  });
  if (!answers) return answers;
  story_.tell(std::string(word(options_.loaded)) + " answers in the guest (" +
              known("alpha").guest_accelerator + ")");
  return {};
}

Result<void> Bench::protect() {
  if (auto started = engines_->start("beta"); !started) return started;
  const auto copied =
      until("protection", copy_patience, [&] { return known("alpha").state == "PROTECTED"; });
  if (copied) story_.tell("PROTECTED: " + known("alpha").reason);
  return copied;
}

// The engines were started periodic.
Result<void> Bench::enter(const std::string& mode) {
  if (known("alpha").mode != mode) {
    if (auto set = set_engine(scene_->folder().control_socket("alpha"), "mode", mode); !set) {
      return set;
    }
  }
  return until("mode " + mode, patience, [&] {
    if (known("alpha").mode != mode || known("alpha").state != "PROTECTED") return false;
    const auto& replica = known("beta").replica;
    return mode != "colo" ||
           (known("alpha").effective_mode == "colo" && replica && replica->running);
  });
}

Result<LoadFigures> Bench::run_load(const Load& load) {
  Command command{load_command(options_.loaded, load), scene_->outside_namespace(),
                  scene_->folder().path() / "load.log"};
  std::error_code ignored;
  std::filesystem::remove(command.log, ignored);
  auto program = Child::start(command);
  if (!program) return fail(program.error());
  std::optional<std::string> how;
  const auto ended = until("the end of the load", load.time * 5 + patience,
                           [&] { return (how = program->ended()).has_value(); });
  if (!ended) return fail(ended.error());
  std::ifstream file(command.log);
  const std::string output{std::istreambuf_iterator<char>(file), {}};
  if (*how != "exit status 0") return fail("load-failed", *how + ": " + output);
  return parse_load(options_.loaded, output);
}

Result<void> Bench::measure(const std::string& mode) {
  Load load = options_.load;
  load.address = scene_->guest_address();
  if (options_.loaded == Service::redis) {
    const auto first = run_load(load);  // finds the rate; no more than a few requests
    if (!first) return fail(first.error());
    load.expected_per_second = first->requests_per_second;
  }
  engines_->look();
  const EngineStatus before = known("alpha");
  const auto figures = run_load(load);
  if (!figures) return fail(figures.error());
  engines_->look();
  const EngineStatus& after = known("alpha");
  Row row{mode,     "",
          *figures, after.checkpoints_committed - before.checkpoints_committed,
          0,        minus(after.checkpoints_by_reason, before.checkpoints_by_reason)};
  if (after.compare)
    row.equal = after.compare->equal - (before.compare ? before.compare->equal : 0);
  rows_.push_back(row);
  print(row);
  return {};
}

Result<void> Bench::kill_amid_writes() {
  RedisWriters all(scene_->outside_namespace(), scene_->guest_address(), port_of(Service::redis),
                   writers);
  const auto written = until("writes", patience, [&] {
    return all.figures().acknowledged >= 20 || all.figures().resets > 0;
  });
  if (!written) return written;
  if (interrupt_.wait(seconds(3))) return fail("interrupted", "a signal asked to end");
  if (auto killed = engines_->kill_host("alpha"); !killed) return killed;
  const std::uint64_t before = all.figures().acknowledged;
  story_.tell("kill -9 of everything on alpha, " + std::to_string(before) + " writes acknowledged");
  const auto went_on = until("writes behind the kill", patience, [&] {
    const WriterFigures now = all.figures();
    return now.resets > 0 ||
           (known("beta").owner() == "beta" && now.acknowledged >= before + 20 * writers);
  });
  if (went_on && interrupt_.wait(seconds(2))) return fail("interrupted", "a signal asked to end");
  all.stop();
  const auto verified = all.verify();
  writes_ = all.figures();
  std::printf(
      "  writes        %llu acknowledged over the kill, %llu resets, %llu lost, %llu wrong, "
      "longest "
      "gap %.1f ms%s%s\n",
      static_cast<unsigned long long>(writes_->acknowledged),
      static_cast<unsigned long long>(writes_->resets),
      static_cast<unsigned long long>(writes_->lost),
      static_cast<unsigned long long>(writes_->wrong), writes_->longest_gap_ms,
      writes_->trouble.empty() ? "" : "; ", writes_->trouble.c_str());
  return went_on ? verified : went_on;
}

void Bench::print(const Row& row) const {
  if (!row.not_run.empty()) {
    std::printf("  %-12s  not run: %s\n", row.mode.c_str(), row.not_run.c_str());
    return;
  }
  std::string reasons;
  for (const auto& [reason, count] : row.by_reason) {
    reasons += (reasons.empty() ? ": " : ", ") + reason + " " + std::to_string(count);
  }
  std::printf(
      "  %-12s  %9.1f requests/s (%.2f of unprotected)  p50 %.2f ms  p99 %.2f ms  %llu errors  "
      "%llu checkpoints%s; %llu packets equal\n",
      row.mode.c_str(), row.load.requests_per_second,
      row.load.requests_per_second / rows_.front().load.requests_per_second, row.load.p50_ms,
      row.load.p99_ms, static_cast<unsigned long long>(row.load.errors),
      static_cast<unsigned long long>(row.checkpoints), reasons.c_str(),
      static_cast<unsigned long long>(row.equal));
  std::fflush(stdout);
}

Json Bench::to_json() const {
  Json all{{"service", word(options_.loaded)}, {"rows", Json::array()}, {"writes", nullptr}};
  for (const Row& row : rows_) {
    if (!row.not_run.empty()) {
      all["rows"].push_back({{"mode", row.mode}, {"not_run", row.not_run}});
      continue;
    }
    all["rows"].push_back(
        {{"mode", row.mode},
         {"requests_per_second", row.load.requests_per_second},
         {"p50_ms", row.load.p50_ms},
         {"p99_ms", row.load.p99_ms},
         {"errors", row.load.errors},
         {"checkpoints", {{"committed", row.checkpoints}, {"by_reason", row.by_reason}}},
         {"equal", row.equal}});
  }
  if (writes_) {
    all["writes"] = {{"acknowledged", writes_->acknowledged},
                     {"resets", writes_->resets},
                     {"lost", writes_->lost},
                     {"wrong", writes_->wrong},
                     {"longest_gap_ms", writes_->longest_gap_ms}};
  }
  return all;
}

std::optional<BenchOptions> parse_bench(int argc, const char* const* argv, int& status) {
  BenchOptions options;
  options.dirty_pages_per_second = 0;
  options.memory_mib = default_memory_mib(GuestKind::qemu);
  std::uint32_t time = 5;
  const std::map<std::string, Service> services{{"redis", Service::redis}, {"http", Service::http}};
  CLI::App app{"Loads a real service in the guest: unprotected, then in each mode, side by side."};
  app.name("colo-bench");
  app.add_option("--service", options.loaded, "redis: SET by redis-benchmark; http: GET by wrk")
      ->transform(CLI::CheckedTransformer(services).description("redis|http"))
      ->required();
  app.add_option("--modes", options.modes, "In this order")
      ->check(CLI::IsMember({"periodic", "colo", "auto"}))
      ->delimiter(',')
      ->default_str("periodic,colo");
  app.add_option("--seconds", time, "Of each measurement")->check(CLI::Range(1, 600));
  app.add_option("--connections", options.load.connections, "At once")->check(CLI::Range(1, 1000));
  app.add_option("--delay", options.delay_ms, "Milliseconds between periodic checkpoints")
      ->check(CLI::Range(5, 60000));
  app.add_option("--memory", options.memory_mib, "The guest's memory in MiB")
      ->check(CLI::Range(128, 1 << 20));
  app.add_option("--json", options.json_file, "Write the figures to this file");
  app.add_option("--colo", options.colo, "The colo program")->required();
  app.add_option("--image", options.image, "Folder of the guest's vmlinuz and initrd")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    status = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  options.load.time = seconds(time);
  // QEMU's folder and ours may differ.
  options.colo = std::filesystem::absolute(options.colo);
  options.image = std::filesystem::absolute(options.image);
  options.service = word(options.loaded);
  return options;
}

}  // namespace
}  // namespace colo::demo

int main(int argc, char** argv) {
  using namespace colo::demo;
  int status = 2;
  const auto options = parse_bench(argc, argv, status);
  if (!options) return status;
  // A killed engine's QEMU becomes ours, so that it is reaped wherever we run.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  Interrupt interrupt;
  Story story;
  Bench bench(*options, interrupt, story);
  const bool good = bench.play();
  if (!options->json_file.empty()) {
    if (auto written = write_file(options->json_file, bench.to_json().dump(2) + "\n"); !written) {
      std::fprintf(stderr, "%s\n", written.error().text().c_str());
      return 1;
    }
  }
  return good ? 0 : 1;
}
