#include "drill/command.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>

#include "demo/folder.h"
#include "drill/catalogue.h"
#include "drill/table.h"
#include "drill/workers.h"

namespace colo::drill {
namespace {

using Json = nlohmann::ordered_json;
using demo::GuestKind;

constexpr int exit_interrupted = 130;
constexpr std::uint32_t embedded_jobs = 3;
// So often is a moment tried that did not come or was missed.
constexpr std::uint32_t attempts = 6;

std::string words(const std::set<Outcome>& outcomes) {
  std::string text;
  for (const Outcome outcome : outcomes) {
    text += (text.empty() ? "" : " or ") + std::string(word(outcome));
  }
  return text;
}

int list(const std::string& mode) {
  for (const Drill& known : catalogue()) {
    const auto drill = in_mode(known, mode);
    if (!drill) continue;
    const char* guests = !drill->embedded ? "qemu" : !drill->qemu ? "embedded" : "both";
    std::printf("%-44s %-8s  %s\n%55s%s\n", drill->name.c_str(), guests,
                words(drill->allowed).c_str(), "", drill->what.c_str());
    if (mode != "periodic" && drill->in_colo && !drill->in_colo->what.empty()) {
      std::printf("%55s%s\n", "", drill->in_colo->what.c_str());
    }
  }
  return 0;
}

// Empty, with a word on standard error, where a name is none.
std::vector<Drill> choose(const Request& request, GuestKind guest) {
  std::vector<Drill> chosen;
  for (const std::string& name : request.names) {
    const auto found = std::find_if(catalogue().begin(), catalogue().end(),
                                    [&](const Drill& drill) { return drill.name == name; });
    auto drill = found == catalogue().end() ? std::nullopt : in_mode(*found, request.mode);
    if (!drill || !drill->fits(guest)) {
      std::fprintf(stderr,
                   "colo drill: there is no drill %s for the %s guest in mode %s; --list names "
                   "all\n",
                   name.c_str(), demo::word(guest), request.mode.c_str());
      return {};
    }
    chosen.push_back(std::move(*drill));
  }
  if (!request.names.empty()) return chosen;
  for (const Drill& known : catalogue()) {
    auto drill = in_mode(known, request.mode);
    if (drill && drill->fits(guest)) chosen.push_back(std::move(*drill));
  }
  return chosen;
}

class Campaign {
 public:
  Campaign(const Request& request, std::filesystem::path colo)
      : request_(request),
        colo_(std::move(colo)),
        guest_(request.embedded ? GuestKind::embedded : GuestKind::qemu),
        jobs_(request.jobs != 0  ? request.jobs
              : request.embedded ? embedded_jobs
                                 : 1),
        seed_(request.seed) {
    if (seed_ == 0) seed_ = std::random_device{}();
  }
  int run();

 private:
  void plan();
  Result<void> play_all(demo::Interrupt& interrupt);
  void take(Finished finished);
  Result<void> write_report() const;

  const Request& request_;
  std::filesystem::path colo_;
  GuestKind guest_;
  std::uint32_t jobs_;
  std::uint64_t seed_;
  std::vector<Drill> drills_;  // jobs point into it
  std::deque<Job> waiting_;
  std::vector<Json> records_;
};

void Campaign::plan() {
  std::mt19937_64 seeds(seed_);
  for (std::uint32_t round = 1; round <= request_.rounds; ++round) {
    for (const Drill& drill : drills_) {
      waiting_.push_back(
          {&drill,
           {guest_, request_.mode, colo_, request_.image, request_.keep_logs, round, 1, seeds()}});
    }
  }
}

Result<void> Campaign::play_all(demo::Interrupt& interrupt) {
  Workers workers;
  while (!waiting_.empty() || workers.busy() > 0) {
    if (interrupt.wait(milliseconds(20))) return fail("interrupted", "a signal asked to end");
    while (!waiting_.empty() && workers.busy() < jobs_) {
      if (auto started = workers.start(waiting_.front()); !started) return started;
      waiting_.pop_front();
    }
    while (auto finished = workers.take()) take(std::move(*finished));
  }
  return {};
}

void Campaign::take(Finished finished) {
  std::fputs(round_line(finished.record).c_str(), stdout);
  if (!finished.logs.empty()) std::fputs(finished.logs.c_str(), stdout);
  std::fflush(stdout);
  if (finished.record.at("missed").get<bool>() &&
      finished.record.at("verdict") == word(Verdict::not_run) &&
      finished.job.assignment.attempt < attempts) {
    Job again = finished.job;
    again.assignment.attempt += 1;
    again.assignment.seed += 1;
    waiting_.push_front(std::move(again));
  }
  records_.push_back(std::move(finished.record));
}

Result<void> Campaign::write_report() const {
  if (request_.json_file.empty()) return {};
  const Json report{{"seed", seed_}, {"records", records_}, {"summary", summary(records_)}};
  return demo::write_file(request_.json_file, report.dump(2) + "\n");
}

int Campaign::run() {
  drills_ = choose(request_, guest_);
  if (drills_.empty()) return 2;
  if (guest_ == GuestKind::qemu && ::geteuid() != 0) {
    std::fputs("colo drill: namespaces and TAP devices need root; --embedded does not\n", stderr);
    return 1;
  }
  plan();
  std::printf("%zu rounds of %zu drills, %s guest, mode %s, seed %llu\n", waiting_.size(),
              drills_.size(), demo::word(guest_), request_.mode.c_str(),
              static_cast<unsigned long long>(seed_));
  std::fflush(stdout);
  demo::Interrupt interrupt;
  // What a round leaves that is killed becomes ours.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto played = play_all(interrupt);
  if (!records_.empty()) std::fputs(summary_text(records_).c_str(), stdout);
  if (auto written = write_report(); !written) {
    std::fprintf(stderr, "colo drill: %s\n", written.error().text().c_str());
    return 1;
  }
  if (!played) {
    std::fprintf(stderr, "colo drill: %s\n", played.error().text().c_str());
    return played.error().word == "interrupted" ? exit_interrupted : 1;
  }
  return summary(records_).at("failed") == 0 ? 0 : 1;
}

}  // namespace

void add_options(CLI::App& verb, Request& request) {
  verb.add_option("NAME", request.names, "Drills to play (default: all)");
  verb.add_flag("--embedded", request.embedded, "The built-in guest on loopback: no root, no QEMU");
  verb.add_option("--mode", request.mode, "What replies wait for: periodic, colo or auto")
      ->check(CLI::IsMember({"periodic", "colo", "auto"}))
      ->capture_default_str();
  verb.add_flag("--list", request.list, "Name all drills of the mode and the outcomes they allow");
  verb.add_option("--rounds", request.rounds, "Play each drill so often")
      ->check(CLI::Range(1, 100000));
  verb.add_option("--jobs", request.jobs, "Rounds at once (default: 3 embedded, 1 QEMU)")
      ->check(CLI::Range(1, 64));
  verb.add_option("--json", request.json_file, "Write all records and the summary to this file");
  verb.add_option("--keep-logs", request.keep_logs, "Keep configuration and logs in this folder");
  verb.add_option("--seed", request.seed, "Of what is drawn: when faults fall (default: fresh)");
  verb.add_option("--image", request.image, "Folder of the guest's vmlinuz and initrd");
  verb.footer("Exit status: 0 nothing failed, 1 something did, 2 bad usage, 130 interrupted.");
}

int run(const Request& request, const std::filesystem::path& colo) {
  if (request.list) return list(request.mode);
  Request absolute = request;
  if (!absolute.image.empty()) absolute.image = std::filesystem::absolute(absolute.image);
  if (!absolute.json_file.empty())
    absolute.json_file = std::filesystem::absolute(absolute.json_file);
  if (!absolute.keep_logs.empty())
    absolute.keep_logs = std::filesystem::absolute(absolute.keep_logs);
  return Campaign(absolute, colo).run();
}

}  // namespace colo::drill
