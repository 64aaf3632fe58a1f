// Runs schedules and says what they reached. Ends with "N schedules, 0 violations", or with the
// command that repeats the first violation.
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "tests/sim/world.h"

namespace colo::sim {
namespace {

constexpr std::uint64_t reach_is_promised_from = 100'000;

struct Arguments {
  std::uint64_t seeds = 10'000;
  std::uint64_t seed = 0;  // 0: a fresh one
  unsigned jobs = 0;
  WorldOptions world;
  bool keep_going = false;
};

thread_local std::uint64_t current_seed = 0;

// A broken invariant of the code under test ends the process: say at least where.
void on_abort(int) {
  char text[96];
  const int length =
      std::snprintf(text, sizeof text, "repeat: ./dev sim --seed %llu --seeds 1 --trace\n",
                    static_cast<unsigned long long>(current_seed));
  if (length > 0) (void)!::write(STDERR_FILENO, text, static_cast<std::size_t>(length));
}

bool read_number(const char* text, std::uint64_t& value) {
  const auto parsed = std::from_chars(text, text + std::strlen(text), value);
  return parsed.ec == std::errc{} && *parsed.ptr == '\0';
}

bool read_mutation(const char* text, Mutation& mutation) {
  for (std::size_t i = 0; i < mutation_names.size(); ++i) {
    if (std::strcmp(text, mutation_names[i]) != 0) continue;
    mutation = static_cast<Mutation>(i);
    return true;
  }
  return false;
}

int usage() {
  std::fputs(
      "usage: ./dev sim [--seeds N] [--seed S] [--jobs J] [--trace] [--faults MASK]\n"
      "                 [--mutate NAME] [--keep-going]\n\n"
      "  --seeds N     schedules to run (10000)\n"
      "  --seed S      the first one's seed; the others follow (a fresh one)\n"
      "  --jobs J      threads (one per core)\n"
      "  --trace       tell what happens; for one schedule\n"
      "  --faults MASK of a schedule's faults only these: bit 0 is the first\n"
      "  --mutate NAME plant a bug, to see that it is found\n"
      "  --keep-going  do not stop at the first violation\n",
      stderr);
  return 2;
}

bool read_arguments(int count, char** values, Arguments& to) {
  for (int i = 1; i < count; ++i) {
    const std::string name = values[i];
    std::uint64_t jobs = 0;
    if (name == "--trace") {
      to.world.trace = true;
    } else if (name == "--keep-going") {
      to.keep_going = true;
    } else if (++i >= count) {
      return false;
    } else if (name == "--seeds") {
      if (!read_number(values[i], to.seeds)) return false;
    } else if (name == "--seed") {
      if (!read_number(values[i], to.seed)) return false;
    } else if (name == "--faults") {
      if (!read_number(values[i], to.world.faults)) return false;
    } else if (name == "--jobs") {
      if (!read_number(values[i], jobs)) return false;
      to.jobs = static_cast<unsigned>(jobs);
    } else if (name != "--mutate" || !read_mutation(values[i], to.world.mutation)) {
      return false;
    }
  }
  return true;
}

class Runner {
 public:
  explicit Runner(const Arguments& arguments) : arguments_(arguments) {}

  int run() {
    const auto began = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < arguments_.jobs; ++i) threads.emplace_back([this] { work(); });
    for (auto& thread : threads) thread.join();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return report(seconds);
  }

 private:
  void work() {
    Reach reach;
    for (;;) {
      const std::uint64_t index = next_++;
      if (index >= arguments_.seeds || (violations_ > 0 && !arguments_.keep_going)) break;
      WorldOptions options = arguments_.world;
      options.seed = current_seed = arguments_.seed + index;
      World world(options, reach);
      world.run();
      ++done_;
      if (options.trace) {
        for (const std::string& line : world.lines()) std::printf("%s\n", line.c_str());
      }
      if (!world.violations().empty()) tell(options, world);
    }
    const std::lock_guard lock(mutex_);
    reach_.add(reach);
  }

  void tell(const WorldOptions& options, const World& world) {
    const std::lock_guard lock(mutex_);
    ++violations_;
    std::printf("seed %llu:\n", static_cast<unsigned long long>(options.seed));
    for (const auto& one : world.violations()) std::printf("  %s\n", one.c_str());
    std::printf("  repeat: ./dev sim --seed %llu --seeds 1 --trace%s%s\n",
                static_cast<unsigned long long>(options.seed),
                options.mutation == Mutation::none ? "" : " --mutate ",
                options.mutation == Mutation::none
                    ? ""
                    : mutation_names[static_cast<std::size_t>(options.mutation)]);
    std::fflush(stdout);
  }

  int report(double seconds) {
    if (!arguments_.world.trace) std::fputs(reach_.table().c_str(), stdout);
    std::printf("seeds %llu to %llu, %.1f s, %.0f schedules a second\n",
                static_cast<unsigned long long>(arguments_.seed),
                static_cast<unsigned long long>(arguments_.seed + done_ - 1), seconds,
                static_cast<double>(done_) / seconds);
    bool promise_broken = false;
    if (done_ >= reach_is_promised_from && arguments_.world.mutation == Mutation::none) {
      for (const std::string& one : reach_.missing()) {
        std::printf("never reached: %s\n", one.c_str());
        promise_broken = true;
      }
    }
    std::printf("%llu schedules, %llu violations\n", static_cast<unsigned long long>(done_),
                static_cast<unsigned long long>(violations_));
    return violations_ > 0 || promise_broken ? 1 : 0;
  }

  const Arguments& arguments_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint64_t> done_{0};
  std::atomic<std::uint64_t> violations_{0};
  std::mutex mutex_;
  Reach reach_;
};

}  // namespace
}  // namespace colo::sim

int main(int count, char** values) {
  using namespace colo::sim;
  // Memory that a schedule gives back is the next one's: without this each would fault it in anew.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  std::signal(SIGABRT, on_abort);
  Arguments arguments;
  if (!read_arguments(count, values, arguments)) return usage();
  if (arguments.seed == 0) arguments.seed = std::random_device{}();
  if (arguments.jobs == 0) arguments.jobs = std::max(1U, std::thread::hardware_concurrency());
  if (arguments.world.trace) arguments.jobs = 1;
  return Runner(arguments).run();
}
