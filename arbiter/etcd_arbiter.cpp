#include "arbiter/etcd_arbiter.h"

#include "arbiter/http.h"
#include "arbiter/secret_file.h"

namespace colo::arbiter {

namespace {

constexpr const char* range_path = "/v3/kv/range";
constexpr const char* txn_path = "/v3/kv/txn";
constexpr const char* login_path = "/v3/auth/authenticate";

Error other_cluster(const std::string& endpoint) {
  return {"arbiter-other-cluster",
          endpoint + " belongs to another etcd cluster than the one before",
          "list the members of one cluster only: two clusters would be two arbiters"};
}

// What to say when nobody answered.
Error nobody_answered(const std::vector<Error>& errors) {
  if (errors.size() == 1) return errors.front();
  Error all = errors.front();
  for (std::size_t i = 1; i < errors.size(); ++i) {
    if (errors[i].word != all.word) all.word = "arbiter-unreachable";
    all.reason += "; " + errors[i].reason;
  }
  return all;
}

}  // namespace

EtcdArbiter::EtcdArbiter(EtcdSettings settings, const std::string& guest)
    : settings_(std::move(settings)), names_(etcd::names_of(settings_.prefix, guest)) {}

Result<std::string> EtcdArbiter::post(const std::string& endpoint, const char* path,
                                      const std::string& body, Clock::time_point until,
                                      etcd::Refusal& refusal) {
  refusal = etcd::Refusal::other_member;
  HttpRequest request{endpoint + path, body,          token_, settings_.ca,
                      settings_.cert,  settings_.key, {},     etcd::answer_bytes_max};
  request.timeout = until - Clock::now();
  if (request.timeout <= Duration::zero()) {
    return fail("arbiter-unreachable", endpoint + ": no time was left to ask it",
                "raise `timeout` of [arbiter]");
  }
  auto answer = http_post(request);
  if (!answer) return fail(answer.error());
  if (answer->status == 200) return std::move(answer->body);
  etcd::Refused refused = etcd::refusal(answer->status, answer->body);
  refusal = refused.kind;
  refused.error.reason = endpoint + ": " + refused.error.reason;
  return fail(std::move(refused.error));
}

Result<void> EtcdArbiter::log_in(const std::string& endpoint, Clock::time_point until,
                                 bool& final) {
  const auto password = read_secret_file(settings_.password_file);
  if (!password) {
    final = true;
    return fail(password.error());
  }
  etcd::Refusal refusal{};
  token_.clear();
  const auto body =
      post(endpoint, login_path, etcd::login_body(settings_.username, *password), until, refusal);
  if (!body) {
    final = refusal != etcd::Refusal::other_member;
    return fail(body.error());
  }
  auto token = etcd::parse_login(*body);
  if (!token) return fail(token.error());
  token_ = std::move(*token);
  return {};
}

Result<std::string> EtcdArbiter::ask_one(const std::string& endpoint, const char* path,
                                         const std::string& body, Clock::time_point until,
                                         bool& final) {
  final = false;
  for (bool second_try = false;; second_try = true) {
    const bool log_in_first = !settings_.username.empty() && token_.empty();
    if (log_in_first) {
      if (auto logged_in = log_in(endpoint, until, final); !logged_in) {
        return fail(logged_in.error());
      }
    }
    etcd::Refusal refusal{};
    auto answer = post(endpoint, path, body, until, refusal);
    if (answer) return answer;
    if (refusal == etcd::Refusal::new_token && !settings_.username.empty() && !second_try &&
        !log_in_first) {
      token_.clear();  // it ran out
      continue;
    }
    final = refusal != etcd::Refusal::other_member;
    return answer;
  }
}

template <class Answer>
Result<Answer> EtcdArbiter::ask(const char* path, const std::string& body,
                                Result<Answer> (*parse)(const etcd::Names&, const std::string&),
                                Clock::time_point until) {
  std::vector<Error> errors;
  const std::size_t first = preferred_;
  const std::size_t count = settings_.endpoints.size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = (first + i) % count;
    const std::string& endpoint = settings_.endpoints[at];
    // One that hangs must leave the others their share.
    const auto share = (until - Clock::now()) / static_cast<int>(count - i);
    bool final = false;
    const auto answered = ask_one(endpoint, path, body, Clock::now() + share, final);
    if (!answered) {
      if (final) return fail(answered.error());
      errors.push_back(answered.error());
      continue;
    }
    auto parsed = parse(names_, *answered);
    if (!parsed) {
      Error error = parsed.error();
      error.reason = endpoint + ": " + error.reason;
      // All members hold the same corrupt value.
      if (error.word != "arbiter-garbled") return fail(std::move(error));
      errors.push_back(std::move(error));
      continue;
    }
    if (cluster_.empty()) cluster_ = parsed->cluster;
    if (parsed->cluster != cluster_) {
      errors.push_back(other_cluster(endpoint));
      continue;
    }
    preferred_ = at;
    return parsed;
  }
  return fail(nobody_answered(errors));
}

Result<heartbeat::ClaimAnswer> EtcdArbiter::claim(const heartbeat::Claim& claim) {
  const auto until = Clock::now() + settings_.timeout;
  const auto read = ask(range_path, etcd::read_body(names_), &etcd::parse_read, until);
  if (!read) return fail(read.error());
  auto decision = etcd::decide(claim, read->seen.ownership);
  if (!decision) return fail(decision.error());
  const auto* swap = std::get_if<etcd::TryToSwap>(&*decision);
  if (swap == nullptr) return std::get<heartbeat::ClaimAnswer>(std::move(*decision));
  const auto txn =
      ask(txn_path, etcd::claim_body(names_, read->seen, swap->wanted), &etcd::parse_txn, until);
  if (!txn) return fail(txn.error());
  if (txn->swapped) return heartbeat::ClaimWon{swap->wanted.generation};
  // Another claimant came first, or an earlier try of this very claim.
  decision = etcd::decide(claim, txn->seen->ownership);
  if (!decision) return fail(decision.error());
  if (auto* answer = std::get_if<heartbeat::ClaimAnswer>(&*decision)) return std::move(*answer);
  return fail("arbiter-corrupt", names_.owner_key + " was written without a new generation",
              "find out who writes to it besides the two hosts");
}

Result<heartbeat::Ownership> EtcdArbiter::current() {
  auto read =
      ask(range_path, etcd::read_body(names_), &etcd::parse_read, Clock::now() + settings_.timeout);
  if (!read) return fail(read.error());
  return std::move(read->seen.ownership);
}

Result<std::vector<heartbeat::Ownership>> EtcdArbiter::history() {
  auto read = ask(range_path, etcd::history_body(names_), &etcd::parse_history,
                  Clock::now() + settings_.timeout);
  if (!read) return fail(read.error());
  return std::move(read->owners);
}

Result<std::string> EtcdArbiter::probe(const std::string& endpoint) {
  const auto until = Clock::now() + settings_.timeout;
  bool final = false;
  const auto answered = ask_one(endpoint, txn_path, etcd::probe_body(names_), until, final);
  if (!answered) return fail(answered.error());
  auto parsed = etcd::parse_txn(names_, *answered);
  if (!parsed)
    return fail(parsed.error().word, endpoint + ": " + parsed.error().reason,
                parsed.error().remedy);
  if (parsed->swapped) {
    return fail("arbiter-garbled", endpoint + ": a condition that never holds did",
                "see that the endpoint is an etcd");
  }
  return std::move(parsed->cluster);
}

}  // namespace colo::arbiter
