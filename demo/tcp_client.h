// The ledger of the Linux guest: one TCP connection from inside the client's namespace, lines of
// text as demo/ledger/server.h has them.
#pragma once

#include "base/unique_fd.h"
#include "demo/transport.h"

namespace colo::demo {

class TcpClient final : public Transport {
 public:
  // The namespace stays the caller's, and outlives this.
  TcpClient(int network_namespace, std::string address, std::uint16_t port)
      : namespace_(network_namespace), address_(std::move(address)), port_(port) {}

  Result<void> connect() override;
  // Several, so that a fault meets requests and replies under way in both directions.
  [[nodiscard]] std::size_t window() const override { return 32; }
  Result<void> send_entry(const std::string& entry) override;
  Result<void> ask_whole() override;
  Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) override;

 private:
  Result<void> send_line(const std::string& line);

  int namespace_;
  std::string address_;
  std::uint16_t port_;
  UniqueFd socket_;
  std::string input_;
};

// One line of the ledger without its newline; what is none of its replies is Kind::refused.
[[nodiscard]] Reply parse_ledger_line(const std::string& line);

}  // namespace colo::demo
