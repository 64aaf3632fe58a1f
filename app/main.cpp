// The command line: says what there is and hands over to the verbs.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "app/commands.h"
#include "drill/command.h"

namespace colo::app {
namespace {

class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version", std::string("colo ") + COLO_VERSION);
    app_.require_subcommand(1);
    app_.footer("Exit status: 0 done, 1 failed or refused, 2 bad usage or configuration.");
    add_run();
    verb("check", "Say what is missing on this host before the guest is started",
         [this] { return command_check(target_); });
    add_keygen();
    auto* status = verb("status", "One word, the reason, the next command, and the figures",
                        [this] { return command_status(target_, json_); });
    status->add_flag("--json", json_, "The same as one line of JSON");
    verb("checkpoint", "Make a checkpoint now instead of waiting for the next",
         [this] { return command_tell(target_, Command::checkpoint); });
    verb("switchover", "On the primary: move the running guest to the other host, as planned",
         [this] { return command_tell(target_, Command::switchover); });
    verb(
        "takeover",
        "On the secondary: claim the guest now and run it here; again after a takeover that failed",
        [this] { return command_tell(target_, Command::takeover); });
    verb("give-back",
         "After a takeover that failed: let the other host go on with the guest it paused",
         [this] { return command_tell(target_, Command::give_back); });
    auto* set = verb("set", "Change a setting of the running engine",
                     [this] { return command_set(target_, assignment_); });
    set->add_option(
           "assignment", assignment_,
           "delay=50ms: between checkpoints; mode=periodic|colo|auto: what replies wait for; "
           "peer=IP:PORT: where this host dials the other; "
           "peer-heartbeat=IP:PORT[,IP:PORT...]: one for each link. Until the engine ends")
        ->required();
    add_drill();
  }

  int run(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? exit_ok : exit_usage;
    }
    return run_verb_();
  }

 private:
  // Every verb names a configuration file and may name a host.
  CLI::App* verb(const std::string& name, const std::string& help, std::function<int()> action) {
    CLI::App* verb = app_.add_subcommand(name, help);
    verb->add_option("FILE", target_.file, "The guest's TOML file")->required();
    verb->add_option("--host", target_.host,
                     "Which of the two hosts; this machine's name when absent");
    verb->callback([this, action = std::move(action)] { run_verb_ = action; });
    return verb;
  }

  void add_run() {
    auto* run = verb("run", "Run this host's side of the guest, in the foreground",
                     [this] { return command_run(target_, log_); });
    run->add_option("--log-level", log_.level, "trace, debug, info (default), warning, error");
    run->add_option("--log-file", log_.file, "Append to this file instead of standard error");
  }

  void add_keygen() {
    CLI::App* keygen = app_.add_subcommand("keygen", "Make the key that both hosts share");
    keygen->add_option("FILE", target_.file, "The new file; an existing one is never overwritten")
        ->required();
    keygen->callback([this] { run_verb_ = [this] { return command_keygen(target_.file); }; });
  }

  void add_drill() {
    CLI::App* verb = app_.add_subcommand(
        "drill", "Put faults on pairs of its own, with a client outside as the judge");
    drill::add_options(*verb, drill_);
    verb->callback([this] {
      run_verb_ = [this] {
        // The same program as this one, under whatever name it was called.
        return drill::run(drill_, std::filesystem::read_symlink("/proc/self/exe"));
      };
    });
  }

  CLI::App app_{"Keeps one virtual machine alive through the loss of either of two hosts", "colo"};
  Target target_;
  drill::Request drill_;
  LogOptions log_;
  std::string assignment_;
  bool json_ = false;
  std::function<int()> run_verb_;
};

}  // namespace
}  // namespace colo::app

int main(int argc, char** argv) {
  try {
    return colo::app::CommandLine().run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "colo: " << error.what() << '\n';
    return colo::app::exit_refused;
  }
}
