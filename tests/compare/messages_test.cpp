// What is not TCP: two guests say the same messages in an interleaving of their own, cut into other
// fragments and told again where that means nothing, from a seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/compare/two_guests.h"

namespace colo::compare {
namespace {

using frames::Ends;

class TwoTalks : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  enum class What { udp, ping, other_protocol, arp, solicitation, whole_frame };
  struct Message {
    What what = What::udp;
    std::uint16_t flow = 0;
    bool ip6 = false, vlan = false;
    std::string text;
  };
  // A frame, and of which message it is.
  using Told = std::vector<std::pair<std::size_t, Bytes>>;

  [[nodiscard]] std::uint32_t pick(std::uint32_t below) {
    return static_cast<std::uint32_t>(random_() % below);
  }

  std::vector<Message> talk() {
    std::vector<Message> all(20 + pick(20));
    for (Message& one : all) {
      one = {static_cast<What>(pick(6)), static_cast<std::uint16_t>(pick(3)), pick(2) == 0,
             pick(2) == 0, std::string(1 + pick(pick(3) == 0 ? 4000 : 60), ' ')};
      for (char& c : one.text) c = static_cast<char>(random_());
    }
    return all;
  }

  [[nodiscard]] static bool statement(const Message& one) {
    return one.what == What::arp || one.what == What::solicitation;
  }

  // In their order within a flow, whatever the flows are.
  [[nodiscard]] static std::string lane(const Message& one) {
    if (statement(one)) return "any " + one.text;
    const std::string name =
        std::to_string(static_cast<int>(one.what)) + ' ' + std::to_string(one.flow);
    if (one.what == What::whole_frame) return name;
    return name + (one.ip6 ? " 6" : " 4") + (one.vlan ? " tagged" : "");
  }

  Bytes frame_of(const Message& one) {
    const Ends ends{one.ip6, true,
                    one.vlan ? std::vector<std::uint16_t>{7} : std::vector<std::uint16_t>{}, 53,
                    static_cast<std::uint16_t>(1000 + one.flow)};
    const frames::Garnish garnish{static_cast<std::uint16_t>(pick(99)),
                                  static_cast<std::uint8_t>(60 + pick(5)), 0};
    switch (one.what) {
      case What::udp:
        return udp(ends, one.text, garnish);
      case What::ping:
        return icmp_echo_reply(ends, one.flow, one.text);
      case What::other_protocol: {
        Bytes payload(one.text.size());
        std::transform(one.text.begin(), one.text.end(), payload.begin(),
                       [](char c) { return static_cast<std::byte>(c); });
        return frames::ip(ends, static_cast<std::uint8_t>(200 + one.flow), payload, garnish);
      }
      case What::arp:
        return frames::arp(1, static_cast<unsigned char>(one.text[0]), pick(1000));
      case What::solicitation:
        return frames::router_solicitation();
      case What::whole_frame:
        break;
    }
    return frames::raw(static_cast<std::uint16_t>(0x8900 + one.flow), one.text);
  }

  Told tell(const std::vector<Message>& all) {
    std::map<std::string, std::vector<std::size_t>> lanes;
    for (std::size_t i = all.size(); i > 0; --i) lanes[lane(all[i - 1])].push_back(i - 1);
    Told told;
    while (!lanes.empty()) {
      auto next = lanes.begin();
      std::advance(next, pick(static_cast<std::uint32_t>(lanes.size())));
      const std::size_t index = next->second.back();
      const Message& one = all[index];
      const Bytes frame = frame_of(one);
      const bool cuts = one.what <= What::other_protocol && frame.size() > 200 && pick(3) > 0;
      if (cuts) {
        auto pieces = frames::cut(frame, 8 * (8 + pick(150)), ++fragment_id_);
        if (pick(2) == 0) std::shuffle(pieces.begin(), pieces.end(), random_);
        for (Bytes& piece : pieces) told.emplace_back(index, std::move(piece));
      } else {
        told.emplace_back(index, frame);
      }
      if (statement(one) && pick(2) == 0) continue;  // once more
      next->second.pop_back();
      if (next->second.empty()) lanes.erase(next);
    }
    return told;
  }

  void run(const std::vector<Message>& ours, const std::vector<Message>& theirs) {
    const Told primary = tell(ours);
    const Told replica = tell(theirs);
    std::map<std::uint64_t, std::size_t> message_of;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < primary.size() || j < replica.size()) {
      if (j == replica.size() || (i < primary.size() && pick(2) == 0)) {
        message_of[guests_.primary(primary[i].second)] = primary[i].first;
        ++i;
      } else {
        guests_.replica(replica[j++].second);
      }
    }
    held_ = primary.size();
    for (const std::uint64_t id : guests_.left()) {
      --held_;
      left_.insert(message_of.at(id));
    }
    guests_.wait_ms(200);
    asked_ = guests_.asked();
  }

  std::mt19937_64 random_{GetParam()};
  std::uint32_t fragment_id_ = 1;
  TwoGuests guests_;
  std::size_t held_ = 0;
  std::set<std::size_t> left_;
  std::string asked_;
};

TEST_P(TwoTalks, EqualOnesAreReleasedWhole) {
  const auto all = talk();
  run(all, all);
  EXPECT_EQ(asked_, "");
  EXPECT_EQ(held_, 0U);
}

TEST_P(TwoTalks, OneChangedByteIsFoundAndNeverLeaves) {
  auto ours = talk();
  auto theirs = ours;
  const std::size_t at = pick(static_cast<std::uint32_t>(ours.size()));
  Message& changed = theirs[at];
  // That all say the same: a solicitation has no text, and ARP only one byte of it here.
  if (statement(changed)) changed.what = ours[at].what = What::udp;
  char& byte = changed.text[pick(static_cast<std::uint32_t>(changed.text.size()))];
  byte = static_cast<char>(byte ^ (1 << pick(8)));
  run(ours, theirs);
  EXPECT_EQ(asked_, "different-payload");
  EXPECT_EQ(left_.count(at), 0U);
}

TEST_P(TwoTalks, AMessageOfOneGuestAloneIsAskedFor) {
  auto ours = talk();
  auto theirs = ours;
  Message more = ours.front();
  more.flow = 9;
  more.what = static_cast<What>(pick(3));
  (pick(2) == 0 ? ours : theirs).push_back(more);
  run(ours, theirs);
  EXPECT_TRUE(asked_ == "silence" || asked_ == "fragments") << asked_;
}

INSTANTIATE_TEST_SUITE_P(Seeds, TwoTalks, ::testing::Range<std::uint64_t>(1, 201));

}  // namespace
}  // namespace colo::compare
