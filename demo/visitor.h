// A stream of short connections beside the client's long one: each is opened, adds one entry to the
// visitors' book, hears its reply and is closed. So at any moment, also while a host dies, some
// connection is young. One visit at a time; one that breaks is counted and ends the visits.
//
// Threads: visits on a thread of its own; all calls are safe from the thread that made it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "demo/judge.h"
#include "demo/reply_times.h"
#include "demo/transport.h"

namespace colo::demo {

struct VisitFigures {
  std::uint64_t connections = 0, resets = 0;
  std::uint64_t acknowledged = 0, lost = 0, wrong = 0;
  std::uint64_t unanswered = 0;  // entries still without a reply
  bool whole_fits = false;       // the book's whole digest was asked for, and is ours
  std::string trouble;           // the first thing that went wrong, in words
};

class Visitor {
 public:
  // A way to the visitors' book for one visit.
  using Opener = std::function<std::unique_ptr<Transport>()>;
  explicit Visitor(Opener opener);
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;
  ~Visitor();

  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] VisitFigures figures() const;
  // Visits that ended well at or after this time (CLOCK_REALTIME, nanoseconds).
  [[nodiscard]] std::uint64_t visits_since(std::int64_t unix_ns) const;
  // From the first packet of a connection to the reply.
  [[nodiscard]] std::optional<ReplyFigures> visit_times(std::int64_t begin_unix_ns,
                                                        std::int64_t end_unix_ns) const;

  // Visits no more, asks for the whole digest and compares.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void visit_for_ever();
  bool visit();
  [[nodiscard]] std::unique_ptr<Transport> open();
  std::optional<Reply> hear(Transport& way);
  void ask_whole();
  void break_off(const Error& error);

  Opener opener_;
  mutable std::mutex mutex_;  // over the figures, the judge and the times
  Judge judge_;
  VisitFigures figures_;
  ReplyTimes times_;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> abandoned_ = false;
  std::thread thread_;
};

}  // namespace colo::demo
