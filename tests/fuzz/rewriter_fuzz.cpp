// Any frames both ways through the rewriter, and any bytes as its table: no size changes, a
// checksum that held holds, a table is read as it was written, and what it makes of a frame is the
// same.
#include <vector>

#include "compare/rewriter.h"
#include "tests/compare/frames.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using namespace colo;
using namespace colo::compare;

constexpr RewriterLimits small() {
  RewriterLimits limits;
  limits.flows = 5;
  return limits;
}

class World {
 public:
  void step(fuzz::Input& in) {
    now_ += std::chrono::seconds(in.u8() % 16 == 0 ? 60 : 0);
    const unsigned what = in.u8();
    if (what < 8) {
      rewriter_.takeover();
    } else if (what < 12) {
      rewriter_.reset();
    } else if (what < 24) {
      carry_over();
    } else if (what < 30) {
      any_table(in.piece(in.u8()));
    } else {
      pass(in, what % 2 == 0);
    }
    FUZZ_REQUIRE(rewriter_.flows() <= small().flows);
  }

 private:
  void carry_over() {
    const Bytes table = rewriter_.export_table();
    Rewriter next{small()};
    FUZZ_REQUIRE(next.import_table(table, now_).has_value());
    FUZZ_REQUIRE(next.export_table() == table);
    rewriter_ = std::move(next);
  }

  void any_table(const Bytes& table) {
    Rewriter other{small()};
    if (!other.import_table(table, now_)) {
      FUZZ_REQUIRE(other.flows() == 0 && other.export_table().empty());
      return;
    }
    const Bytes again = other.export_table();
    FUZZ_REQUIRE(again.empty() || again == table);
  }

  void pass(fuzz::Input& in, bool out) {
    frames::Ends ends;
    const unsigned kind = in.u8();
    ends.from_guest = out;
    ends.ip6 = (kind & 1U) != 0;
    ends.client_port = (kind >> 1) % 8;
    Bytes frame;
    if (kind >= 240) {
      frame = in.piece(in.u8());
      if (frame.size() > 34) {  // else nearly nothing is more than an Ethernet header
        const Bytes good = frames::udp(ends, "");
        std::copy(good.begin(), good.begin() + 34, frame.begin());
        frame[23] = std::byte{1};
        frame[16] = std::byte{0};
        frame[17] = static_cast<std::byte>(frame.size() - 14);
      }
    } else {
      frame = frames::tcp(ends, segment(in));
      if (kind >= 220) frame[in.u8() % frame.size()] = static_cast<std::byte>(in.u8());
      if (kind >= 200 && kind < 220) frame = frames::cut(frame, 32, 1)[0];
    }
    const auto before = frames::read_tcp(frame);
    const Bytes original = frame;
    if (out) {
      if (!rewriter_.outbound(0, frame, now_)) {
        FUZZ_REQUIRE(frame == original);
        return;
      }
    } else {
      if (const auto until = rewriter_.early(0, frame, now_)) {
        FUZZ_REQUIRE(frame == original && *until > now_ && !rewriter_.early(0, frame, *until));
      }
      rewriter_.inbound(0, frame, now_);
    }
    FUZZ_REQUIRE(frame.size() == original.size());
    const auto after = frames::read_tcp(frame);
    if (!before) return;
    FUZZ_REQUIRE(after.has_value());
    FUZZ_REQUIRE(after->payload == before->payload && after->flags == before->flags);
    FUZZ_REQUIRE(after->sacks.size() == before->sacks.size());
    if (out) {
      FUZZ_REQUIRE(after->ack == before->ack && after->sacks == before->sacks);
    } else {
      FUZZ_REQUIRE(after->seq == before->seq);
    }
    restore(frame, original, *before);
  }

  // Set back by hand, every number, the frame is what it was.
  static void restore(Bytes frame, const Bytes& original, const frames::Segment& before) {
    const Packet packet = parse(0, frame);
    if (packet.tcp_header == 0) {
      FUZZ_REQUIRE(frame == original);
      return;
    }
    TcpEdit edit(frame, packet);
    edit.set_seq(before.seq);
    if (!before.sacks.empty()) {
      edit.shift_sacks(edit.ack() == before.ack ? 0 : before.ack - edit.ack());
    }
    edit.set_ack(before.ack);
    if (before.timestamps && edit.stamped()) {
      edit.set_stamp(before.timestamps->first);
      edit.set_echo(before.timestamps->second);
    }
    FUZZ_REQUIRE(frame == original);
  }

  static frames::Segment segment(fuzz::Input& in) {
    frames::Segment one;
    one.seq = in.u32();
    one.ack = in.u32();
    one.flags = in.u8();
    const unsigned shape = in.u8();
    if ((shape & 1U) != 0) one.timestamps = {in.u32(), in.u32()};
    if ((shape & 2U) != 0) one.sacks = {{in.u32(), in.u32()}};
    one.odd = shape >> 6;
    one.payload.assign(shape % 5, 'x');
    return one;
  }

  Rewriter rewriter_{small()};
  Instant now_ = Instant(std::chrono::hours(1));
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, std::min<std::size_t>(size, 4096));
  World world;
  while (!in.empty()) world.step(in);
  return 0;
}
