// Who may speak with etcd: TLS, passwords; and answers of servers that are none.
#include <gmock/gmock.h>

#include "arbiter/etcd_arbiter.h"
#include "tests/arbiter/etcd_server.h"
#include "tests/arbiter/slow_proxy.h"

namespace colo::arbiter::test {
namespace {

using heartbeat::ClaimWon;
using testing::HasSubstr;
using testing::Not;

TEST(EtcdTls, NeedsTheRightAuthorityAndAClientCertificate) {
  const Scratch scratch, elsewhere;
  const Certificates tls = make_certificates(scratch.path(), own_ip());
  const Certificates others = make_certificates(elsewhere.path(), own_ip());
  const EtcdServer server({scratch.path(), 0, 1, &tls});
  EtcdSettings right = settings_of({&server});
  right.ca = tls.ca;
  right.cert = tls.client_cert;
  right.key = tls.client_key;
  ASSERT_TRUE(ready(right));
  const auto answer = EtcdArbiter(right, "g").claim({{0}, "alpha", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*answer));

  EtcdSettings wrong = right;
  wrong.ca = others.ca;
  EXPECT_EQ(EtcdArbiter(wrong, "g").current().error().word, "arbiter-tls");
  wrong = right;
  wrong.ca.clear();  // the system's authorities do not know this server
  EXPECT_EQ(EtcdArbiter(wrong, "g").current().error().word, "arbiter-tls");
  wrong = right;
  wrong.cert = others.client_cert;
  wrong.key = others.client_key;
  const auto refused = [&] {
    const auto read = EtcdArbiter(wrong, "g").current();
    // An alert or, where that is faster, a reset.
    return !read && (read.error().word == "arbiter-tls" ||
                     read.error().word == "arbiter-unreachable")
               ? read.error().remedy
               : "not refused";
  };
  EXPECT_THAT(refused(), HasSubstr("`cert`"));
  wrong = right;
  wrong.cert.clear();
  wrong.key.clear();
  EXPECT_THAT(refused(), HasSubstr("`cert`"));
  wrong = right;
  wrong.cert = scratch.path() / "none.pem";
  EXPECT_EQ(EtcdArbiter(wrong, "g").current().error().word, "arbiter-tls");
  wrong = right;
  wrong.endpoints = {"https://localhost:" + std::to_string(server.port())};
  EXPECT_FALSE(EtcdArbiter(wrong, "g").current()) << "the certificate is not localhost's";
}

TEST(EtcdTls, ACertificateForAnotherAddressIsRefused) {
  const Scratch scratch;
  const Certificates tls = make_certificates(scratch.path(), "192.0.2.1");
  const EtcdServer server({scratch.path(), 0, 1, &tls});
  EtcdSettings settings = settings_of({&server});
  settings.ca = tls.ca;
  settings.cert = tls.client_cert;
  settings.key = tls.client_key;
  Error error{"arbiter-unreachable", "", ""};
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (error.word == "arbiter-unreachable" && std::chrono::steady_clock::now() < deadline) {
    const auto read = EtcdArbiter(settings, "g").current();
    ASSERT_FALSE(read);
    error = read.error();
  }
  EXPECT_EQ(error.word, "arbiter-tls");
  EXPECT_THAT(error.remedy, HasSubstr("names this address"));
}

TEST(EtcdLogin, NeedsAUserWithTheRightToTheKeys) {
  const Scratch scratch;
  const EtcdServer server({scratch.path()});
  EtcdSettings open = settings_of({&server});
  ASSERT_TRUE(ready(open));
  const std::vector<std::vector<std::string>> commands{
      {"user", "add", "root:rootsecret"},
      {"user", "grant-role", "root", "root"},
      {"role", "add", "colo"},
      {"role", "grant-permission", "--prefix=true", "colo", "readwrite", "/colo/"},
      {"role", "add", "reader"},
      {"role", "grant-permission", "--prefix=true", "reader", "read", "/colo/"},
      {"user", "add", "pair:tell-nobody"},
      {"user", "grant-role", "pair", "colo"},
      {"user", "add", "reader:tell-nobody"},
      {"user", "grant-role", "reader", "reader"},
      {"auth", "enable"}};
  (void)server.ctl({"role", "add", "root"});
  for (const auto& command : commands) {
    const auto ran = server.ctl(command);
    ASSERT_TRUE(ran) << command[1] << ": " << ran.error().text();
  }
  const auto without = EtcdArbiter(open, "g").current();
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().word, "arbiter-refused");
  EXPECT_THAT(without.error().remedy, HasSubstr("username"));

  EtcdSettings settings = open;
  settings.username = "pair";
  settings.password_file = scratch.file("password", "tell-nobody\n");
  EtcdArbiter arbiter(settings, "g");
  const auto answer = arbiter.claim({{0}, "alpha", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_TRUE(arbiter.probe(server.endpoint()));

  // A token of before ends with the users' database of its time: the arbiter logs in again.
  ASSERT_TRUE(server.ctl({"--user", "root:rootsecret", "auth", "disable"}));
  ASSERT_TRUE(server.ctl({"auth", "enable"}));
  const auto read = arbiter.current();
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->owner, "alpha");

  EtcdSettings reader = settings;
  reader.username = "reader";
  EtcdArbiter may_read(reader, "g");
  EXPECT_TRUE(may_read.current());
  const auto probed = may_read.probe(server.endpoint());
  ASSERT_FALSE(probed) << "a check must notice that a claim would be refused";
  EXPECT_EQ(probed.error().word, "arbiter-refused");
  EXPECT_THAT(probed.error().remedy, HasSubstr("readwrite"));

  settings.password_file = scratch.file("wrong", "guessed-wrong");
  const auto wrong = EtcdArbiter(settings, "g").current();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().word, "arbiter-refused");
  EXPECT_THAT(wrong.error().text(), Not(HasSubstr("guessed-wrong")));
  settings.password_file = scratch.path() / "none";
  EXPECT_EQ(EtcdArbiter(settings, "g").current().error().word, "secret-missing");
  settings.password_file = scratch.file("open", "tell-nobody");
  std::filesystem::permissions(settings.password_file, std::filesystem::perms(0644));
  EXPECT_EQ(EtcdArbiter(settings, "g").current().error().word, "secret-permissions");
}

// Whatever a server says, no claim is won or lost by it unless it is etcd's answer.
TEST(EtcdBadAnswers, AreNoAnswers) {
  const std::string bodies[] = {"",
                                "{}",
                                "null",
                                "true",
                                "<html></html>",
                                R"({"header":{"cluster_id":"1"},"succeeded":true})",
                                R"({"header":{"cluster_id":"1"},"kvs":[{}]})"};
  std::string said;
  const FakeServer server([&](const std::string&) { return said; });
  EtcdSettings settings;
  settings.endpoints = {server.endpoint()};
  settings.timeout = std::chrono::seconds(20);
  for (const std::string& body : bodies) {
    said = http(200, body);
    const auto answer = EtcdArbiter(settings, "g").claim({{0}, "alpha", "a1"});
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().word, "arbiter-garbled") << body;
  }
  for (const int status : {301, 404, 500, 503}) {
    said = http(status, "<html></html>");
    const auto answer = EtcdArbiter(settings, "g").claim({{0}, "alpha", "a1"});
    ASSERT_FALSE(answer) << status;
    EXPECT_EQ(answer.error().word, "arbiter-garbled") << status;
  }
  said = "HTTP/1.1 301 Away\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(EtcdArbiter(settings, "g").current().error().word, "arbiter-garbled");
  for (const char* broken :
       {"", "what?\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"}) {
    said = broken;
    EXPECT_EQ(EtcdArbiter(settings, "g").current().error().word, "arbiter-unreachable") << broken;
  }
  said = http(200, std::string(etcd::answer_bytes_max + 1, ' '));
  EXPECT_EQ(EtcdArbiter(settings, "g").current().error().word, "arbiter-garbled");
}

// The transaction's answer says "lost", yet the key stands where it stood: a server that lies.
TEST(EtcdBadAnswers, ALossWithoutANewGenerationIsCorrupt) {
  const FakeServer server([&](const std::string& request) {
    return request.find("/v3/kv/txn") != std::string::npos
               ? http(200, R"({"header":{"cluster_id":"1"},"responses":[{"response_range":{}}]})")
               : http(200, R"({"header":{"cluster_id":"1"}})");
  });
  EtcdSettings settings;
  settings.endpoints = {server.endpoint()};
  settings.timeout = std::chrono::seconds(20);
  const auto answer = EtcdArbiter(settings, "g").claim({{0}, "alpha", "a1"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().word, "arbiter-corrupt");
}

TEST(EtcdBadAnswers, AGoodMemberBehindABadOneIsAsked) {
  const Scratch scratch;
  const EtcdServer server({scratch.path()});
  const FakeServer fake([&](const std::string&) { return http(200, "{}"); });
  EtcdSettings settings = settings_of({&server});
  ASSERT_TRUE(ready(settings));
  settings.endpoints.insert(settings.endpoints.begin(), fake.endpoint());
  const auto answer = EtcdArbiter(settings, "g").claim({{0}, "alpha", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*answer));
}

}  // namespace
}  // namespace colo::arbiter::test
