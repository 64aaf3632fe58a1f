// COLO mode with two real QEMUs: the replica's process dies or stands still, its host takes over,
// and the survivor, whose guest lives on copies of its own, is protected and lost in its turn. One
// boot and one conversation over TCP for all of it. Needs root and the image (COLO_GUEST_IMAGE),
// else it is skipped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "demo/client.h"
#include "demo/engines.h"
#include "demo/interrupt.h"
#include "demo/scene.h"

namespace colo::demo {
namespace {

constexpr auto alpha = "alpha";
constexpr auto beta = "beta";

class ColoQemu : public testing::Test {
 protected:
  void SetUp() override {
    const char* const image = std::getenv("COLO_GUEST_IMAGE");
    if (image == nullptr) GTEST_SKIP() << "COLO_GUEST_IMAGE names no image";
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    Setting setting;
    setting.mode = "colo";
    setting.memory_mib = 256;
    setting.colo = COLO_BINARY;
    setting.image = image;
    setting.more_config = "\n[colo]\nmax_interval = \"300s\"\nbehind = \"3s\"\nsilence = \"2s\"\n";
    auto scene = make_qemu_scene(setting);
    ASSERT_TRUE(scene) << scene.error().text();
    scene_ = std::move(*scene);
    engines_ = std::make_unique<Engines>(*scene_);
  }
  void TearDown() override {
    client_.reset();
    engines_.reset();
    if (!scene_) return;
    if (HasFailure()) {
      for (const char* host : {alpha, beta}) {
        std::printf("the end of the log of %s:\n%s\n", host, scene_->folder().tail(host).c_str());
      }
    }
    const auto gone = scene_->tear_down();
    EXPECT_TRUE(gone) << gone.error().text();
  }

  [[nodiscard]] const EngineStatus& known(const std::string& host) const {
    static const EngineStatus nothing;
    const auto& status = engines_->status(host);
    return status ? *status : nothing;
  }
  testing::AssertionResult until(const std::string& what, const std::function<bool()>& true_of) {
    const auto done = interrupt_.until(what, std::chrono::seconds(60), [&]() -> Result<bool> {
      engines_->look();
      return true_of();
    });
    if (done) return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << done.error().text() << "; alpha: " << known(alpha).state << ", "
           << known(alpha).reason << "; beta: " << known(beta).state << ", " << known(beta).reason;
  }
  // The guest of `primary` is compared with one that runs beside it, and answers by that.
  testing::AssertionResult compared(const std::string& primary, const std::string& secondary) {
    const auto running = until("a replica on " + secondary, [&] {
      const auto& replica = known(secondary).replica;
      return known(primary).state == "PROTECTED" && known(primary).effective_mode == "colo" &&
             replica && replica->running && known(secondary).guest_pid;
    });
    if (!running) return running;
    const std::uint64_t before = equal(primary);
    return until("equal frames", [&] { return equal(primary) >= before + 20; });
  }
  [[nodiscard]] std::uint64_t equal(const std::string& primary) const {
    return known(primary).compare ? known(primary).compare->equal : 0;
  }
  testing::AssertionResult answers() {
    const std::int64_t now = unix_now_ns();
    return until("replies", [&] { return client_->replies_since(now) >= 20; });
  }
  void harm_replica(const std::string& host, int signal) {
    ASSERT_TRUE(known(host).guest_pid);
    ASSERT_EQ(::kill(*known(host).guest_pid, signal), 0);
  }

  Interrupt interrupt_;
  std::unique_ptr<Scene> scene_;
  std::unique_ptr<Engines> engines_;
  std::unique_ptr<Client> client_;
};

TEST_F(ColoQemu, ReplicasAndHostsAreLostOneAfterTheOtherUnderOneConversation) {
  ASSERT_TRUE(engines_->start(alpha));
  auto transport = scene_->make_transport();
  ASSERT_TRUE(transport);
  client_ = std::make_unique<Client>(std::move(*transport));
  ASSERT_TRUE(until("a connection", [&] { return client_->figures().connections > 0; }));
  ASSERT_TRUE(engines_->start(beta));
  ASSERT_TRUE(compared(alpha, beta));

  // Its end is news at once; the primary's guest goes on alone, then with a new one.
  const std::uint64_t generation = known(alpha).generation;
  harm_replica(beta, SIGKILL);
  ASSERT_TRUE(until("a claim", [&] { return known(alpha).generation > generation; }));
  EXPECT_THAT(known(alpha).takeover_cause, testing::HasSubstr("replica-ended"));
  ASSERT_TRUE(answers());
  ASSERT_TRUE(compared(alpha, beta));

  // One that stands still says nothing, and is replaced for that.
  const std::uint64_t epoch = known(beta).replica->epoch;
  harm_replica(beta, SIGSTOP);
  ASSERT_TRUE(until("another replica", [&] {
    const auto& replica = known(beta).replica;
    return replica && replica->running && replica->epoch > epoch;
  }));
  ASSERT_TRUE(answers());
  ASSERT_TRUE(compared(alpha, beta));
  EXPECT_GE(known(alpha).checkpoints_by_reason.at("silence"), 1U);
  EXPECT_EQ(known(alpha).generation, generation + 1) << "it costs a checkpoint, not the session";

  // The survivor runs on copies of its own, and is as good a primary as any.
  ASSERT_TRUE(engines_->kill_host(alpha));
  ASSERT_TRUE(until("beta's guest", [&] { return known(beta).state == "SOLO"; }));
  ASSERT_TRUE(answers());
  ASSERT_TRUE(engines_->start(alpha));
  ASSERT_TRUE(compared(beta, alpha));
  ASSERT_TRUE(engines_->kill_host(beta));
  ASSERT_TRUE(until("alpha's guest", [&] { return known(alpha).state == "SOLO"; }));
  ASSERT_TRUE(answers());

  client_->finish();
  const ClientFigures figures = client_->figures();
  EXPECT_EQ(figures.connections, 1U);
  EXPECT_EQ(figures.resets, 0U);
  EXPECT_EQ(figures.lost, 0U) << figures.trouble;
  EXPECT_EQ(figures.wrong, 0U) << figures.trouble;
  EXPECT_EQ(figures.unanswered, 0U);
  EXPECT_TRUE(figures.whole_fits) << figures.trouble;

  // Nobody talks to the guest, so only a look at its replica can find that it stands still.
  ASSERT_TRUE(engines_->start(beta));
  ASSERT_TRUE(until("a replica on beta", [&] {
    const auto& replica = known(beta).replica;
    return known(beta).pid == engines_->pid(beta) && replica && replica->running;
  }));
  // Should the guest say something by itself just then, the silence finds it first.
  const std::uint64_t quiet = known(alpha).generation;
  const std::uint64_t last = known(beta).replica->epoch;
  harm_replica(beta, SIGSTOP);
  ASSERT_TRUE(until("the end of that replica", [&] {
    const auto& replica = known(beta).replica;
    return known(alpha).generation > quiet ||
           (replica && replica->running && replica->epoch > last);
  }));
  EXPECT_TRUE(known(alpha).generation == quiet ||
              known(alpha).takeover_cause.find("replica-hangs") != std::string::npos)
      << known(alpha).takeover_cause;
  const auto ended = engines_->end(beta);
  EXPECT_TRUE(ended) << ended.error().text();
}

}  // namespace
}  // namespace colo::demo
