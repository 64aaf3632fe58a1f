#include "demo/checks.h"

namespace colo::demo {

void check_client(RoundReport& report, std::uint64_t replies_behind) {
  const ClientFigures& client = report.client;
  report.check("one connection, never reset", client.connections == 1 && client.resets == 0,
               client.trouble);
  report.check("the conversation goes on behind the fault", replies_behind >= replies_wanted,
               std::to_string(replies_behind) + " replies");
  report.check("every entry got its reply", client.unanswered == 0,
               std::to_string(client.unanswered) + " wait for it");
  report.check("nothing acknowledged is lost", client.lost == 0,
               std::to_string(client.lost) + " entries: " + client.trouble);
  report.check("no reply is wrong", client.wrong == 0,
               std::to_string(client.wrong) + " replies: " + client.trouble);
  report.check("the guest's whole digest is the client's", client.whole_fits, client.trouble);
}

void check_visits(RoundReport& report, std::uint64_t visits_behind) {
  if (!report.visits) return;
  const VisitFigures& visits = *report.visits;
  report.check("no new connection is refused or reset", visits.resets == 0, visits.trouble);
  report.check("new connections are made behind the fault", visits_behind >= visits_wanted,
               std::to_string(visits_behind) + " visits");
  report.check("every visit is in the visitors' book",
               visits.whole_fits && visits.unanswered == 0 && visits.lost == 0 && visits.wrong == 0,
               std::to_string(visits.lost) + " lost, " + std::to_string(visits.wrong) + " wrong, " +
                   std::to_string(visits.unanswered) + " unanswered; " + visits.trouble);
}

void check_protection(RoundReport& report, const std::string& mode) {
  const EngineStatus& before = report.before;
  report.check("checkpoints were committed", before.checkpoints_committed > 0, "none");
  report.check("the mode is the one that was asked for", before.mode == mode,
               "it is " + before.mode);
  if (mode != "colo") return;
  const std::uint64_t equal = before.compare ? before.compare->equal : 0;
  const std::uint64_t replies =
      report.reply_times.guarded ? report.reply_times.guarded->replies : 0;
  report.check(
      "most replies left because both guests said them", equal > 0 && equal >= replies / 2,
      std::to_string(equal) + " packets were equal, " + std::to_string(replies) + " replies came");
}

}  // namespace colo::demo
