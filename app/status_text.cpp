// The status as an operator reads it at 3 a.m.: the word, why, what to do; then the figures.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <ctime>

#include "app/status.h"
#include "base/types.h"

namespace colo::app {
namespace {

__attribute__((format(printf, 1, 2))) std::string print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char buffer[512];
  const int length = std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return length < 0 ? std::string() : std::string(buffer);
}

void row(std::string& out, const char* label, const std::string& value) {
  out += print("  %-15s", label) + value + "\n";
}

std::string bytes_text(std::uint64_t bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  return unit == 0 ? print("%" PRIu64 " B", bytes) : print("%.1f %s", value, units[unit]);
}

std::string pages_text(std::uint64_t pages) {
  return print("%" PRIu64 " pages (", pages) + bytes_text(pages * page_bytes) + ")";
}

// UTC to the millisecond: the two hosts' reports are read side by side.
std::string time_text(std::int64_t unix_ns) {
  const std::time_t seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return print("%04d-%02d-%02d %02d:%02d:%02d.%03d UTC", utc.tm_year + 1900, utc.tm_mon + 1,
               utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
               static_cast<int>(unix_ns / 1'000'000 % 1000));
}

void guest_rows(std::string& out, const Status& status) {
  if (!status.guest) return row(out, "guest", "not started");
  const GuestStatus& guest = *status.guest;
  std::string text = guest.kind + " " + guest.version + ", " + guest.machine + ", " +
                     guest.accelerator + ", " + bytes_text(guest.memory_bytes) + ", " +
                     (guest.running ? "running" : "not running");
  if (guest.pid) text += print(" (pid %d)", *guest.pid);
  row(out, "guest", text);
}

void peer_rows(std::string& out, const Status& status) {
  if (!status.peer) return;
  row(out, "peer",
      status.peer->host + (status.peer->connected ? ", connected" : ", not connected"));
  for (const LinkStatus& link : status.peer->links) {
    std::string text = link.name + " " + link.state;
    if (link.silence_ms) text += print(", last heard %.0f ms ago", *link.silence_ms);
    row(out, "  link", text);
  }
}

void session_row(std::string& out, const SessionStatus& session) {
  row(out, "session",
      (session.resumed ? print("resumed from checkpoint %" PRIu64, session.base_epoch)
                       : std::string("began with a whole copy")) +
          (session.difference_pages ? ", " + pages_text(*session.difference_pages) + " sent for it"
                                    : ""));
}

void copy_rows(std::string& out, const InitialCopy& copy) {
  const std::uint64_t done =
      copy.total_pages > copy.remaining_pages ? copy.total_pages - copy.remaining_pages : 0;
  // Rounded down: 100 % means that nothing remains.
  const std::uint64_t percent = copy.total_pages == 0 ? 0 : done * 100 / copy.total_pages;
  row(out, "initial copy",
      print("%" PRIu64 " %%, ", percent) + pages_text(copy.remaining_pages) + " remain, " +
          pages_text(copy.sent_pages) + " sent");
}

// "different 9, silence 3"
std::string counts_text(const Counts& counts) {
  std::string text;
  for (const auto& [reason, count] : counts) {
    text += (text.empty() ? "" : ", ") + reason + print(" %" PRIu64, count);
  }
  return text;
}

void mode_rows(std::string& out, const Status& status) {
  const std::string pace = print(", a checkpoint every %g ms", status.delay_ms);
  if (status.mode == "periodic" && !status.effective_mode) {
    return row(out, "mode", status.mode + pace);
  }
  if (!status.effective_mode) return row(out, "mode", status.mode + ", nothing is compared");
  const EffectiveMode& now = *status.effective_mode;
  row(out, "mode",
      status.mode + (now.mode == status.mode ? "" : ", now " + now.mode) +
          (now.mode == "periodic" ? pace : ": what both guests say leaves at once"));
  if (now.reason.empty()) return;
  row(out, "  because", now.reason);
  std::string since = now.since_unix_ns ? "since " + time_text(*now.since_unix_ns) : "";
  if (now.left_ms) {
    since += (since.empty() ? "" : ", ") + print("for %.1f s more", *now.left_ms / 1000);
  }
  if (!since.empty()) row(out, "", since);
}

void compare_rows(std::string& out, const CompareStatus& compare) {
  std::uint64_t different = 0;
  for (const auto& [reason, count] : compare.different) different += count;
  row(out, "compared",
      print("%" PRIu64 " packets equal, %" PRIu64 " times different", compare.equal, different));
  if (different > 0) row(out, "  different", counts_text(compare.different));
  if (compare.held_packets > 0) {
    row(out, "  waiting",
        print("%" PRIu64 " packets", compare.held_packets) +
            (compare.oldest_ms ? print(", the oldest for %.1f ms", *compare.oldest_ms) : ""));
  }
}

void replica_rows(std::string& out, const ReplicaStatus& replica) {
  row(out, "replica",
      (replica.running ? "running from" : "not running, from") +
          print(" checkpoint %" PRIu64, replica.epoch));
  row(out, "  diverged",
      pages_text(replica.diverged_pages) + ", " + bytes_text(replica.preimage_bytes) + " of " +
          bytes_text(replica.limit_bytes) + " kept");
}

void checkpoint_rows(std::string& out, const CheckpointStatus& checkpoints) {
  row(out, "checkpoints",
      print("%" PRIu64 " committed, ", checkpoints.committed) + bytes_text(checkpoints.sent_bytes) +
          " sent");
  if (!checkpoints.by_reason.empty()) {
    row(out, "  by reason", counts_text(checkpoints.by_reason));
  }
  if (checkpoints.pause_ms) {
    row(out, "  pause",
        print("p50 %.1f ms, p99 %.1f ms, max %.1f ms", checkpoints.pause_ms->p50,
              checkpoints.pause_ms->p99, checkpoints.pause_ms->max));
  }
  if (checkpoints.dirty_pages) {
    row(out, "  dirty pages",
        print("p50 %" PRIu64 ", max %" PRIu64, checkpoints.dirty_pages->p50,
              checkpoints.dirty_pages->max));
  }
}

void hold_rows(std::string& out, const HoldStatus& hold) {
  std::string text = print("%" PRIu64 " packets, ", hold.packets) + bytes_text(hold.bytes);
  if (hold.oldest_ms) text += print(", the oldest for %.1f ms", *hold.oldest_ms);
  row(out, "held output", text);
}

void takeover_rows(std::string& out, const TakeoverStatus& takeover) {
  row(out, "loss", takeover.cause);
  const auto time_row = [&](const char* label, const std::optional<std::int64_t>& time) {
    row(out, label, time ? time_text(*time) : "-");
  };
  time_row("  detected", takeover.detected_unix_ns);
  time_row("  claimed", takeover.claimed_unix_ns);
  time_row("  resumed", takeover.resumed_unix_ns);
}

void owner_rows(std::string& out, const Status& status) {
  if (status.owners.empty()) return;
  constexpr std::size_t shown = 6;  // the whole history is in --json
  const std::size_t count = status.owners.size();
  std::string text = count > shown ? "... " : "";
  for (std::size_t i = count > shown ? count - shown : 0; i < count; ++i) {
    const OwnerStatus& owner = status.owners[i];
    text += print("%" PRIu64 ":", owner.generation) +
            (owner.owner.empty() ? "nobody" : owner.owner) + (i + 1 < count ? " " : "");
  }
  row(out, "owners", text);
}

}  // namespace

std::string to_text(const Status& status) {
  std::string out = std::string(word(status.state)) +
                    (status.step.empty() ? "" : "/" + status.step) + ": " + status.reason + "\n";
  if (!status.next.empty()) out += "next: " + status.next + "\n";
  out += "\n";
  row(out, "guest name",
      status.name + " on " + status.host +
          (status.role == "none" ? ", no role" : ", " + status.role));
  row(out, "generation", print("%" PRIu64 ", epoch %" PRIu64, status.generation, status.epoch));
  mode_rows(out, status);
  if (!status.tls) row(out, "TLS", "OFF: guest memory crosses the link unencrypted");
  if (status.unsafe) row(out, "arbiter", "NONE (unsafe): a cut would let both hosts speak");
  guest_rows(out, status);
  peer_rows(out, status);
  if (status.session) session_row(out, *status.session);
  if (status.initial_copy) copy_rows(out, *status.initial_copy);
  if (status.checkpoints) checkpoint_rows(out, *status.checkpoints);
  if (status.hold) hold_rows(out, *status.hold);
  if (status.compare) compare_rows(out, *status.compare);
  if (status.cache) {
    row(out, "cache",
        pages_text(status.cache->staged_pages) + " staged, " +
            pages_text(status.cache->received_pages) + " to flush, holds " +
            bytes_text(status.cache->bytes));
  }
  if (status.replica) replica_rows(out, *status.replica);
  if (status.takeover) takeover_rows(out, *status.takeover);
  owner_rows(out, status);
  row(out, "engine", print("pid %d, version ", status.pid) + status.version);
  return out;
}

}  // namespace colo::app
