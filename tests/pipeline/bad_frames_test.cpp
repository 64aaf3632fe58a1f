// A peer's bytes are never trusted: each wrong frame has its word, and the committed checkpoint
// stays untouched.
#include "tests/pipeline/pipeline.h"

namespace colo::pipeline {
namespace {

class BadFrames : public Pipeline {
 protected:
  void SetUp() override {
    Pipeline::SetUp();
    ASSERT_TRUE(capturer->pass(Epoch{1}, true));
    ASSERT_TRUE(checkpoint(Epoch{1}));
    ASSERT_EQ(deliver(), std::nullopt);
    expect_standby_equals_cut();
    ASSERT_TRUE(capturer->pass(Epoch{2}, false));
    ASSERT_TRUE(capturer->capture(Epoch{2}, [] {}));
  }

  // Takes checkpoint 2 apart, lets the test change one decoded frame, and stages it.
  std::string word_after(const std::function<bool(wire::Header&, Bytes&)>& change) {
    std::uint64_t sequence = 0;
    while (!wire.frames.empty()) {
      decoder.feed(wire.frames.front());
      wire.frames.pop_front();
      const auto frame = decoder.next();
      EXPECT_TRUE(frame && *frame);
      wire::Header header = (*frame)->header;
      Bytes body((*frame)->body.begin(), (*frame)->body.end());
      const bool keep = change(header, body);
      header.sequence = ++sequence;
      if (!keep) continue;
      const auto complete = stager->take({header, body});
      if (!complete) return complete.error().word;
      if (*complete) return "complete";
    }
    return "incomplete";
  }

  void TearDown() override {
    // Whatever arrived: the last complete checkpoint is there, whole.
    EXPECT_EQ(cache->committed(), Epoch{1});
    cache->discard_staged();
    expect_standby_equals_cut();
  }

  static Bytes body_of(const Bytes& frame) {
    return {frame.begin() + wire::header_bytes, frame.end()};
  }
};

TEST_F(BadFrames, UnchangedIsComplete) {
  EXPECT_EQ(word_after([](wire::Header&, Bytes&) { return true; }), "complete");
}

TEST_F(BadFrames, EpochOutOfOrder) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              header.epoch = Epoch{3};
              return true;
            }),
            "out-of-order");
}

TEST_F(BadFrames, WrongGeneration) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              header.generation = Generation{2};
              return true;
            }),
            "wrong-generation");
}

TEST_F(BadFrames, LostPagesFrame) {
  bool dropped = false;
  EXPECT_EQ(word_after([&](wire::Header& header, Bytes&) {
              if (header.kind != wire::Kind::pages || dropped) return true;
              dropped = true;
              return false;
            }),
            "wrong-digest");
}

TEST_F(BadFrames, AlteredBodyChecksumOfPages) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              if (header.kind == wire::Kind::pages) header.body_checksum ^= 1;
              return true;
            }),
            "wrong-digest");
}

TEST_F(BadFrames, AlteredDeviceState) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes& body) {
              if (header.kind == wire::Kind::device_chunk) body[0] ^= std::byte{1};
              return true;
            }),
            "wrong-device-state");
}

TEST_F(BadFrames, DeviceStateShorterThanAnnounced) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              return header.kind != wire::Kind::device_chunk;
            }),
            "wrong-device-state");
}

TEST_F(BadFrames, DeviceStateLongerThanAnnounced) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes& body) {
              if (header.kind == wire::Kind::device_chunk) body.resize(body.size() + 1);
              return true;
            }),
            "wrong-device-state");
}

TEST_F(BadFrames, DeviceStateTooLarge) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes& body) {
              if (header.kind == wire::Kind::device_state) {
                body = body_of(wire::encode(wire::DeviceState{1ULL << 40, {}}, {}));
              }
              return true;
            }),
            "device-state-too-large");
}

TEST_F(BadFrames, CommitWithoutDeviceState) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              return header.kind == wire::Kind::pages || header.kind == wire::Kind::commit;
            }),
            "wrong-device-state");
}

TEST_F(BadFrames, CommitWithAnotherCount) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes& body) {
              if (header.kind != wire::Kind::commit) return true;
              auto commit = wire::decode_commit(body);
              commit->pages += 1;
              body = body_of(wire::encode(*commit, {}));
              return true;
            }),
            "wrong-digest");
}

TEST_F(BadFrames, PageOutsideTheLayout) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes& body) {
              if (header.kind != wire::Kind::pages) return true;
              body[0] = std::byte{200};  // region
              return true;
            }),
            "bad-page");
}

TEST_F(BadFrames, PagesBehindTheDeviceState) {
  Bytes pages;
  wire::Header pages_header;
  EXPECT_EQ(word_after([&](wire::Header& header, Bytes& body) {
              if (header.kind == wire::Kind::pages) {
                pages = body;
                pages_header = header;
              } else if (header.kind == wire::Kind::device_chunk) {
                header = pages_header;
                body = pages;
              }
              return true;
            }),
            "unexpected-frame");
}

TEST_F(BadFrames, FrameOfTheControlLane) {
  EXPECT_EQ(word_after([](wire::Header& header, Bytes&) {
              header.kind = wire::Kind::hello;
              return true;
            }),
            "unexpected-frame");
}

}  // namespace
}  // namespace colo::pipeline
