#include "tests/e2e/wiretap.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>

#include "guest/embedded/ethernet.h"
#include "guest/embedded/ledger.h"
#include "guest/embedded/machine.h"

namespace colo::e2e {
namespace {

namespace embedded = guest::embedded;

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// Who has the guest's address? A guest that runs and may speak answers at once.
Bytes question() {
  const embedded::MacAddress ours{{0x52, 0x54, 0x00, 0xC0, 0x01, 0x02}};
  return embedded::build_frame(embedded::ArpMessage{
      embedded::broadcast_mac, true, ours, embedded::ipv4(10, 77, 0, 2), {}, embedded::card_ip(0)});
}

void send_to(int socket, const std::filesystem::path& engine, ByteView frame) {
  const sockaddr_un theirs = address_of(engine);
  ::sendto(socket, frame.data(), frame.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&theirs), sizeof theirs);
}

}  // namespace

void crash_guest(const Pair& pair, const std::string& host) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const embedded::LedgerRequest crash{embedded::LedgerOperation::crash, 1, 1, {}};
  const embedded::MacAddress ours{{0x52, 0x54, 0x00, 0xC0, 0x01, 0x03}};
  send_to(socket.get(), pair.engine_cable(host),
          embedded::build_frame(embedded::UdpDatagram{
              ours, embedded::card_mac(0), embedded::ipv4(10, 77, 0, 3), embedded::card_ip(0),
              40001, embedded::ledger_port, embedded::encode(crash)}));
}

Wiretap::Wiretap(const Pair& pair) {
  for (const char* host : {alpha, beta}) {
    std::filesystem::remove(pair.switch_cable(host));
    Cable cable{host, UniqueFd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
                pair.engine_cable(host), 0};
    const sockaddr_un ours = address_of(pair.switch_cable(host));
    EXPECT_EQ(::bind(cable.socket.get(), reinterpret_cast<const sockaddr*>(&ours), sizeof ours), 0);
    cables_.push_back(std::move(cable));
  }
}

void Wiretap::ask() {
  const Bytes frame = question();
  for (const Cable& cable : cables_) send_to(cable.socket.get(), cable.engine, frame);
}

void Wiretap::listen() {
  std::vector<pollfd> items;
  for (const Cable& cable : cables_) items.push_back({cable.socket.get(), POLLIN, 0});
  ::poll(items.data(), items.size(), 20);
  std::array<char, 2048> frame{};
  for (Cable& cable : cables_) {
    while (::recv(cable.socket.get(), frame.data(), frame.size(), 0) > 0) ++cable.frames;
  }
}

testing::AssertionResult Wiretap::hears(const std::string& host, int answers) {
  const int wanted = frames(host) + answers;
  const bool heard = wait_until([&] {
    ask();
    listen();
    return frames(host) >= wanted;
  });
  if (heard) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "only " << frames(host) << " frames from " << host;
}

int Wiretap::frames(const std::string& host) const {
  for (const Cable& cable : cables_) {
    if (cable.host == host) return cable.frames;
  }
  return -1;
}

}  // namespace colo::e2e
