// A gate between the cards of a guest and their neighbours, and what its handlers were told.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "io/packet_gate.h"
#include "io/packet_stream.h"
#include "tests/io/card.h"

namespace colo::io::test {

inline constexpr Epoch first{1}, second{2}, third{3};

inline std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class GateStage : public testing::Test {
 protected:
  GateStage() {
    std::string pattern = (std::filesystem::temp_directory_path() / "colo-gate-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    cards_.push_back(std::make_unique<Card>(directory_, "net0"));
  }
  ~GateStage() override {
    gate_.reset();
    std::filesystem::remove_all(directory_);
  }
  void start(GateLimits limits = {}) {
    std::vector<OutsidePort> outside;
    for (const auto& card : cards_) {
      auto port = open_outside(card->name, card->spec());
      ASSERT_TRUE(port.has_value()) << port.error().text();
      outside.push_back(std::move(*port));
    }
    auto started = PacketGate::start(std::move(outside), limits, handlers());
    ASSERT_TRUE(started.has_value());
    gate_ = std::move(*started);
  }
  PacketGate::Handlers handlers() {
    PacketGate::Handlers handlers;
    handlers.full = [this] { ++full_; };
    handlers.trouble = [this](const Error& error) { note("trouble " + error.word); };
    handlers.began = [this](Epoch tag, const Bytes& flows) {
      const std::lock_guard lock(mutex_);
      flows_ = flows;
      notes_.push_back("began " + std::to_string(tag.value));
    };
    handlers.inbound = [this](Epoch tag, const std::vector<PortFrame>& frames) {
      largest_batch_ = std::max(largest_batch_.load(), frames.size());
      for (const PortFrame& frame : frames) note_frame("inbound", tag, frame);
    };
    handlers.replica_sent = [this](Epoch tag, const std::vector<PortFrame>& frames) {
      for (const PortFrame& frame : frames) note_frame("sent", tag, frame);
    };
    handlers.asked = [this](Epoch tag, const compare::Ask& ask) {
      note("asked " + std::to_string(tag.value) + " " + compare::word(ask.reason));
    };
    handlers.behind = [this] { note("behind"); };
    handlers.room = [this] { return room_.load(); };
    return handlers;
  }
  [[nodiscard]] std::vector<InsidePort> inside() const {
    std::vector<InsidePort> inside;
    for (const auto& card : cards_) inside.push_back({card->name, card->inside.get()});
    return inside;
  }
  void open() { gate_->open(inside()); }
  void start_holding(GateLimits limits = {}) {
    start(limits);
    open();
    gate_->hold(first);
  }
  bool holds(std::size_t packets) {
    return wait_until([&] { return gate_->figures().held_packets == packets; });
  }
  void note(std::string text) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(text));
  }
  void note_frame(const std::string& what, Epoch tag, const PortFrame& frame) {
    note(what + " " + std::to_string(tag.value) + " " + std::to_string(frame.port) + " " +
         text_of(frame.bytes));
  }
  [[nodiscard]] std::vector<std::string> notes() {
    const std::lock_guard lock(mutex_);
    return notes_;
  }
  [[nodiscard]] std::size_t count(const std::string& note) {
    const std::vector<std::string> all = notes();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), note));
  }
  // Waits for it.
  bool told(const std::string& note) {
    return wait_until([&] { return count(note) > 0; });
  }
  bool in_trouble(const std::string& word) { return told("trouble " + word); }
  // The table that came with the last epoch.
  [[nodiscard]] Bytes flows() {
    const std::lock_guard lock(mutex_);
    return flows_;
  }
  Card& card() { return *cards_.front(); }

  std::filesystem::path directory_;
  std::vector<std::unique_ptr<Card>> cards_;
  std::atomic<int> full_ = 0;
  std::atomic<std::size_t> room_ = 1U << 20;
  std::atomic<std::size_t> largest_batch_ = 0;
  std::mutex mutex_;
  std::vector<std::string> notes_;
  Bytes flows_;
  std::unique_ptr<PacketGate> gate_;
};

}  // namespace colo::io::test
