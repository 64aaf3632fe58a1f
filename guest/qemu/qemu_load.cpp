// How a standby's QEMU gets its device state: as an incoming migration over a socket that it
// inherited, fed by the calling thread.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "guest/qemu/migration_stream.h"
#include "guest/qemu/qemu_guest.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

// A load takes 10 ms; this is for a host that swaps.
constexpr std::chrono::seconds load_timeout{30};

}  // namespace

Result<void> QemuGuest::load_device_state(ByteView state) {
  if (!waiting_ || spoilt_) {
    return fail("load-refused", "only a fresh standby can load a device state",
                "start another standby on the same memory");
  }
  std::vector<LoadedBlock> blocks;
  for (RegionIndex i = 0; i < identity_.layout.size(); ++i) {
    const RegionLayout& region = identity_.layout[i];
    if (!region.mapped) blocks.push_back({region.name, memory_->outside(i)});
  }
  const auto stream = add_ram_blocks(state, blocks);
  if (!stream) return fail(stream.error());
  // Whatever happens from here on, this process cannot load again.
  spoilt_ = true;
  if (auto fresh = check_fresh(); !fresh) return fresh;
  const nlohmann::json events = {{"capability", "events"}, {"state", true}};
  auto called =
      call("migrate-set-capabilities", {{"capabilities", nlohmann::json::array({events})}});
  // A replica must not say what the primary's guest does not: QEMU, and the guest on its word,
  // would announce themselves behind a load. A guest that takes over is announced by the engine.
  if (called && own_memory_) called = call("migrate-set-parameters", {{"announce-rounds", 0}});
  if (called) called = call("migrate-incoming", {{"uri", qemu_.incoming_uri}});
  Result<void> loaded;
  if (!called) loaded = fail(called.error());
  if (loaded) loaded = feed(*stream);
  if (loaded) loaded = wait_loaded();
  if (!loaded) {
    const bool ended = qemu_.process->wait_end(end_timeout_ms);
    return fail("load-failed", ended ? describe_end(*qemu_.process) : loaded.error().text(),
                "start another standby on the same memory; both hosts need the same QEMU");
  }
  spoilt_ = false;
  waiting_ = false;
  return {};
}

Result<void> QemuGuest::feed(ByteView stream) {
  const auto deadline = std::chrono::steady_clock::now() + load_timeout;
  while (!stream.empty()) {
    const ssize_t sent = ::send(qemu_.incoming.get(), stream.data(), stream.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      stream = stream.subspan(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return fail("load-failed", errno_text("feeding QEMU", errno));
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    std::array<pollfd, 2> ready{pollfd{qemu_.incoming.get(), POLLOUT, 0},
                                pollfd{end_fd(), POLLIN, 0}};
    const int count = ::poll(ready.data(), ready.size(),
                             static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (count == 0) return fail("load-failed", "QEMU stopped reading its device state");
    if (ready[1].revents != 0) return fail("load-failed", "QEMU ended while it loaded");
  }
  // The end of the stream; QEMU looks for more until it sees it.
  qemu_.incoming.reset();
  return {};
}

Result<void> QemuGuest::wait_loaded() {
  for (;;) {
    auto event = qemu_.qmp->wait_event("MIGRATION", load_timeout);
    if (!event) return fail(event.error());
    using nlohmann::json;
    const json status = event->data.is_object() ? event->data.value("status", json()) : json();
    if (status == "completed") return {};
    if (status == "failed") return fail("load-failed", "QEMU refused the device state");
  }
}

}  // namespace colo::guest
