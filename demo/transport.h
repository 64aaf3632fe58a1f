// The client's way to the ledger: one connection, requests in order, replies in that order.
//
// Threads: one at a time.
// Errors: of send and receive mean the end of the connection; there is no way back.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "demo/judge.h"

namespace colo::demo {

class Transport {
 public:
  virtual ~Transport() = default;
  // One attempt, of a bounded time. Errors: "no-answer"; "refused", which is an answer.
  virtual Result<void> connect() = 0;
  // How many requests may be under way at once.
  [[nodiscard]] virtual std::size_t window() const = 0;
  virtual Result<void> send_entry(const std::string& entry) = 0;
  virtual Result<void> ask_whole() = 0;
  // Waits for the next reply; empty when none came in time.
  virtual Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) = 0;
};

}  // namespace colo::demo
