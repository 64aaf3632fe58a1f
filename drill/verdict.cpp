#include "drill/verdict.h"

#include <algorithm>
#include <array>

namespace colo::drill {
namespace {

const std::array<std::string, 2> hosts{"alpha", "beta"};

std::string ms_text(double ms) { return std::to_string(static_cast<long>(ms)) + " ms"; }

std::string words(const std::set<Outcome>& outcomes) {
  std::string text;
  for (const Outcome outcome : outcomes)
    text += (text.empty() ? "" : " or ") + std::string(word(outcome));
  return text;
}

void judge_client(const Drill& drill, const Seen& seen, Record& record) {
  const demo::ClientFigures& client = record.client;
  record.check("nothing acknowledged is lost", client.lost == 0,
               std::to_string(client.lost) + " entries: " + client.trouble);
  record.check("no reply is wrong", client.wrong == 0,
               std::to_string(client.wrong) + " replies: " + client.trouble);
  if (record.outcome == Outcome::ended) return;  // there is nobody left to answer
  record.check("one connection, never reset", client.connections == 1 && client.resets == 0,
               client.trouble);
  record.check("the guest answers in the end", seen.answers && client.unanswered == 0,
               std::to_string(client.unanswered) + " entries wait for their reply");
  record.check("the guest's whole digest is the client's", client.whole_fits, client.trouble);
  if (drill.silent) {
    record.check("nothing leaves without a claim", seen.replies_in_silence == 0,
                 std::to_string(seen.replies_in_silence) + " replies");
    return;
  }
  record.check("the guest is reachable again within " +
                   ms_text(static_cast<double>(drill.reachable.count())),
               client.longest_gap_ms <= static_cast<double>(drill.reachable.count()),
               "the longest gap was " + ms_text(client.longest_gap_ms));
}

void judge_silent(const Drill& drill, Record& record) {
  const auto& times = record.times;
  if (!drill.silent || !times.healed) return;
  const double bound = *times.healed + static_cast<double>(drill.reachable.count());
  record.check("the guest is reachable again after the healing",
               times.first_reply && *times.first_reply <= bound,
               times.first_reply ? ms_text(*times.first_reply - *times.healed) : "never");
}

// The fault missed its moment: the switchover was over, and the new owner had nobody yet to protect
// its guest.
bool met_a_new_owner(const Drill& drill, const Record& record, const Seen& seen) {
  if (!record.missed || !drill.asks_switchover() || !record.fault_unix_ns) return false;
  return std::any_of(record.owners.begin(), record.owners.end(), [&](const Owner& owner) {
    return owner.generation > seen.generation && owner.host != seen.primary &&
           owner.since_ns < *record.fault_unix_ns;
  });
}

}  // namespace

Outcome outcome_of(const Drill& drill, const Record& record, const Seen& seen) {
  if (!seen.answers) return Outcome::ended;
  bool elsewhere = false;
  std::string last = seen.primary;
  bool claimed = false;
  for (const Owner& owner : record.owners) {
    if (owner.generation <= seen.generation) continue;
    claimed = true;
    last = owner.host;
    elsewhere = elsewhere || owner.host != seen.primary;
  }
  if (!claimed) return Outcome::unharmed;
  if (last.empty()) return Outcome::ended;
  if (last != seen.primary) return drill.asks_switchover() ? Outcome::moved : Outcome::taken_over;
  return elsewhere ? Outcome::given_back : Outcome::kept;
}

std::vector<std::string> speakers_of(const std::vector<demo::Spoken>& frames) {
  std::vector<std::string> speakers;
  for (const demo::Spoken& frame : frames) {
    const std::string& host = hosts.at(frame.host);
    if (speakers.empty() || speakers.back() != host) speakers.push_back(host);
  }
  return speakers;
}

std::string out_of_turn(const std::vector<demo::Spoken>& frames, const std::vector<Owner>& owners) {
  std::size_t owner = 0;  // whose turn it is
  for (const demo::Spoken& frame : frames) {
    const std::string& host = hosts.at(frame.host);
    // A host that is heard anew speaks in the next generation of its own, and not before it began.
    while (owner < owners.size() && owners[owner].host != host) owner += 1;
    if (owner == owners.size()) return host + " spoke when the guest was no longer its own";
    if (frame.unix_ns < owners[owner].since_ns) {
      return host + " spoke " +
             ms_text(static_cast<double>(owners[owner].since_ns - frame.unix_ns) / 1e6) +
             " before it owned generation " + std::to_string(owners[owner].generation);
    }
  }
  return "";
}

void judge(const Drill& drill, const Seen& seen, Record& record) {
  record.outcome = outcome_of(drill, record, seen);
  record.speakers = speakers_of(seen.frames);
  const bool unprotected = record.outcome == Outcome::ended && met_a_new_owner(drill, record, seen);
  record.check("the outcome is one that is allowed: " + words(drill.allowed),
               unprotected || drill.allowed.count(*record.outcome) == 1, word(*record.outcome));
  judge_client(drill, seen, record);
  judge_silent(drill, record);
  const std::string wrong_turn = out_of_turn(seen.frames, record.owners);
  record.check("only the owner of a generation lets the guest speak", wrong_turn.empty(),
               wrong_turn);
  if (record.protected_again && record.outcome != Outcome::ended) {
    record.check("the guest is protected again within " +
                     ms_text(static_cast<double>(drill.protected_again.count())),
                 *record.protected_again, "it is not");
  }
}

}  // namespace colo::drill
