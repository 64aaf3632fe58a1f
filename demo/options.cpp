#include "demo/options.h"

#include <CLI/CLI.hpp>
#include <map>

namespace colo::demo {
namespace {

constexpr const char* footer =
    "The report (--json) has guest{kind,version,accelerator,memory_bytes}, mode, effective_mode,\n"
    "delay_ms, fault, checkpoints{committed,by_reason{},pause_ms{p50,p99,max},dirty_pages{p50,\n"
    "max}}, compare{equal,different{},held_packets,oldest_ms} and replica{running,epoch,\n"
    "diverged_pages,preimage_bytes,limit_bytes} (just before the fault; null where nothing is\n"
    "compared), takeover{detected_ms,claimed_ms,resumed_ms,first_reply_ms} (since the fault; null\n"
    "where nobody took over), client{connections,resets,acknowledged,lost,wrong,longest_gap_ms,\n"
    "reply_ms{p50,p99,max,replies},unprotected_reply_ms{...}} (of the long connection: protected,\n"
    "and in the same run before the secondary's engine was started), visits{connections,resets,\n"
    "acknowledged,lost,wrong,visit_ms{...},unprotected_visit_ms{...}} (new connections, one after\n"
    "the other throughout; null where the guest has none), owners and verdict.\n"
    "A failed report also has failures. With more than one round the file holds the last round in\n"
    "that shape, then rounds (all of them) and summary (medians and worst values); its verdict is\n"
    "passed only if every round passed.\n"
    "Exit status: 0 every check held, 1 something did not, 2 bad usage, 130 interrupted.";

}  // namespace

const char* word(GuestKind kind) { return kind == GuestKind::qemu ? "qemu" : "embedded"; }
std::uint32_t default_memory_mib(GuestKind kind) { return kind == GuestKind::qemu ? 512 : 64; }
const char* word(Fault fault) { return fault == Fault::kill ? "kill" : "cut"; }

Parsed parse(int argc, const char* const* argv) {
  const std::map<std::string, GuestKind> guests{{"qemu", GuestKind::qemu},
                                                {"embedded", GuestKind::embedded}};
  const std::map<std::string, Fault> faults{{"kill", Fault::kill}, {"cut", Fault::cut}};
  Options options;
  CLI::App app{"Protects a guest, takes its host away, and lets a client judge what happened."};
  app.name("colo-demo");
  app.footer(footer);
  app.add_option("--guest", options.guest, "qemu: a Linux guest (root); embedded: the built-in one")
      ->transform(CLI::CheckedTransformer(guests).description("qemu|embedded"))
      ->default_str("qemu");
  app.add_option("--fault", options.fault,
                 "kill: SIGKILL of all of alpha; cut: the link between the hosts goes silent")
      ->transform(CLI::CheckedTransformer(faults).description("kill|cut"))
      ->default_str("kill");
  app.add_option(
         "--mode", options.mode,
         "What replies wait for. periodic: the next checkpoint; colo: that both guests say\n"
         "the same; auto: one or the other")
      ->check(CLI::IsMember({"periodic", "colo", "auto"}))
      ->capture_default_str();
  app.add_option("--delay", options.delay_ms, "Milliseconds between checkpoints")
      ->check(CLI::Range(5, 60000))
      ->capture_default_str();
  auto max_interval_ms = static_cast<std::uint32_t>(options.max_interval.count());
  app.add_option(
         "--max-interval", max_interval_ms,
         "Milliseconds between checkpoints at most, where replies leave because both guests\n"
         "say the same (modes colo and auto)")
      ->check(CLI::Range(100, 300000))
      ->capture_default_str();
  app.add_option("--memory", options.memory_mib,
                 "The guest's memory in MiB (default: 512, embedded 64)")
      ->check(CLI::Range(16, 1 << 20));
  app.add_option("--dirty", options.dirty_pages_per_second, "Pages the guest rewrites a second")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  app.add_option("--rounds", options.rounds, "Take over, then repeat from the start")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  std::uint32_t talk_seconds = 0;
  app.add_option("--talk", talk_seconds,
                 "Seconds of each conversation: without protection, protected, behind the fault\n"
                 "(default: 4, embedded 2)")
      ->check(CLI::Range(1, 600));
  app.add_option("--json", options.json_file, "Write the report to this file");
  app.add_option("--keep-logs", options.keep_logs,
                 "Keep configuration and logs (at level trace) in this folder");
  app.add_option("--colo", options.colo, "The colo program")->required();
  app.add_option("--image", options.image, "Folder of the guest's vmlinuz and initrd");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
  }
  if (options.memory_mib == 0) {
    options.memory_mib = default_memory_mib(options.guest);
  }
  if (!options.keep_logs.empty()) options.log_level = "trace";
  if (talk_seconds == 0) talk_seconds = options.guest == GuestKind::qemu ? 4 : 2;
  options.talk = std::chrono::seconds(talk_seconds);
  options.max_interval = std::chrono::milliseconds(max_interval_ms);
  options.more_config += "\n[colo]\nmax_interval = \"" + std::to_string(max_interval_ms) + "ms\"\n";
  // QEMU's folder and ours may differ.
  options.colo = std::filesystem::absolute(options.colo);
  if (!options.image.empty()) options.image = std::filesystem::absolute(options.image);
  return {std::move(options), 0};
}

}  // namespace colo::demo
