#include <array>
#include <cstdio>

#include "demo/report.h"

namespace colo::demo {
namespace {

std::string number(double value, const char* unit) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%.1f%s", value, unit);
  return text.data();
}

std::string ms(const std::optional<double>& value) { return value ? number(*value, " ms") : "-"; }

std::string pages(const std::optional<std::uint64_t>& value) {
  return value ? std::to_string(*value) : "-";
}

std::string row(const std::string& name, const std::string& value) {
  return "  " + name + std::string(name.size() < 14 ? 14 - name.size() : 1, ' ') + value + "\n";
}

std::string counts(const std::map<std::string, std::uint64_t>& all) {
  std::string text;
  for (const auto& [reason, count] : all) {
    text += (text.empty() ? "" : ", ") + reason + " " + std::to_string(count);
  }
  return text.empty() ? "-" : text;
}

std::string times(const std::optional<ReplyFigures>& figures) {
  if (!figures) return "-";
  return "p50 " + number(figures->p50_ms, " ms") + ", p99 " + number(figures->p99_ms, " ms");
}

std::string phases(const PhaseTimes& phases) {
  std::string text =
      times(phases.guarded) + " protected; " + times(phases.unprotected) + " before, unprotected";
  if (phases.guarded && phases.unprotected) {
    text += "; added " + number(phases.guarded->p50_ms - phases.unprotected->p50_ms, " ms") + ", " +
            number(phases.guarded->p99_ms - phases.unprotected->p99_ms, " ms");
  }
  return text;
}

std::string mode_rows(const RoundReport& report) {
  const EngineStatus& before = report.before;
  const bool as_configured = before.effective_mode.empty() || before.effective_mode == before.mode;
  std::string text =
      row("mode", before.mode + (as_configured ? "" : ", at the fault " + before.effective_mode));
  if (before.compare) {
    text += row("compared", std::to_string(before.compare->equal) +
                                " packets equal; different: " + counts(before.compare->different));
  }
  if (report.replica) {
    text += row("replica",
                std::to_string(report.replica->diverged_pages) + " pages diverged, " +
                    number(static_cast<double>(report.replica->preimage_bytes) / (1U << 20), "") +
                    " of " +
                    number(static_cast<double>(report.replica->limit_bytes) / (1U << 20), " MiB") +
                    " kept");
  }
  return text;
}

std::string visit_rows(const RoundReport& report) {
  if (!report.visits) return "";
  const VisitFigures& visits = *report.visits;
  return row("visits", std::to_string(visits.connections) + " new connections, " +
                           std::to_string(visits.resets) + " resets, " +
                           std::to_string(visits.acknowledged) + " acknowledged, " +
                           std::to_string(visits.lost) + " lost, " + std::to_string(visits.wrong) +
                           " wrong") +
         row("visit time", phases(report.visit_times));
}

}  // namespace

std::string to_text(const RoundReport& report) {
  const EngineStatus& before = report.before;
  const ClientFigures& client = report.client;
  std::string owners;
  for (const std::string& owner : report.owners) owners += (owners.empty() ? "" : " -> ") + owner;

  std::string text = "\n";
  text +=
      row("guest", before.guest_kind + " " + before.guest_version + ", accelerator " +
                       before.guest_accelerator + ", " +
                       number(static_cast<double>(before.guest_memory_bytes) / (1U << 20), " MiB"));
  text += mode_rows(report);
  text += row("checkpoints", std::to_string(before.checkpoints_committed) + " committed, delay " +
                                 number(before.delay_ms, " ms") +
                                 ", by reason: " + counts(before.checkpoints_by_reason));
  text += row("pause", "p50 " + ms(before.pause_p50_ms) + ", p99 " + ms(before.pause_p99_ms) +
                           ", max " + ms(before.pause_max_ms));
  text += row("dirty pages", "p50 " + pages(before.dirty_p50_pages) + ", max " +
                                 pages(before.dirty_max_pages) + " per checkpoint");
  text += row("since " + report.fault, "detected " + ms(report.takeover.detected_ms) +
                                           ", claimed " + ms(report.takeover.claimed_ms) +
                                           ", resumed " + ms(report.takeover.resumed_ms) +
                                           ", first reply " + ms(report.takeover.first_reply_ms));
  text += row("client", std::to_string(client.connections) + " connection, " +
                            std::to_string(client.resets) + " resets, " +
                            std::to_string(client.acknowledged) + " acknowledged, " +
                            std::to_string(client.lost) + " lost, " + std::to_string(client.wrong) +
                            " wrong, longest gap " + number(client.longest_gap_ms, " ms"));
  text += row("reply time", phases(report.reply_times));
  text += visit_rows(report);
  text += row("owners", owners.empty() ? "-" : owners);
  for (const Check& check : report.checks) {
    text += std::string(check.held ? "  held    " : "  FAILED  ") + check.what;
    if (!check.held && !check.detail.empty()) text += ": " + check.detail;
    text += "\n";
  }
  return text + row("verdict", report.passed() ? "passed" : "failed");
}

}  // namespace colo::demo
