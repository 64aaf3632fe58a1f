// Real pairs whose arbiter is a real etcd.
#include "tests/arbiter/etcd_server.h"
#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

namespace test = arbiter::test;

// A pair's settings with this etcd as its arbiter.
Settings with_etcd(const std::string& endpoint, bool relay) {
  Settings settings;
  settings.lost_after = "1s";
  settings.relay = relay;
  settings.arbiter = "kind = \"etcd\"\nendpoints = [\"" + endpoint + "\"]\ntimeout = \"1s\"\n";
  return settings;
}

class EtcdPair : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(test::ready(test::settings_of({&server}))); }

  const test::Scratch scratch;
  test::EtcdServer server{{scratch.path()}};
};

TEST_F(EtcdPair, TakesOverWhenThePrimaryDiesAndEtcdHasTheHistory) {
  Pair pair(with_etcd(server.endpoint(), false));
  EXPECT_EQ(pair.colo("check", alpha).status, 0) << pair.colo("check", alpha).out;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
  const auto said = server.ctl({"get", "--print-value-only", "/colo/ledger/owner"});
  ASSERT_TRUE(said) << said.error().text();
  EXPECT_THAT(*said, HasSubstr("generation 2\nowner beta\n"));
}

TEST_F(EtcdPair, NobodyGoesLiveWhileEtcdStandsStill) {
  Pair pair(with_etcd(server.endpoint(), false));
  pair.protect();
  server.stop();
  pair.kill(alpha);
  ASSERT_TRUE(pair.shows(beta, "that etcd does not answer", [](const app::Status& status) {
    return status.state == State::claiming &&
           status.reason.find("arbiter-unreachable") != std::string::npos;
  }));
  EXPECT_THAT(pair.status(beta).next, HasSubstr("etcdctl"));
  server.go_on();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
}

// Under a cut the primary would win by its head start; it has no way to etcd, so the other must.
TEST(EtcdPairUnderACut, TheSideThatReachesEtcdGoesOnAlone) {
  const test::Scratch scratch;
  const test::Certificates tls = test::make_certificates(scratch.path(), test::own_ip());
  const test::EtcdServer server({scratch.path(), 0, 1, &tls});
  arbiter::EtcdSettings reach = test::settings_of({&server});
  reach.ca = tls.ca;
  reach.cert = tls.client_cert;
  reach.key = tls.client_key;
  ASSERT_TRUE(test::ready(reach));
  Settings settings = with_etcd(server.endpoint(), true);
  settings.arbiter += "ca = \"" + tls.ca.string() + "\"\ncert = \"" + tls.client_cert.string() +
                      "\"\nkey = \"" + tls.client_key.string() + "\"\n";
  Pair pair(settings);
  // alpha has a certificate of its own, which this test can take away.
  const auto own = scratch.path() / "alpha.pem";
  std::filesystem::copy_file(tls.client_cert, own);
  pair.start(alpha, pair.changed("alpha.toml", tls.client_cert.string(), own.string()));
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::protected_));
  ASSERT_TRUE(pair.becomes(beta, State::standby));
  pair.talk();
  ASSERT_TRUE(pair.answers());

  std::filesystem::remove(own);
  pair.relay().cut();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.shows(alpha, "why it cannot claim", [](const app::Status& status) {
    return status.state == State::claiming &&
           status.reason.find("arbiter-tls") != std::string::npos;
  }));
  std::filesystem::copy_file(tls.client_cert, own);
  // It learns that it lost, and what becomes of it then is the same with every arbiter.
  EXPECT_TRUE(pair.shows(alpha, "that it lost", [](const app::Status& status) {
    return status.state == State::lost || status.state == State::joining;
  }));
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

}  // namespace
}  // namespace colo::e2e
