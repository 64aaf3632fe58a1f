#include "app/control_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace colo::app {
namespace {

using Clock = std::chrono::steady_clock;

class Connection {
 public:
  Connection(std::filesystem::path path, Clock::time_point deadline)
      : path_(std::move(path)), deadline_(deadline) {}

  Result<void> open() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string text = path_.string();
    if (text.size() >= sizeof address.sun_path) return failed(ENAMETOOLONG);
    std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
    socket_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) return failed(errno);
    if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      return failed(errno);
    }
    return {};
  }

  Result<void> send(std::string_view text) {
    while (!text.empty()) {
      if (const auto ready = wait(POLLOUT); !ready) return ready;
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return no_answer("closed the connection");
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  // Without its newline.
  Result<std::string> receive_line() {
    std::string received;
    std::array<char, 4096> chunk{};
    while (received.size() <= control_line_bytes) {
      if (const auto ready = wait(POLLIN); !ready) return fail(ready.error());
      const ssize_t length = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
      if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (length <= 0) return no_answer("closed the connection");
      received.append(chunk.data(), static_cast<std::size_t>(length));
      const std::size_t end = received.find('\n');
      if (end != std::string::npos) return received.substr(0, end);
    }
    return fail("bad-reply", "the engine's reply is longer than a line may be");
  }

 private:
  Result<void> wait(short events) {
    for (;;) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now());
      pollfd item{socket_.get(), events, 0};
      const int ready = ::poll(&item, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
      if (ready > 0) return {};
      if (ready == 0) return no_answer("did not answer in time");
      if (errno != EINTR) return no_answer(std::strerror(errno));
    }
  }

  [[nodiscard]] tl::unexpected<Error> no_answer(const std::string& what) const {
    return fail("no-answer", "the engine at " + path_.string() + " " + what,
                "look at its log, and at its process with `ps`");
  }

  [[nodiscard]] tl::unexpected<Error> failed(int cause) const {
    if (cause == ENOENT || cause == ECONNREFUSED || cause == ENOTDIR) {
      return fail("not-running", "no engine listens at " + path_.string(),
                  "start it with `colo run FILE`");
    }
    if (cause == EACCES || cause == EPERM) {
      return fail("no-permission", path_.string() + " may not be opened by this user",
                  "run this command as the user that runs the engine");
    }
    if (cause == EAGAIN) return no_answer("takes no further client");
    return fail("not-running", path_.string() + ": " + std::strerror(cause),
                "start the engine with `colo run FILE`");
  }

  std::filesystem::path path_;
  Clock::time_point deadline_;
  UniqueFd socket_;
};

}  // namespace

Result<Reply> ask_engine(const std::filesystem::path& socket, const Request& request,
                         std::chrono::milliseconds within) {
  Connection connection(socket, Clock::now() + within);
  if (const auto opened = connection.open(); !opened) return fail(opened.error());
  if (const auto sent = connection.send(render(request) + "\n"); !sent) return fail(sent.error());
  const auto line = connection.receive_line();
  if (!line) return fail(line.error());
  return parse_reply(*line);
}

}  // namespace colo::app
