// Two guests that send anything, cuts and commits in between: nothing leaves that the replica did
// not say, nothing leaves twice or of a round that is not grounded, and what is kept is bounded.
#include <map>
#include <set>
#include <vector>

#include "compare/comparator.h"
#include "compare/datagram_conversation.h"
#include "tests/compare/frames.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using namespace colo;
using namespace colo::compare;

constexpr ComparatorLimits limits() {
  ComparatorLimits small;
  small.flows = 6;
  small.surplus_per_flow = {12, 300};
  small.surplus = {20, 500};
  small.held_per_flow = {20, 4000};
  small.held = {40, 8000};
  small.reassembly = {3, 6, 2000};
  return small;
}

bool before(std::uint32_t one, std::uint32_t other) {
  return static_cast<std::int32_t>(one - other) < 0;
}

// What the judge knows of one flow in one round, byte by byte.
struct Heard {
  std::map<std::uint32_t, std::set<std::byte>> primary, replica;
  std::vector<Bytes> messages;        // of the replica
  std::map<Bytes, std::size_t> left;  // messages of the primary that left
  std::set<std::uint32_t> replica_resets;
  bool replica_opened = false, replica_ended = false;
  std::vector<std::uint32_t> acks;
};

struct Sent {
  Packet packet;
  Bytes frame;
  Epoch round;
  bool left = false;
};

class World {
 public:
  World() : comparator_(limits()) {
    rounds_[open_.value];
    comparator_.cut(open_);
    comparator_.committed(committed_);
    comparator_.replica_runs(open_, now_);
  }

  void step(fuzz::Input& in) {
    now_ += std::chrono::milliseconds(in.u8() % 64);
    const unsigned what = in.u8();
    if (what < 110) {
      primary(frame(in));
    } else if (what < 220) {
      replica(frame(in), Epoch{open_.value - (what % 16 == 0 ? 1 : 0)});
    } else if (what < 230) {
      if (what % 2 == 0) open_ = open_.next();
      forget_round(open_);
      comparator_.cut(open_);
    } else if (what < 242) {
      committed_ = std::max(committed_, open_.previous());
      comparator_.committed(committed_);
    } else if (what < 250) {
      comparator_.replica_runs(open_, now_);
    } else {
      comparator_.expire(now_);
      if (const auto due = comparator_.deadline()) FUZZ_REQUIRE(*due > now_);
    }
    judge();
  }

 private:
  static Bytes frame(fuzz::Input& in) {
    const unsigned kind = in.u8();
    frames::Ends ends;
    ends.ip6 = (kind & 1U) != 0;
    ends.client_port = kind & 2U;
    if ((kind & 4U) != 0) ends.vlans = {7};
    switch (kind >> 4) {
      case 0:
        return in.piece(in.u8());
      case 1:
        return frames::udp(ends, std::string(1 + in.u8() % 3, 'u'));
      case 2:
        return frames::arp(in.u8() % 3, in.u8() % 2);
      case 3: {
        const Bytes whole = frames::udp(ends, std::string(40 + in.u8() % 2, 'f'));
        const auto pieces = frames::cut(whole, 8U << (in.u8() % 3), in.u8() % 2);
        return pieces[in.u8() % pieces.size()];
      }
      case 4: {
        Bytes built = frames::tcp(ends, segment(in));
        built[in.u8() % built.size()] = static_cast<std::byte>(in.u8());
        return built;
      }
      case 5:
        return frames::router_solicitation();
      case 6:
        return frames::icmp_echo_reply(ends, in.u8() % 2, "p");
      default:
        return frames::tcp(ends, segment(in));
    }
  }

  // Near the wrap, in a stream whose bytes are known but for one now and then.
  static frames::Segment segment(fuzz::Input& in) {
    frames::Segment one;
    one.seq = 0xfffffff0U + in.u8() % 64;
    const unsigned shape = in.u8();
    one.ack = shape % 4;
    one.flags = shape < 170 ? frames::ack : static_cast<std::uint8_t>(shape & 0x17U);
    const std::size_t size = in.u8() % 24;
    for (std::size_t i = 0; i < size; ++i)
      one.payload += static_cast<char>('a' + (one.seq + i) % 23);
    if (shape % 16 == 0 && size > 0) one.payload[in.u8() % size] ^= 1;
    return one;
  }

  void forget_round(Epoch open) {
    // The past of a flow: all the primary said of it in earlier rounds.
    for (auto& [key, heard] : rounds_[open.value]) heard = {};
    for (auto& sent : sent_) {
      if (sent.round == open) sent.round = Epoch{0};
      past_[sent.packet.key].push_back(sent.packet);
      if (is_statement(sent.packet.key)) statements_[sent.packet.key] = true;
    }
  }

  void primary(Bytes frame) {
    const Packet packet = parse(0, frame);
    sent_.push_back({packet, frame, open_, false});
    Heard& heard = rounds_[open_.value][packet.key];
    for (std::uint32_t i = 0; i < packet.said.size(); ++i) {
      heard.primary[packet.said.seq + i].insert(frame[packet.said.content + i]);
    }
    comparator_.primary_sent(FrameId{sent_.size()}, 0, std::make_shared<const Bytes>(frame), now_);
  }

  void replica(const Bytes& frame, Epoch tag) {
    comparator_.secondary_sent(tag, 0, frame, now_);
    if (committed_.next() < tag) return;
    const Packet packet = parse(0, frame);
    Heard& heard = rounds_[tag.value][packet.key];
    for (std::uint32_t i = 0; i < packet.said.size(); ++i) {
      heard.replica[packet.said.seq + i].insert(frame[packet.said.content + i]);
    }
    heard.messages.emplace_back(frame.begin() + packet.said.content,
                                frame.begin() + packet.said.end);
    if ((packet.said.flags & flag::rst) != 0) {
      heard.replica_resets.insert(packet.said.seq);
      return;
    }
    if ((packet.said.flags & flag::syn) != 0) heard.replica_opened = true;
    if ((packet.said.flags & flag::fin) != 0) heard.replica_ended = true;
    if ((packet.said.flags & flag::ack) != 0) heard.acks.push_back(packet.said.ack);
  }

  void judge() {
    while (const auto id = comparator_.pop_released()) {
      FUZZ_REQUIRE(id->value >= 1 && id->value <= sent_.size());
      Sent& sent = sent_[id->value - 1];
      FUZZ_REQUIRE(!sent.left);
      sent.left = true;
      FUZZ_REQUIRE(sent.round.value >= 2 && sent.round <= committed_.next());
      if (sent.packet.key.kind == Kind::tcp) {
        judge_segment(sent);
      } else if (sent.packet.key.kind != Kind::fragment) {
        judge_message(sent);
      }
    }
    const CompareFigures figures = comparator_.figures();
    FUZZ_REQUIRE(figures.surplus.packets <= limits().surplus.packets + 1);
    FUZZ_REQUIRE(figures.surplus.bytes <= limits().surplus.bytes + 256);
    FUZZ_REQUIRE(figures.flows <= 3 * limits().flows || rounds_.size() > 3);
  }

  void judge_segment(const Sent& sent) {
    const Said& said = sent.packet.said;
    Heard& heard = rounds_[sent.round.value][sent.packet.key];
    if ((said.flags & flag::rst) != 0) {
      const auto& before_it = past_[sent.packet.key];
      const bool past = std::any_of(before_it.begin(), before_it.end(), [&](const Packet& packet) {
        return (packet.said.flags & flag::rst) != 0 && packet.said.seq == said.seq;
      });
      FUZZ_REQUIRE(heard.replica_resets.count(said.seq) != 0 || past);
      return;
    }
    bool past_ack = false, past_syn = false;
    std::vector<std::uint32_t> past_to;
    for (const Packet& packet : past_[sent.packet.key]) {
      const std::uint8_t flags = packet.said.flags;
      if ((flags & flag::rst) != 0) continue;
      past_ack = past_ack || ((flags & flag::ack) != 0 && !before(packet.said.ack, said.ack));
      past_syn = past_syn || (flags & flag::syn) != 0;
      past_to.push_back(packet.said.seq + packet.said.size() + ((flags & flag::syn) != 0 ? 1 : 0) +
                        ((flags & flag::fin) != 0 ? 1 : 0));
    }
    if ((said.flags & flag::ack) != 0) {
      const bool acked = std::any_of(heard.acks.begin(), heard.acks.end(),
                                     [&](std::uint32_t one) { return !before(one, said.ack); });
      FUZZ_REQUIRE(acked || past_ack);
    }
    if ((said.flags & flag::syn) != 0) {
      FUZZ_REQUIRE(heard.replica_opened || past_syn);
      return;
    }
    const auto in_past = [&](std::uint32_t seq) {
      return std::any_of(past_to.begin(), past_to.end(),
                         [&](std::uint32_t to) { return before(seq, to); });
    };
    for (std::uint32_t i = 0; i < said.size(); ++i) {
      const std::uint32_t seq = said.seq + i;
      const auto& theirs = heard.replica[seq];
      const auto& ours = heard.primary[seq];
      const bool both = std::any_of(ours.begin(), ours.end(),
                                    [&](std::byte byte) { return theirs.count(byte) != 0; });
      FUZZ_REQUIRE(both || in_past(seq));
    }
    if ((said.flags & flag::fin) != 0) {
      FUZZ_REQUIRE(heard.replica_ended || in_past(said.seq + said.size()));
    }
  }

  void judge_message(const Sent& sent) {
    const Said& said = sent.packet.said;
    Heard& heard = rounds_[sent.round.value][sent.packet.key];
    const Bytes content(sent.frame.begin() + said.content, sent.frame.begin() + said.end);
    if (is_statement(sent.packet.key)) {
      FUZZ_REQUIRE(!heard.messages.empty() || statements_[sent.packet.key]);
      return;
    }
    // A reassembled datagram counts for the flow too, so only what was never cut is counted
    // exactly.
    const auto same =
        static_cast<std::size_t>(std::count(heard.messages.begin(), heard.messages.end(), content));
    const bool cut_too = sent.packet.key.kind == Kind::udp && content.size() >= 40;
    FUZZ_REQUIRE(++heard.left[content] <= same || cut_too);
  }

  Comparator comparator_;
  Epoch open_{2}, committed_{1};
  Instant now_ = Instant(std::chrono::seconds(1));
  std::vector<Sent> sent_;
  std::map<std::uint64_t, std::map<FlowKey, Heard>> rounds_;
  std::map<FlowKey, std::vector<Packet>> past_;
  std::map<FlowKey, bool> statements_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, std::min<std::size_t>(size, 4096));
  World world;
  while (!in.empty()) world.step(in);
  return 0;
}
