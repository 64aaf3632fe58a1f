// What is said to etcd and what its answers mean: bodies and answers of its v3 JSON gateway
// (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/), where keys and values are base64 and
// 64-bit numbers are strings, and a field that is zero is left out.
//
// The newest ownership is the value of one key, <prefix>/<guest>/owner, as the text of
// heartbeat/ownership_file.h. It is changed by a transaction that demands the revision at which it
// was read: etcd's compare-and-swap. The same transaction leaves a copy under .../generation/N,
// for people only: nothing is decided by those.
//
// Role: pure. Errors: an answer that is not etcd's is "arbiter-garbled": the question counts as
//   unanswered. Threads: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "heartbeat/arbiter.h"

namespace colo::arbiter::etcd {

using heartbeat::Claim;
using heartbeat::ClaimAnswer;
using heartbeat::Ownership;

// The newest ownerships that history() asks for: more would not fit an answer's bound.
inline constexpr std::uint64_t history_max = 1000;
// Of a whole answer. A history of history_max ownerships at their bounds is smaller.
inline constexpr std::size_t answer_bytes_max = 4U << 20;

struct Names {
  std::string owner_key;       // "/colo/ledger/owner"
  std::string history_prefix;  // "/colo/ledger/generation/"
};
[[nodiscard]] Names names_of(const std::string& prefix, const std::string& guest);
// Numbers of equal length, so that their order is that of the keys.
[[nodiscard]] std::string history_key(const Names& names, Generation generation);

[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

// What the owner key held, and at which revision: 0 and generation 0 where there is no such key.
struct Seen {
  std::int64_t mod_revision = 0;
  Ownership ownership;
};

// --- bodies ------------------------------------------------------------------------------------
// A linearizable read of the owner key: etcd's default, it asks a majority.
[[nodiscard]] std::string read_body(const Names& names);
// If the owner key is still as seen: becomes `wanted`. Else: says what it is.
[[nodiscard]] std::string claim_body(const Names& names, const Seen& seen, const Ownership& wanted);
// A claim whose condition never holds: it needs all that a claim needs, and changes nothing.
[[nodiscard]] std::string probe_body(const Names& names);
[[nodiscard]] std::string history_body(const Names& names);
[[nodiscard]] std::string login_body(const std::string& username, const std::string& password);

// --- answers -----------------------------------------------------------------------------------
struct ReadAnswer {
  std::string cluster;
  Seen seen;
};
struct TxnAnswer {
  std::string cluster;
  bool swapped = false;
  std::optional<Seen> seen;  // where it was not
};
struct HistoryAnswer {
  std::string cluster;
  std::vector<Ownership> owners;  // oldest first
};
[[nodiscard]] Result<ReadAnswer> parse_read(const Names& names, const std::string& body);
[[nodiscard]] Result<TxnAnswer> parse_txn(const Names& names, const std::string& body);
[[nodiscard]] Result<HistoryAnswer> parse_history(const Names& names, const std::string& body);
// The token.
[[nodiscard]] Result<std::string> parse_login(const std::string& body);

// What an answer with another HTTP status than 200 says.
enum class Refusal {
  other_member,  // this member cannot, another may: no leader, timed out, not an etcd
  new_token,     // the login ran out
  final,         // every member will say the same: wrong password, not permitted, no space
};
struct Refused {
  Refusal kind = Refusal::other_member;
  Error error;
};
[[nodiscard]] Refused refusal(int http_status, const std::string& body);

// --- the decision ------------------------------------------------------------------------------
struct TryToSwap {
  Ownership wanted;
};
// What follows for a claim from what the owner key holds: an answer, or a transaction to try.
[[nodiscard]] Result<std::variant<ClaimAnswer, TryToSwap>> decide(const Claim& claim,
                                                                  const Ownership& current);

}  // namespace colo::arbiter::etcd
