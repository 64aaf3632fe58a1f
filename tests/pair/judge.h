// The laws, checked apart from the cores: from what the client saw, what the arbiter granted and
// what was captured and loaded. Knows nothing of the cores' states.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "heartbeat/arbiter.h"
#include "tests/pair/guest_model.h"

namespace colo::pair {

class Judge {
 public:
  explicit Judge(const Story& story) : story_(story) {}

  struct Captured {
    Memory memory;
    Point point = 0;
  };
  // The primary's guest at the standstill of a checkpoint.
  void captured(std::uint64_t session, Epoch epoch, const Memory& memory, Point point);
  // The secondary's cache holds this checkpoint complete.
  void committed(std::uint64_t session, Epoch epoch, Generation generation);
  void forgotten() { takeable_ = false; }

  // A frame left the host in the generation that it believes is its own. held: output commit is in
  // force there.
  struct Speech {
    std::string host;
    Generation generation;
    Point point = 0;
    bool held = false;
  };
  void spoke(const Speech& speech, const std::vector<heartbeat::Ownership>& history);
  // The secondary loads its device state over this memory.
  void loaded(std::uint64_t session, Epoch epoch, const Memory& memory, ByteView device_state);
  // COLO mode: the secondary's guest runs from the committed checkpoint; it is at this point, and
  // may have said so; it is no more, and with it the checkpoint, which others have seen gone
  // beyond.
  void replica_is_at(Point point);
  void replica_ended();
  void resumed(Point point);
  void paused_by_core(const std::string& host, const heartbeat::Ownership& current);
  void copies(bool any);
  void broken(const std::string& law, const std::string& what);

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] Point client_saw() const { return client_saw_; }
  [[nodiscard]] bool ever_committed() const { return ever_committed_; }

 private:
  const Story& story_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Captured> captured_;
  std::map<std::uint64_t, std::string> speakers_;  // of each generation
  Point client_saw_ = 0;
  Point committed_ = 0;
  Generation committed_in_{0};  // it can be taken over from while this generation is current
  bool takeable_ = false;
  std::optional<Point> replica_;  // the last one's, until the next commit
  bool ever_committed_ = false;
  std::vector<std::string> violations_;
};

}  // namespace colo::pair
