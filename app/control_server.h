// The engine's control socket: answers status and commands of `colo` and of scripts.
//
// A client can never hold the engine up: reads and writes are asynchronous, lines and the number
// of clients are bounded, and a client is read again only after it took its last reply.
//
// Threads: everything runs on the loop; `handle` is called there and must not block.
// Ownership: destroying the server closes every client and removes the socket.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>

#include "app/control.h"
#include "base/result.h"

namespace colo::app {

// One operator with a few scripts; more is a script gone wild. The longest idle one makes room.
inline constexpr std::size_t control_clients = 32;

class ControlServer {
 public:
  using Handler = std::function<Reply(const Request&)>;

  // The socket has mode 0600. A socket that is already there is replaced: the caller holds the
  // RunLock of its directory, so its engine is dead.
  // Errors: "control-socket" names the path and the cause.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(
      boost::asio::io_context& loop, const std::filesystem::path& path, Handler handle);

  virtual ~ControlServer() = default;
};

}  // namespace colo::app
