// What is said to etcd and read from it, without an etcd.
#include "arbiter/etcd_text.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "heartbeat/ownership_file.h"

namespace colo::arbiter::etcd {
namespace {

using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using testing::HasSubstr;

const Names names = names_of("/colo", "ledger");
const Ownership seventh{{7}, "alpha", "5f0c9a3e"};

std::string pair_of(const std::string& key, const std::string& value,
                    const std::string& revision = "9") {
  return R"({"key":")" + base64(key) + R"(","create_revision":"2","mod_revision":")" + revision +
         R"(","version":"1","value":")" + base64(value) + R"("})";
}
std::string range_of(const std::string& pairs, const std::string& count) {
  return R"({"header":{"cluster_id":"14841639068965178418","revision":"9"},"kvs":[)" + pairs +
         R"(],"count":")" + count + R"("})";
}
const std::string empty_range = R"({"header":{"cluster_id":"1","revision":"1","raft_term":"2"}})";

TEST(EtcdText, Base64IsThatOfRfc4648) {
  const std::pair<std::string, std::string> samples[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xff\xfe\xfd", "//79"}};
  for (const auto& [bytes, text] : samples) {
    EXPECT_EQ(base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  for (const char* wrong : {"Zg=", "Zg", "Z===", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9", "Zm9v\n"}) {
    EXPECT_EQ(from_base64(wrong), std::nullopt) << wrong;
  }
}

TEST(EtcdText, AClaimDemandsTheRevisionThatWasSeen) {
  const auto body = nlohmann::json::parse(claim_body(names, {41, seventh}, {{8}, "beta", "cafe"}));
  ASSERT_EQ(body["compare"].size(), 1U);
  EXPECT_EQ(body["compare"][0]["key"], base64("/colo/ledger/owner"));
  EXPECT_EQ(body["compare"][0]["target"], "MOD");
  EXPECT_EQ(body["compare"][0]["result"], "EQUAL");
  EXPECT_EQ(body["compare"][0]["mod_revision"], "41");
  ASSERT_EQ(body["success"].size(), 2U);
  const std::string value = base64("colo-ownership 1\ngeneration 8\nowner beta\nrun cafe\n");
  EXPECT_EQ(body["success"][0]["request_put"]["key"], base64("/colo/ledger/owner"));
  EXPECT_EQ(body["success"][0]["request_put"]["value"], value);
  EXPECT_EQ(body["success"][1]["request_put"]["key"],
            base64("/colo/ledger/generation/00000000000000000008"));
  EXPECT_EQ(body["success"][1]["request_put"]["value"], value);
  EXPECT_EQ(body["failure"][0]["request_range"]["key"], base64("/colo/ledger/owner"));
}

TEST(EtcdText, AnAbsentKeyIsGenerationZero) {
  const auto read = parse_read(names, empty_range);
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->seen.mod_revision, 0);
  EXPECT_EQ(read->seen.ownership, Ownership{});
  EXPECT_EQ(read->cluster, "1");
}

TEST(EtcdText, ReadsAnOwnership) {
  const auto read =
      parse_read(names, range_of(pair_of(names.owner_key, encode_ownership(seventh), "88"), "1"));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->seen.mod_revision, 88);
  EXPECT_EQ(read->seen.ownership, seventh);
  EXPECT_EQ(read->cluster, "14841639068965178418");
}

TEST(EtcdText, ReadsBothEndsOfATransaction) {
  const auto won = parse_txn(
      names,
      R"({"header":{"cluster_id":"1"},"succeeded":true,"responses":[{"response_put":{"header":{"revision":"3"}}},{"response_put":{"header":{"revision":"3"}}}]})");
  ASSERT_TRUE(won) << won.error().text();
  EXPECT_TRUE(won->swapped);
  // `succeeded` is left out when it is false.
  const auto lost = parse_txn(
      names, R"({"header":{"cluster_id":"1"},"responses":[{"response_range":)" +
                 range_of(pair_of(names.owner_key, encode_ownership(seventh)), "1") + "}]}");
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_FALSE(lost->swapped);
  ASSERT_TRUE(lost->seen);
  EXPECT_EQ(lost->seen->ownership, seventh);
}

TEST(EtcdText, WhatIsNotEtcdsAnswerIsNoAnswer) {
  const std::string value = encode_ownership(seventh);
  const std::string reads[] = {
      "",
      "null",
      "[]",
      "{}",
      "<html>404</html>",
      R"({"header":{}})",
      R"({"header":{"cluster_id":7}})",
      R"({"header":{"cluster_id":"x"}})",
      R"({"header":{"cluster_id":"1"},"count":"1"})",
      R"({"header":{"cluster_id":"1"},"kvs":7})",
      R"({"header":{"cluster_id":"1"},"kvs":[7]})",
      range_of(pair_of(names.owner_key, value) + "," + pair_of(names.owner_key, value), "2"),
      range_of(pair_of("/colo/other/owner", value), "1"),
      range_of(pair_of(names.owner_key, value, "0"), "1"),
      range_of(pair_of(names.owner_key, value, "-1"), "1"),
      range_of(pair_of(names.owner_key, value, "9223372036854775808"), "1"),
      range_of(R"({"key":"****","mod_revision":"1"})", "1"),
      std::string(100, '['),
  };
  for (const std::string& body : reads) {
    const auto read = parse_read(names, body);
    ASSERT_FALSE(read) << body;
    EXPECT_EQ(read.error().word, "arbiter-garbled") << body;
  }
  const std::string txns[] = {
      empty_range,
      R"({"header":{"cluster_id":"1"},"succeeded":true})",
      R"({"header":{"cluster_id":"1"},"succeeded":"true","responses":[]})",
      R"({"header":{"cluster_id":"1"},"succeeded":true,"responses":[{"response_put":{}}]})",
      R"({"header":{"cluster_id":"1"},"succeeded":true,"responses":[{"response_range":{}},{"response_put":{}}]})",
      R"({"header":{"cluster_id":"1"},"responses":[{"response_put":{}},{"response_put":{}}]})",
  };
  for (const std::string& body : txns) {
    const auto txn = parse_txn(names, body);
    ASSERT_FALSE(txn) << body;
    EXPECT_EQ(txn.error().word, "arbiter-garbled") << body;
  }
}

TEST(EtcdText, AValueThatWasAlteredIsCorruptAndNotNobody) {
  const std::string values[] = {"",
                                "alpha",
                                "colo-ownership 1\ngeneration 7\nowner alpha\n",
                                "colo-ownership 1\ngeneration 0\nowner alpha\nrun r\n",
                                "colo-ownership 1\ngeneration 007\nowner alpha\nrun r\n",
                                "colo-ownership 2\ngeneration 7\nowner alpha\nrun r\n",
                                std::string(5000, '\n')};
  for (const std::string& value : values) {
    const auto read = parse_read(names, range_of(pair_of(names.owner_key, value), "1"));
    ASSERT_FALSE(read) << value;
    EXPECT_EQ(read.error().word, "arbiter-corrupt") << value;
    EXPECT_THAT(read.error().reason, HasSubstr("/colo/ledger/owner"));
  }
}

TEST(EtcdText, HistoryComesOldestFirst) {
  const Ownership eighth{{8}, "", "beef"};
  const auto history = parse_history(
      names, range_of(pair_of(history_key(names, {8}), encode_ownership(eighth)) + "," +
                          pair_of(history_key(names, {7}), encode_ownership(seventh)),
                      "2"));
  ASSERT_TRUE(history) << history.error().text();
  EXPECT_THAT(history->owners, testing::ElementsAre(seventh, eighth));
  const auto mixed = parse_history(
      names, range_of(pair_of(history_key(names, {9}), encode_ownership(seventh)), "1"));
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().word, "arbiter-corrupt");
}

TEST(EtcdText, DecidesFromTheGenerationInside) {
  const Claim claim{{7}, "beta", "cafe"};
  const auto decided = [&](const Ownership& current) { return decide(claim, current); };
  const auto swap = decided(seventh);
  ASSERT_TRUE(swap);
  EXPECT_EQ(std::get<TryToSwap>(*swap).wanted, (Ownership{{8}, "beta", "cafe"}));
  const auto again = decided({{8}, "beta", "cafe"});
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<ClaimWon>(std::get<ClaimAnswer>(*again)).generation, Generation{8});
  // Another run of the same host is another owner.
  for (const Ownership& other : {Ownership{{8}, "beta", "beef"}, Ownership{{8}, "alpha", "cafe"},
                                 Ownership{{9}, "beta", "cafe"}}) {
    const auto lost = decided(other);
    ASSERT_TRUE(lost);
    EXPECT_EQ(std::get<ClaimLost>(std::get<ClaimAnswer>(*lost)).current, other);
  }
  const auto behind = decided({{6}, "alpha", "r"});
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().word, "arbiter-behind");
  EXPECT_EQ(decide({{7}, "new\nline", "r"}, seventh).error().word, "bad-claim");
  EXPECT_EQ(decide({{UINT64_MAX}, "beta", "r"}, seventh).error().word, "bad-claim");
}

TEST(EtcdText, TokensThatWouldBreakARequestsHeadAreRefused) {
  EXPECT_EQ(*parse_login(R"({"header":{"cluster_id":"1"},"token":"abc.9"})"), "abc.9");
  for (const char* body :
       {R"({"header":{"cluster_id":"1"},"token":"a\r\nb"})",
        R"({"header":{"cluster_id":"1"},"token":""})", R"({"header":{"cluster_id":"1"}})"}) {
    ASSERT_FALSE(parse_login(body)) << body;
    EXPECT_EQ(parse_login(body).error().word, "arbiter-garbled");
  }
}

TEST(EtcdText, RefusalsSayWhatToDo) {
  const auto refused = [](const char* text, int code) {
    return refusal(400, R"({"error":")" + std::string(text) + R"(","message":"x","code":)" +
                            std::to_string(code) + "}");
  };
  EXPECT_EQ(refused("etcdserver: user name is empty", 3).error.word, "arbiter-refused");
  EXPECT_THAT(refused("etcdserver: permission denied", 7).error.remedy, HasSubstr("readwrite"));
  EXPECT_EQ(refused("etcdserver: mvcc: database space exceeded", 8).error.word, "arbiter-full");
  EXPECT_EQ(refused("etcdserver: invalid auth token", 16).kind, Refusal::new_token);
  EXPECT_EQ(refused("etcdserver: no leader", 14).kind, Refusal::other_member);
  EXPECT_EQ(refused("etcdserver: no leader", 14).error.word, "arbiter-unreachable");
  EXPECT_EQ(refusal(404, "404 page not found").error.word, "arbiter-garbled");
  EXPECT_EQ(refusal(500, R"({"error":7,"code":"x"})").kind, Refusal::other_member);
}

}  // namespace
}  // namespace colo::arbiter::etcd
