// The ledger of the Linux guest: one TCP connection from inside the client's namespace, lines of
// text as demo/ledger/server.h has them.
#pragma once

#include "demo/line_socket.h"
#include "demo/transport.h"

namespace colo::demo {

// Which of the ledger's books, and how long a handshake may take.
struct LedgerWords {
  const char* add = "add ";
  const char* whole = "digest";
  std::chrono::milliseconds connect_patience{1000};
};
// TCP repeats a lost SYN by itself: a handshake that a fault falls into must survive it.
inline constexpr LedgerWords visitor_words{"visit ", "visits", std::chrono::seconds(10)};

class TcpClient final : public Transport {
 public:
  // The namespace stays the caller's, and outlives this.
  TcpClient(int network_namespace, std::string address, std::uint16_t port, LedgerWords words = {})
      : namespace_(network_namespace), address_(std::move(address)), port_(port), words_(words) {}

  Result<void> connect() override;
  // Several, so that a fault meets requests and replies under way in both directions.
  [[nodiscard]] std::size_t window() const override { return 32; }
  Result<void> send_entry(const std::string& entry) override;
  Result<void> ask_whole() override;
  Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) override;

 private:
  int namespace_;
  std::string address_;
  std::uint16_t port_;
  LedgerWords words_;
  LineSocket socket_;
};

// One line of the ledger without its newline; what is none of its replies is Kind::refused.
[[nodiscard]] Reply parse_ledger_line(const std::string& line);

}  // namespace colo::demo
