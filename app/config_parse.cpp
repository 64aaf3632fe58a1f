// From the tree of a TOML file to a Config: which keys there are, and within which bounds.
#include <fstream>
#include <iterator>

#include "app/config_arbiter.h"
#include "app/config_hooks.h"
#include "app/config_hosts.h"
#include "app/config_reader.h"
#include "app/names.h"
#include "app/toml_tree.h"
#include "app/units.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using Need = TableReader::Need;

// Every limit of the file stands here, with its reason.
constexpr DurationBounds delay_bounds{
    5ms, 60s, "shorter, the guest mostly stands still; longer, each reply waits that long"};
constexpr DurationBounds interval_bounds{
    10ms, 10s, "shorter floods the link; longer notices a loss too late to be of use"};
constexpr DurationBounds lost_after_bounds{
    50ms, 300s, "shorter takes a busy host for a dead one; longer is a long outage"};
constexpr DurationBounds head_start_bounds{
    0ms, 60s, "the secondary waits that long before it claims after a mere suspicion"};
constexpr DurationBounds grace_bounds{
    0ms, 60s, "the guest's output waits that long for a peer that may come back"};
constexpr DurationBounds pause_bounds{
    10ms, 60s, "shorter, no checkpoint fits; longer, the guest's clients give up"};
constexpr DurationBounds stream_bounds{
    100ms, 600s, "shorter takes a busy link for a lost one; longer holds output back"};
constexpr DurationBounds max_interval_bounds{
    100ms, 300s,
    "shorter is what mode \"periodic\" is for; longer, one checkpoint grows too large"};
constexpr DurationBounds min_interval_bounds{
    5ms, 10s,
    "shorter, the guest mostly stands still; longer, each reply that differs waits so long"};
constexpr DurationBounds silence_bounds{
    10ms, 60s, "shorter takes a slow replica for another one; longer, a reply waits that long"};
constexpr DurationBounds behind_bounds{
    100ms, 600s, "shorter takes a busy replica for a lost one; longer, replies wait for it"};
constexpr NumberBounds diverged_bounds{
    1ULL << 20, 16ULL << 40, "less asks for checkpoints all the time; more than any guest has"};
constexpr NumberBounds hold_packets_bounds{
    64, 1ULL << 20, "fewer stops the guest's network at once; more is memory that never drains"};
constexpr NumberBounds hold_bytes_bounds{
    1ULL << 20, 16ULL << 30, "less does not hold a burst; more is memory that never drains"};
constexpr NumberBounds staged_bounds{16ULL << 20, 16ULL << 40,
                                     "less does not hold one checkpoint; more than any host has"};
constexpr NumberBounds memory_bounds{
    1ULL << 20, 64ULL << 30, "the built-in guest needs room for its program; it is for tests"};
constexpr NumberBounds dirty_bounds{0, 10'000'000, "more pages a second than a processor writes"};

void read_limits(TableReader& top, Limits& limits, Problems& problems) {
  const TomlNode* node = top.table("limits", Need::optional);
  if (node == nullptr) return;
  TableReader table(*node, "limits", problems);
  table.number("hold_packets", Need::optional, hold_packets_bounds, limits.hold_packets);
  table.size("hold_bytes", Need::optional, hold_bytes_bounds, limits.hold_bytes);
  table.size("staged", Need::optional, staged_bounds, limits.staged_bytes);
  table.duration("pause_max", Need::optional, pause_bounds, limits.pause_max);
  table.duration("stream_timeout", Need::optional, stream_bounds, limits.stream_timeout);
  table.finish();
}

void read_cache(TableReader& table, ColoSettings& colo, Problems& problems) {
  std::string cache = "bounded";
  const auto line = table.text("cache", Need::optional, cache);
  if (cache != "bounded" && cache != "mirror") {
    problems.add(line,
                 {"unknown-cache", "there is no cache \"" + cache + "\"",
                  R"(write "bounded", or "mirror", which may take the guest's memory twice)"});
    return;  // whether a limit belongs here is not known
  }
  colo.mirror = cache == "mirror";
  if (colo.mirror) {
    table.refuse("diverged_limit", "has no meaning where the cache is a mirror",
                 "remove it, or write cache = \"bounded\"");
    return;
  }
  table.size("diverged_limit", Need::optional, diverged_bounds, colo.diverged_bytes);
}

// One setting that must not be below another: where both are read, and why.
void at_least(Problems& problems, std::uint32_t line, const std::string& what, Duration value,
              const std::string& least_name, Duration least, const char* why) {
  if (value >= least) return;
  problems.add(line, {"out-of-bounds",
                      what + " is " + duration_text(value) + ", " + least_name + " is " +
                          duration_text(least),
                      why});
}

void read_colo(TableReader& top, ColoSettings& colo, Problems& problems) {
  const TomlNode* node = top.table("colo", Need::optional);
  if (node == nullptr) return;
  TableReader table(*node, "colo", problems);
  const auto max_line =
      table.duration("max_interval", Need::optional, max_interval_bounds, colo.max_interval);
  const auto min_line =
      table.duration("min_interval", Need::optional, min_interval_bounds, colo.min_interval);
  const auto silence_line = table.duration("silence", Need::optional, silence_bounds, colo.silence);
  const auto behind_line = table.duration("behind", Need::optional, behind_bounds, colo.behind);
  at_least(problems, max_line != 0 ? max_line : min_line, "`colo.max_interval`", colo.max_interval,
           "`colo.min_interval`", colo.min_interval, "the longest cannot be below the shortest");
  at_least(problems, behind_line != 0 ? behind_line : silence_line, "`colo.behind`", colo.behind,
           "`colo.silence`", colo.silence,
           "raise it: a replica that is slow costs a checkpoint first, and only then itself");
  read_cache(table, colo, problems);
  table.finish();
}

void read_heartbeat(TableReader& top, HeartbeatSettings& heartbeat, Problems& problems) {
  const TomlNode* node = top.table("heartbeat", Need::optional);
  if (node == nullptr) return;
  TableReader table(*node, "heartbeat", problems);
  const auto interval_line =
      table.duration("interval", Need::optional, interval_bounds, heartbeat.interval);
  const auto lost_line =
      table.duration("lost_after", Need::optional, lost_after_bounds, heartbeat.lost_after);
  table.duration("head_start", Need::optional, head_start_bounds, heartbeat.head_start);
  table.duration("grace", Need::optional, grace_bounds, heartbeat.grace);
  if (heartbeat.lost_after < 3 * heartbeat.interval) {
    problems.add(lost_line != 0 ? lost_line : interval_line,
                 {"out-of-bounds",
                  "`heartbeat.lost_after` is " + duration_text(heartbeat.lost_after) +
                      ", the interval " + duration_text(heartbeat.interval),
                  "give it at least three intervals: two lost datagrams are no lost host"});
  }
  table.finish();
}

void read_qemu(TableReader& table, GuestSettings& guest, Problems& problems) {
  const auto command_line = table.texts("command", Need::required, guest.command);
  if (command_line != 0 && (guest.command.empty() || guest.command.front().empty())) {
    problems.add(command_line, {"bad-command", "`guest.command` names no program",
                                "write QEMU's program and its arguments, each a string"});
  }
  const auto line = table.text("accelerator", Need::optional, guest.accelerator);
  const std::string& accelerator = guest.accelerator;
  if (line != 0 && accelerator != "auto" && accelerator != "kvm" && accelerator != "tcg") {
    problems.add(line, {"unknown-accelerator", "there is no accelerator \"" + accelerator + "\"",
                        "write \"auto\", \"kvm\" or \"tcg\""});
  }
  const std::string why = "is a setting of the embedded guest";
  table.refuse("memory", why, "give QEMU's memory in its command, -m");
  table.refuse("dirty_pages_per_second", why, "remove it");
}

void read_embedded(TableReader& table, GuestSettings& guest, Problems& problems) {
  const auto line = table.size("memory", Need::optional, memory_bounds, guest.memory_bytes);
  if (line != 0 && guest.memory_bytes % page_bytes != 0) {
    problems.add(line, {"out-of-bounds",
                        "`guest.memory` is " + size_text(guest.memory_bytes) +
                            ", which is not a whole number of pages",
                        "make it a multiple of 4KiB"});
  }
  std::uint64_t dirty = guest.dirty_pages_per_second;
  table.number("dirty_pages_per_second", Need::optional, dirty_bounds, dirty);
  guest.dirty_pages_per_second = static_cast<std::uint32_t>(dirty);
  table.refuse("command", "is a setting of the qemu guest", "remove it, or set kind = \"qemu\"");
  table.refuse("accelerator", "is a setting of the qemu guest",
               "remove it, or set kind = \"qemu\"");
}

void read_guest(TableReader& top, GuestSettings& guest, Problems& problems) {
  const TomlNode* node = top.table("guest", Need::required);
  if (node == nullptr) return;
  TableReader table(*node, "guest", problems);
  const auto line = table.text("kind", Need::required, guest.kind);
  if (guest.kind == "qemu") {
    read_qemu(table, guest, problems);
  } else if (guest.kind == "embedded") {
    read_embedded(table, guest, problems);
  } else {
    if (line != 0) {
      problems.add(line, {"unknown-guest", "there is no guest of kind \"" + guest.kind + "\"",
                          "write \"qemu\" or \"embedded\""});
    }
    return;  // which keys belong here is not known
  }
  table.finish();
}

void read_top(TableReader& top, Config& config, Problems& problems) {
  if (const auto line = top.text("name", Need::required, config.name);
      line != 0 && !is_guest_name(config.name)) {
    problems.add(line, {"bad-name", "`name` is \"" + config.name + "\"", guest_name_rule});
  }
  top.duration("delay", Need::optional, delay_bounds, config.delay);
  std::string mode_text = word(config.mode);
  const auto mode_line = top.text("mode", Need::optional, mode_text);
  if (const auto mode = parse_mode(mode_text)) {
    config.mode = *mode;
  } else {
    problems.add(mode_line, mode.error());
  }
  top.absolute_path("key_file", Need::required, config.key_file);
  top.boolean("tls", Need::optional, config.tls);
  top.absolute_path("run_directory", Need::optional, config.run_directory);
  top.absolute_path("checkpoint_directory", Need::optional, config.checkpoint_directory, "none");
}

}  // namespace

ConfigResult<Config> parse_config(std::string_view text) {
  const ConfigResult<TomlNode> tree = parse_toml(text);
  if (!tree) return tl::unexpected(tree.error());
  Problems problems;
  Config config;
  TableReader top(*tree, "", problems);
  read_top(top, config, problems);
  const auto first_line = top.text("first_primary", Need::required, config.first_primary);
  read_guest(top, config.guest, problems);
  read_nics(top, config, problems);
  read_hooks(top, config, problems);
  read_hosts(top, config, first_line, problems);
  read_heartbeat(top, config.heartbeat, problems);
  read_arbiter(top, config, problems);
  read_limits(top, config.limits, problems);
  read_colo(top, config.colo, problems);
  top.finish();
  if (!problems.empty()) return tl::unexpected(problems.take());
  return config;
}

ConfigResult<Config> load_config(const std::filesystem::path& file) {
  const auto whole = [&](std::string reason, std::string remedy) {
    return tl::unexpected(
        std::vector<ConfigProblem>{{0, Error{"unreadable", std::move(reason), std::move(remedy)}}});
  };
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return whole(file.string() + " is not a file", "give the path of the guest's TOML file");
  }
  constexpr std::uintmax_t most_bytes = 1U << 20;  // a hundred times what a real one has
  if (std::filesystem::file_size(file, error) > most_bytes || error) {
    return whole(file.string() + " is larger than 1MiB", "give the path of the guest's TOML file");
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return whole(file.string() + " cannot be opened", "check its permissions");
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return parse_config(text);
}

Result<Duration> parse_delay(std::string_view text) {
  const auto delay = parse_duration(text);
  if (!delay) return delay;
  return within("`delay`", *delay, delay_bounds);
}

}  // namespace colo::app
