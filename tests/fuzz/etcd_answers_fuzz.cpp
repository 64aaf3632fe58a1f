// Any bytes as an answer of etcd. What is taken for an ownership must be one that we could have
// written, and a claim decided by it must keep to the rule: one generation, one owner.
#include <cstdint>
#include <string>

#include "arbiter/etcd_text.h"
#include "heartbeat/ownership_file.h"
#include "tests/fuzz/require.h"

namespace {

using namespace colo;
using namespace colo::arbiter::etcd;

const Names names = names_of("/colo", "ledger");

void check_error(const Error& error) {
  FUZZ_REQUIRE(error.word == "arbiter-garbled" || error.word == "arbiter-corrupt");
  FUZZ_REQUIRE(!error.reason.empty() && !error.remedy.empty());
}

void check_owner(const Seen& seen) {
  const Ownership& owner = seen.ownership;
  FUZZ_REQUIRE((seen.mod_revision == 0) == (owner.generation.value == 0));
  if (seen.mod_revision == 0) {
    FUZZ_REQUIRE(owner == Ownership{});
    return;
  }
  FUZZ_REQUIRE(heartbeat::check_names(owner.owner, owner.run).has_value());
  FUZZ_REQUIRE(heartbeat::decode_ownership(heartbeat::encode_ownership(owner)) == owner);
}

void check_decision(const Seen& seen) {
  const Claim claim{{7}, "beta", "cafe"};
  const auto decided = decide(claim, seen.ownership);
  if (!decided) return;
  const bool swaps = std::holds_alternative<TryToSwap>(*decided);
  FUZZ_REQUIRE(swaps == (seen.ownership.generation == claim.from));
  const auto* answer = std::get_if<ClaimAnswer>(&*decided);
  if (answer != nullptr && std::holds_alternative<heartbeat::ClaimWon>(*answer)) {
    FUZZ_REQUIRE((seen.ownership == Ownership{{8}, "beta", "cafe"}));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string body(reinterpret_cast<const char*>(data), size);
  if (const auto read = parse_read(names, body); !read) {
    check_error(read.error());
  } else {
    check_owner(read->seen);
    check_decision(read->seen);
  }
  if (const auto txn = parse_txn(names, body); !txn) {
    check_error(txn.error());
  } else {
    FUZZ_REQUIRE(txn->swapped != txn->seen.has_value());
    if (txn->seen) check_owner(*txn->seen);
  }
  if (const auto history = parse_history(names, body); !history) {
    check_error(history.error());
  } else {
    FUZZ_REQUIRE(history->owners.size() <= history_max);
  }
  if (const auto token = parse_login(body)) FUZZ_REQUIRE(token->find('\n') == std::string::npos);
  FUZZ_REQUIRE(!refusal(500, body).error.word.empty());
  if (const auto bytes = from_base64(body)) FUZZ_REQUIRE(base64(*bytes) == body);
  return 0;
}
