// Serves the ledger over TCP, one line of text each way:
//   add TEXT    ->  added COUNT DIGEST       (the digest in 16 hexadecimal digits)
//   digest      ->  digest COUNT DIGEST      (computed anew from all entries)
//   visit TEXT  ->  added COUNT DIGEST       (to the visitors' book)
//   visits      ->  digest COUNT DIGEST      (of the visitors' book)
//   anything    ->  corrupt REASON           (once the table was found wrong)
//   otherwise   ->  error REASON             (and the connection ends)
//
// Threads: serve() gives each connection a thread of its own and never returns while it can accept.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "demo/ledger/book.h"

namespace colo::demo {

inline constexpr std::uint16_t ledger_port = 7000;
inline constexpr std::size_t longest_line = 4096;

// What the table's thread tells the connections' threads.
class Alarm {
 public:
  void raise(std::string reason);
  [[nodiscard]] bool raised() const { return raised_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string reason() const;

 private:
  std::atomic<bool> raised_ = false;
  mutable std::mutex mutex_;
  std::string reason_;
};

// The reply to one line; `keep` turns false when the connection shall end.
[[nodiscard]] std::string answer(const std::string& line, Books& books, const Alarm& alarm,
                                 bool& keep);

// Returns the reason why it cannot go on.
[[nodiscard]] std::string serve(std::uint16_t port, Books& books, const Alarm& alarm);

}  // namespace colo::demo
