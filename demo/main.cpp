// colo-demo: protects a guest, takes its host away, and lets a client outside judge what happened.

#include <sys/prctl.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "demo/folder.h"
#include "demo/interrupt.h"
#include "demo/options.h"
#include "demo/report.h"
#include "demo/round.h"
#include "demo/story.h"

namespace {

constexpr int exit_interrupted = 130;

int play(const colo::demo::Options& options) {
  colo::demo::Interrupt interrupt;
  colo::demo::Story story;
  std::vector<colo::demo::RoundReport> reports;
  bool all_passed = true;
  for (std::uint32_t number = 1; number <= options.rounds; ++number) {
    if (interrupt.wait(std::chrono::milliseconds(0))) break;
    if (options.rounds > 1) {
      story.tell("round " + std::to_string(number) + " of " + std::to_string(options.rounds));
    }
    reports.push_back(colo::demo::play_round(options, number, interrupt, story));
    all_passed = all_passed && reports.back().passed();
    std::printf("%s\n", colo::demo::to_text(reports.back()).c_str());
    std::fflush(stdout);
  }
  const bool interrupted = interrupt.wait(std::chrono::milliseconds(0));
  if (!reports.empty()) {
    std::fputs(colo::demo::summary_text(reports).c_str(), stdout);
    if (!options.json_file.empty()) {
      const std::string json = colo::demo::to_json(reports).dump(2) + "\n";
      if (auto written = colo::demo::write_file(options.json_file, json); !written) {
        std::fprintf(stderr, "%s\n", written.error().text().c_str());
        return 1;
      }
    }
  }
  if (interrupted) return exit_interrupted;
  return all_passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const colo::demo::Parsed parsed = colo::demo::parse(argc, argv);
  if (!parsed.options) return parsed.exit_status;
  // A killed engine's QEMU becomes ours, so that it is reaped wherever we run.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  return play(*parsed.options);
}
