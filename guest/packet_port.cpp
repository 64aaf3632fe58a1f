#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "guest/guest.h"
#include "guest/system_error.h"

namespace colo::guest {

// For a Unix socket this is the memory that unread bytes occupy, so only zero has a meaning of its
// own: a buffer is given back when its last byte is read.
Result<bool> all_read(const PacketPort& port) {
  int unread = 0;
  if (::ioctl(port.fd, SIOCOUTQ, &unread) != 0) {
    return fail("port-not-readable", errno_text("asking " + port.name + " what is unread", errno));
  }
  return unread == 0;
}

}  // namespace colo::guest
