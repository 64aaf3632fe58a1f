// A TCP connection from inside a network namespace, of lines of text each way.
//
// Threads: one at a time. Errors: of send and receive mean the end of the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::demo {

class LineSocket {
 public:
  // One attempt; what was connected before is closed. The namespace stays the caller's.
  // Errors: "no-answer"; "refused", which is an answer.
  Result<void> connect(int network_namespace, const std::string& address, std::uint16_t port,
                       std::chrono::milliseconds patience);
  // All of it; with its newlines. Errors: "reset".
  Result<void> send(const std::string& text);
  // The next line without its end ("\n" or "\r\n"); empty when none came in time. Errors: "reset".
  Result<std::optional<std::string>> receive(std::chrono::milliseconds patience);

 private:
  UniqueFd socket_;
  std::string input_;
};

}  // namespace colo::demo
