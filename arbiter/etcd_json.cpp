// The JSON of etcd's gateway, both ways.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "arbiter/etcd_text.h"
#include "heartbeat/ownership_file.h"

namespace colo::arbiter::etcd {

namespace {

using Json = nlohmann::json;

tl::unexpected<Error> garbled(const std::string& what) {
  return fail("arbiter-garbled", "the answer is not etcd's: " + what,
              "see that the endpoint is an etcd of version 3.4 or newer and no proxy");
}

std::string dump(const Json& tree) {
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json put(const std::string& key, const std::string& value) {
  return {{"request_put", {{"key", base64(key)}, {"value", base64(value)}}}};
}

std::string swap_body(const Names& names, std::int64_t mod_revision, const Ownership& wanted) {
  const std::string value = heartbeat::encode_ownership(wanted);
  const Json body = {
      {"compare",
       {{{"key", base64(names.owner_key)},
         {"target", "MOD"},
         {"result", "EQUAL"},
         {"mod_revision", std::to_string(mod_revision)}}}},
      {"success", {put(names.owner_key, value), put(history_key(names, wanted.generation), value)}},
      {"failure", {{{"request_range", {{"key", base64(names.owner_key)}}}}}},
  };
  return dump(body);
}

// Null where there is none: a field that is zero is left out.
const Json* member(const Json& tree, const char* key) {
  if (!tree.is_object()) return nullptr;
  const auto found = tree.find(key);
  return found == tree.end() ? nullptr : &*found;
}

const std::string* text_of(const Json& tree, const char* key) {
  const Json* found = member(tree, key);
  return found == nullptr ? nullptr : found->get_ptr<const std::string*>();
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

struct Opened {
  Json tree;
  std::string cluster;
};

Result<Opened> open(const std::string& body) {
  Opened opened{Json::parse(body, nullptr, /*allow_exceptions=*/false), ""};
  if (opened.tree.is_discarded() || !opened.tree.is_object()) return garbled("not a JSON object");
  const Json* header = member(opened.tree, "header");
  const std::string* cluster = header == nullptr ? nullptr : text_of(*header, "cluster_id");
  if (cluster == nullptr || !number_of(*cluster)) return garbled("no cluster_id");
  opened.cluster = *cluster;
  return opened;
}

struct Pair {
  std::string key, value;
  std::int64_t mod_revision = 0;
};

Result<Pair> pair_of(const Json& tree) {
  const std::string* key = text_of(tree, "key");
  const std::string* value = text_of(tree, "value");
  const std::string* revision = text_of(tree, "mod_revision");
  if (key == nullptr || revision == nullptr) return garbled("a key without name or revision");
  const auto name = from_base64(*key);
  const auto content = from_base64(value == nullptr ? std::string() : *value);
  const auto number = number_of(*revision);
  if (!name || !content || !number || *number == 0 || *number > INT64_MAX) {
    return garbled("a key that does not decode");
  }
  return Pair{*name, *content, static_cast<std::int64_t>(*number)};
}

// The pairs of a range's answer.
Result<std::vector<Pair>> pairs_of(const Json& range, std::size_t most) {
  std::vector<Pair> pairs;
  const Json* kvs = member(range, "kvs");
  if (kvs == nullptr) return pairs;
  if (!kvs->is_array() || kvs->size() > most) return garbled("more keys than were asked for");
  for (const Json& one : *kvs) {
    auto pair = pair_of(one);
    if (!pair) return fail(pair.error());
    pairs.push_back(std::move(*pair));
  }
  return pairs;
}

// The value must be exactly what we write.
Result<Ownership> ownership_of(const Pair& pair) {
  auto ownership = heartbeat::decode_ownership(pair.value);
  if (ownership) return std::move(*ownership);
  return fail("arbiter-corrupt", "the value of " + pair.key + " is no ownership, or altered",
              "find out who wrote it; `etcdctl get " + pair.key +
                  "` shows it, its older revisions may still be there (--rev)");
}

// What a range of the owner key says.
Result<Seen> seen_of(const Names& names, const Json& range) {
  auto pairs = pairs_of(range, 1);
  if (!pairs) return fail(pairs.error());
  if (pairs->empty()) {
    // No keys and a count is no answer to this question.
    if (member(range, "count") != nullptr) return garbled("a count without keys");
    return Seen{};
  }
  if (pairs->front().key != names.owner_key) return garbled("another key than was asked for");
  auto ownership = ownership_of(pairs->front());
  if (!ownership) return fail(ownership.error());
  return Seen{pairs->front().mod_revision, std::move(*ownership)};
}

}  // namespace

std::string read_body(const Names& names) { return dump({{"key", base64(names.owner_key)}}); }

std::string claim_body(const Names& names, const Seen& seen, const Ownership& wanted) {
  return swap_body(names, seen.mod_revision, wanted);
}

std::string probe_body(const Names& names) {
  return swap_body(names, INT64_MAX, {Generation{}, "", "probe"});
}

std::string history_body(const Names& names) {
  std::string end = names.history_prefix;
  ++end.back();  // the first key behind all that begin so
  return dump({{"key", base64(names.history_prefix)},
               {"range_end", base64(end)},
               {"limit", std::to_string(history_max)},
               {"sort_order", "DESCEND"},
               {"sort_target", "KEY"}});
}

std::string login_body(const std::string& username, const std::string& password) {
  return dump({{"name", username}, {"password", password}});
}

Result<ReadAnswer> parse_read(const Names& names, const std::string& body) {
  auto opened = open(body);
  if (!opened) return fail(opened.error());
  auto seen = seen_of(names, opened->tree);
  if (!seen) return fail(seen.error());
  return ReadAnswer{std::move(opened->cluster), std::move(*seen)};
}

Result<TxnAnswer> parse_txn(const Names& names, const std::string& body) {
  auto opened = open(body);
  if (!opened) return fail(opened.error());
  TxnAnswer answer{std::move(opened->cluster), false, std::nullopt};
  const Json* responses = member(opened->tree, "responses");
  if (responses == nullptr || !responses->is_array()) return garbled("no responses");
  // Both branches are known: two puts, or one range. Anything else was not our transaction.
  if (const Json* succeeded = member(opened->tree, "succeeded")) {
    if (!succeeded->is_boolean()) return garbled("`succeeded` is no truth");
    answer.swapped = succeeded->get<bool>();
  }
  if (answer.swapped) {
    if (responses->size() != 2) return garbled("another number of responses");
    for (const Json& one : *responses) {
      if (member(one, "response_put") == nullptr) return garbled("no response to a put");
    }
    return answer;
  }
  const Json* range = responses->size() == 1 ? member((*responses)[0], "response_range") : nullptr;
  if (range == nullptr) return garbled("no response to a range");
  auto seen = seen_of(names, *range);
  if (!seen) return fail(seen.error());
  answer.seen = std::move(*seen);
  return answer;
}

Result<HistoryAnswer> parse_history(const Names& names, const std::string& body) {
  auto opened = open(body);
  if (!opened) return fail(opened.error());
  auto pairs = pairs_of(opened->tree, history_max);
  if (!pairs) return fail(pairs.error());
  HistoryAnswer answer{std::move(opened->cluster), {}};
  for (auto pair = pairs->rbegin(); pair != pairs->rend(); ++pair) {
    auto ownership = ownership_of(*pair);
    if (!ownership) return fail(ownership.error());
    if (pair->key != history_key(names, ownership->generation)) {
      return fail("arbiter-corrupt", pair->key + " holds another generation",
                  "find out who wrote it; ownership itself does not depend on it");
    }
    answer.owners.push_back(std::move(*ownership));
  }
  return answer;
}

Result<std::string> parse_login(const std::string& body) {
  auto opened = open(body);
  if (!opened) return fail(opened.error());
  const std::string* token = text_of(opened->tree, "token");
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  // It becomes a line of a request's head.
  if (token == nullptr || token->empty() || token->size() > 4096 ||
      !std::all_of(token->begin(), token->end(), plain)) {
    return garbled("no token");
  }
  return *token;
}

Refused refusal(int http_status, const std::string& body) {
  const Json tree = Json::parse(body, nullptr, false);
  const std::string* said = text_of(tree, "error");
  const Json* code = member(tree, "code");
  const auto* number = code == nullptr ? nullptr : code->get_ptr<const Json::number_integer_t*>();
  if (said == nullptr || number == nullptr) {
    return {Refusal::other_member, garbled("HTTP status " + std::to_string(http_status)).value()};
  }
  std::string reason;
  for (const char c : said->substr(0, 200)) reason += c >= 0x20 && c < 0x7f ? c : '?';
  // Codes of gRPC.
  switch (*number) {
    case 3:  // invalid argument: also a wrong password
      return {Refusal::final,
              {"arbiter-refused", reason,
               "set `username` and `password_file` of [arbiter] to a user of this etcd; a "
               "certificate alone does not log in through its JSON gateway"}};
    case 7:  // permission denied
      return {Refusal::final,
              {"arbiter-refused", reason,
               "give the user's role readwrite on the keys below `prefix`: `etcdctl role "
               "grant-permission --prefix=true ROLE readwrite PREFIX/`"}};
    case 8:  // resource exhausted
      return {Refusal::final,
              {"arbiter-full", reason, "compact, defragment, then `etcdctl alarm disarm`"}};
    case 9:  // failed precondition: authentication is not enabled
      return {Refusal::final,
              {"arbiter-refused", reason, "leave `username` out, or `etcdctl auth enable`"}};
    case 16:  // unauthenticated
      return {Refusal::new_token,
              {"arbiter-refused", reason, "see `username` and `password_file` of [arbiter]"}};
    default:
      return {Refusal::other_member,
              {"arbiter-unreachable", reason,
               "see `etcdctl endpoint health`: etcd answers only while a majority of its members "
               "run"}};
  }
}

}  // namespace colo::arbiter::etcd
