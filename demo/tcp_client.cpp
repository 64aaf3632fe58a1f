#include "demo/tcp_client.h"

#include <sstream>

namespace colo::demo {

Reply parse_ledger_line(const std::string& line) {
  std::istringstream words(line);
  std::string word;
  Reply reply;
  words >> word >> std::dec >> reply.count >> std::hex >> reply.digest;
  if (words && word == "added") {
    reply.kind = Reply::Kind::added;
  } else if (words && word == "digest") {
    reply.kind = Reply::Kind::whole;
  } else {
    return {Reply::Kind::refused, 0, 0, line};
  }
  return reply;
}

Result<void> TcpClient::connect() {
  return socket_.connect(namespace_, address_, port_, words_.connect_patience);
}

Result<void> TcpClient::send_entry(const std::string& entry) {
  return socket_.send(words_.add + entry + "\n");
}

Result<void> TcpClient::ask_whole() { return socket_.send(std::string(words_.whole) + "\n"); }

Result<std::optional<Reply>> TcpClient::receive(std::chrono::milliseconds patience) {
  const auto line = socket_.receive(patience);
  if (!line) return fail(line.error());
  if (!*line) return std::nullopt;
  return parse_ledger_line(**line);
}

}  // namespace colo::demo
