#include "io/gate_port.h"

#include <sys/stat.h>

#include "guest/guest.h"

namespace colo::io {

bool GatePort::attach(int fd) {
  struct stat status {};
  const ino_t socket = ::fstat(fd, &status) == 0 ? status.st_ino : 0;
  const bool another = socket != inside_socket;
  if (another) stream.reset();
  inside_socket = socket;
  inside = fd;
  return another;
}

void GatePort::write(ByteView frame) {
  if (stream.write(inside, frame) == PacketStream::State::ended) inside = -1;
}

void GatePort::finish_write() {
  if (stream.finish_write(inside) == PacketStream::State::ended) inside = -1;
}

bool GatePort::all_read() const {
  if (!has_guest()) return true;
  return !stream.write_pending() && guest::all_read({outside.port(), inside}).value_or(false);
}

}  // namespace colo::io
