// A primary with the right key that breaks the rules: the secondary closes with the word for it,
// never crashes, and what it had committed before stays whole and can be taken over.
#include "guest/guest.h"
#include "heartbeat/directory_arbiter.h"
#include "io/key_file.h"
#include "tests/e2e/fake_peer.h"
#include "tests/e2e/pair_fixture.h"
#include "wire/pages.h"

namespace colo::e2e {
namespace {

constexpr Generation generation{1};

Settings patient() {
  Settings settings;
  settings.lost_after = "50s";  // the fake primary sends no heartbeats
  return settings;
}

class BadPrimary : public testing::Test {
 protected:
  void SetUp() override {
    listener = listen_at(pair.config().own(alpha).listen);
    ASSERT_TRUE(listener);
    heartbeat::DirectoryArbiter arbiter(pair.folder().arbiter());
    ASSERT_TRUE(arbiter.claim({Generation{0}, alpha, "fake"}));
    auto maker = guest::make_guest_maker(app::to_guest_config(pair.config(), alpha));
    ASSERT_TRUE(maker);
    maker_ = std::move(*maker);
    auto booted = maker_->boot();
    ASSERT_TRUE(booted);
    guest = std::move(*booted);
    pair.start(beta);
    ASSERT_TRUE(welcome({}));
  }

  // Serves the secondary's next attempt to join, up to its attached bulk lane.
  [[nodiscard]] bool welcome(const std::function<void(wire::Welcome&)>& change) {
    key = *io::read_key_file(pair.folder().key());
    control.emplace(FakePeer::accept(listener.get(), key));
    if (!control->connected() || !control->handshake()) return false;
    const auto message = control->receive();
    if (!message || message->header.kind != wire::Kind::hello) return false;
    const auto hello = wire::decode_hello(message->body);
    if (!hello) return false;
    wire::Welcome answer{alpha, "fake", {}, hello->agreement};
    answer.session.fill(std::byte{5});
    if (change) change(answer);
    control->send(wire::encode(answer, control->next(generation)));
    if (change) return true;
    bulk.emplace(FakePeer::accept(listener.get(), key));
    if (!bulk->connected() || !bulk->handshake()) return false;
    const auto attach = bulk->receive();
    return attach && attach->header.kind == wire::Kind::attach;
  }

  // All pages of the guest: in the first checkpoint as one that just booted has them, in any other
  // such that a guest with a single one of them does not load.
  void send_pages(Epoch epoch) {
    digest = {};
    commit = {};
    const MemoryLayout& layout = guest->identity().layout;
    for (RegionIndex region = 0; region < layout.size(); ++region) {
      wire::PagesFrame frame(region);
      Bytes page(page_bytes);
      for (PageIndex index = 0; index < layout[region].pages; ++index) {
        const std::array<PageIndex, 1> one{index};
        ASSERT_TRUE(guest->read_pages(region, one, page));
        if (epoch > Epoch{1}) std::fill(page.begin(), page.end(), std::byte{1});
        frame.add_page(index, page);
        if (frame.full()) send_batch(frame, epoch);
      }
      if (!frame.empty()) send_batch(frame, epoch);
    }
  }
  void send_batch(wire::PagesFrame& frame, Epoch epoch) {
    commit.pages += frame.data_pages() + frame.zero_pages();
    commit.zero_pages += frame.zero_pages();
    const Bytes bytes = frame.finish(bulk->next(generation, epoch));
    const auto header = wire::decode_header(ByteView(bytes).first<wire::header_bytes>());
    digest.add(header->body_checksum);
    commit.digest = digest.value();
    bulk->send(bytes);
  }
  void send_device_state(Epoch epoch) {
    const Bytes state = *guest->save_device_state();
    commit.device_bytes = state.size();
    bulk->send(wire::encode(wire::DeviceState{state.size(), wire::hash128(state)},
                            bulk->next(generation, epoch)));
    bulk->send(wire::encode_device_chunk(state, bulk->next(generation, epoch)));
  }
  void send_commit(Epoch epoch) { bulk->send(wire::encode(commit, bulk->next(generation, epoch))); }
  // The first checkpoint, by the rules.
  void commit_one() {
    send_pages(Epoch{1});
    send_device_state(Epoch{1});
    send_commit(Epoch{1});
    auto message = control->receive();
    while (message && message->header.kind == wire::Kind::alive) message = control->receive();
    ASSERT_TRUE(message);
    ASSERT_EQ(message->header.kind, wire::Kind::committed);
    ASSERT_EQ(message->header.epoch, Epoch{1});
    ASSERT_TRUE(pair.becomes(beta, State::standby));
  }

  Pair pair{patient()};
  io::Key key{};
  UniqueFd listener;
  std::unique_ptr<guest::GuestMaker> maker_;
  std::unique_ptr<guest::Guest> guest;
  std::optional<FakePeer> control, bulk;
  wire::PageDigest digest;
  wire::Commit commit;
};

TEST_F(BadPrimary, ThatKeepsTheRulesAndDiesIsTakenOverFrom) {
  commit_one();
  control.reset();
  bulk.reset();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_F(BadPrimary, OfAnotherConfigurationIsRefusedByTheSecondaryToo) {
  control.reset();
  bulk.reset();
  ASSERT_TRUE(welcome([](wire::Welcome& answer) { answer.agreement.machine = "other-1"; }));
  EXPECT_TRUE(pair.shows(beta, "what differs", [](const app::Status& status) {
    return status.state == State::joining &&
           status.reason.find("configuration-differs") != std::string::npos &&
           status.reason.find("other-1") != std::string::npos;
  }));
}

TEST_F(BadPrimary, OfAnotherNameIsRefused) {
  control.reset();
  bulk.reset();
  ASSERT_TRUE(welcome([](wire::Welcome& answer) { answer.host = "gamma"; }));
  EXPECT_TRUE(pair.shows(beta, "who answered", [](const app::Status& status) {
    return status.reason.find("gamma") != std::string::npos;
  }));
}

TEST_F(BadPrimary, ThatWelcomesTwiceIsClosed) {
  control->send(wire::encode(wire::Welcome{alpha, "fake", {}, {}}, control->next(generation)));
  EXPECT_TRUE(pair.logs(beta, "unexpected-frame"));
  EXPECT_TRUE(welcome({})) << "it tries again";
}

TEST_F(BadPrimary, ThatSendsASecondarysFrameIsToldWhy) {
  control->send(wire::encode(wire::Committed{}, control->next(generation, Epoch{1})));
  EXPECT_EQ(control->refusal(), "unexpected-frame");
  EXPECT_TRUE(welcome({})) << "it tries again";
}

// One way to break a checkpoint.
struct Breach {
  std::string name;  // of the test
  std::string word;  // that the secondary says
  std::function<void(class BrokenCheckpoint&, Epoch)> send;

  friend std::ostream& operator<<(std::ostream& out, const Breach& breach) {
    return out << breach.name;
  }
};

class BrokenCheckpoint : public BadPrimary,
                         public testing::WithParamInterface<std::tuple<Breach, bool>> {
 public:
  using BadPrimary::bulk;
  using BadPrimary::commit;
  using BadPrimary::guest;
  using BadPrimary::send_commit;
  using BadPrimary::send_device_state;
  using BadPrimary::send_pages;

  void send_page(RegionIndex region, PageIndex page, Generation of, Epoch epoch) {
    wire::PagesFrame frame(region);
    frame.add_page(page, Bytes(page_bytes, std::byte{1}));
    bulk->send(frame.finish(bulk->next(of, epoch)));
  }
};

TEST_P(BrokenCheckpoint, IsRefusedByItsWordAndTouchesNothingCommitted) {
  const auto& [breach, committed] = GetParam();
  if (committed) commit_one();
  if (HasFatalFailure()) return;
  breach.send(*this, committed ? Epoch{2} : Epoch{1});
  EXPECT_EQ(control->refusal(), breach.word);
  EXPECT_TRUE(pair.logs(beta, breach.word));
  if (committed) {
    // The fake primary does not claim: the last complete checkpoint goes on here.
    ASSERT_TRUE(pair.becomes(beta, State::solo));
    EXPECT_THAT(pair.status(beta).takeover->cause, HasSubstr(breach.word));
    pair.talk();
    ASSERT_TRUE(pair.answers());
    EXPECT_TRUE(pair.conversation_holds());
    EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  } else {
    EXPECT_TRUE(welcome({})) << "it tries again, and claims nothing";
    EXPECT_TRUE(pair.owned(beta, "alpha"));
  }
  EXPECT_EQ(pair.end(beta), "exit status 0");
}

const std::vector<Breach> breaches{
    {"WrongEpoch", "out-of-order",
     [](BrokenCheckpoint& test, Epoch epoch) { test.send_page(0, 0, generation, epoch.next()); }},
    {"WrongGeneration", "wrong-generation",
     [](BrokenCheckpoint& test, Epoch epoch) { test.send_page(0, 0, Generation{7}, epoch); }},
    {"RegionOutOfRange", "bad-page",
     [](BrokenCheckpoint& test, Epoch epoch) { test.send_page(999, 0, generation, epoch); }},
    {"PageOutOfRange", "bad-page",
     [](BrokenCheckpoint& test, Epoch epoch) { test.send_page(0, 1ULL << 40, generation, epoch); }},
    {"CorruptedPage", "bad-body-checksum",
     [](BrokenCheckpoint& test, Epoch epoch) {
       wire::PagesFrame frame(0);
       frame.add_page(0, Bytes(page_bytes, std::byte{1}));
       Bytes bytes = frame.finish(test.bulk->next(generation, epoch));
       bytes[wire::header_bytes + 100] ^= std::byte{1};
       test.bulk->send(bytes);
     }},
    {"OversizedLength", "too-long",
     [](BrokenCheckpoint& test, Epoch epoch) {
       const wire::FrameNumbers numbers = test.bulk->next(generation, epoch);
       wire::Header header;
       header.kind = wire::Kind::pages;
       header.length = wire::body_bytes_max + 1;
       header.generation = numbers.generation;
       header.epoch = numbers.epoch;
       header.sequence = numbers.sequence;
       test.bulk->send(wire::encode_header(header));
     }},
    {"MissingFrame", "out-of-sequence",
     [](BrokenCheckpoint& test, Epoch epoch) {
       static_cast<void>(test.bulk->next());
       test.send_page(0, 0, generation, epoch);
     }},
    {"ControlFrame", "unexpected-frame",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.bulk->send(wire::encode(wire::Alive{1}, test.bulk->next(generation, epoch)));
     }},
    {"WrongDigest", "wrong-digest",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.send_pages(epoch);
       test.send_device_state(epoch);
       test.commit.digest ^= 1;
       test.send_commit(epoch);
     }},
    {"WrongPageCount", "wrong-digest",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.send_pages(epoch);
       test.send_device_state(epoch);
       test.commit.pages += 1;
       test.send_commit(epoch);
     }},
    {"WrongDeviceStateHash", "wrong-device-state",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.send_pages(epoch);
       const Bytes state = *test.guest->save_device_state();
       test.commit.device_bytes = state.size();
       test.bulk->send(
           wire::encode(wire::DeviceState{state.size(), {}}, test.bulk->next(generation, epoch)));
       test.bulk->send(wire::encode_device_chunk(state, test.bulk->next(generation, epoch)));
       test.send_commit(epoch);
     }},
    {"DeviceStateTooLarge", "device-state-too-large",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.bulk->send(
           wire::encode(wire::DeviceState{1ULL << 40, {}}, test.bulk->next(generation, epoch)));
     }},
    {"MoreDeviceStateThanSaid", "wrong-device-state",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.bulk->send(wire::encode(wire::DeviceState{10, {}}, test.bulk->next(generation, epoch)));
       test.bulk->send(wire::encode_device_chunk(Bytes(11), test.bulk->next(generation, epoch)));
     }},
    {"NoDeviceState", "wrong-device-state",
     [](BrokenCheckpoint& test, Epoch epoch) {
       test.send_pages(epoch);
       test.send_commit(epoch);
     }},
};

INSTANTIATE_TEST_SUITE_P(, BrokenCheckpoint,
                         testing::Combine(testing::ValuesIn(breaches), testing::Bool()),
                         [](const auto& flavour) {
                           return std::get<0>(flavour.param).name +
                                  (std::get<1>(flavour.param) ? "BehindACommittedOne" : "First");
                         });

}  // namespace
}  // namespace colo::e2e
