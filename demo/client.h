// The client outside: keeps a conversation with the ledger going at a fixed pace over one
// connection, measures its gaps, and lets the judge look at every reply. It never connects again:
// a connection that breaks is counted and ends the conversation.
//
// Threads: talks on a thread of its own; all calls are safe from the thread that made it.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "demo/judge.h"
#include "demo/reply_times.h"
#include "demo/transport.h"

namespace colo::demo {

struct ClientFigures {
  std::uint64_t connections = 0, resets = 0;
  std::uint64_t acknowledged = 0, lost = 0, wrong = 0;
  std::uint64_t unanswered = 0;  // entries still without a reply
  double longest_gap_ms = 0;     // between replies, or behind the last one until now
  bool whole_fits = false;       // the guest's whole digest was asked for, and is ours
  std::string trouble;           // the first thing that went wrong, in words
};

class Client {
 public:
  explicit Client(std::unique_ptr<Transport> transport);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] ClientFigures figures() const;
  // The first reply at or after this time (CLOCK_REALTIME, nanoseconds).
  [[nodiscard]] std::optional<std::int64_t> first_reply_since(std::int64_t unix_ns) const;
  [[nodiscard]] std::uint64_t replies_since(std::int64_t unix_ns) const;
  // Of a phase; empty when there was no reply.
  [[nodiscard]] std::optional<ReplyFigures> reply_times(std::int64_t begin_unix_ns,
                                                        std::int64_t end_unix_ns) const;

  // Says no more, waits for what is still due, asks for the whole digest and compares. Ends the
  // conversation.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void talk();
  bool open();
  void listen(std::chrono::milliseconds patience);
  void settle();
  void break_off(const Error& error);
  [[nodiscard]] std::uint64_t outstanding() const;

  std::unique_ptr<Transport> transport_;
  mutable std::mutex mutex_;  // over the figures, the judge and the times
  Judge judge_;
  ClientFigures figures_;
  Clock::time_point last_reply_;
  std::deque<Clock::time_point> said_;  // entries that wait for their reply
  ReplyTimes reply_times_;
  bool whole_heard_ = false;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> abandoned_ = false;
  std::thread thread_;
};

}  // namespace colo::demo
