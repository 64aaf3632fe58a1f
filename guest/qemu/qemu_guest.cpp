#include "guest/qemu/qemu_guest.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "guest/qemu/migration_stream.h"
#include "guest/qemu/ram_blocks.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

using nlohmann::json;

// Commands take 1 ms; one that takes this long means a QEMU that hangs, and the engine must know
// within the bound that it promises.
constexpr std::chrono::seconds command_timeout{5};
// From the end of the control connection to the end of the process.

}  // namespace

Result<std::unique_ptr<QemuGuest>> QemuGuest::make(StartedQemu started,
                                                   std::shared_ptr<GuestMemory> memory,
                                                   StandbyKind standby) {
  std::unique_ptr<QemuGuest> guest(new QemuGuest(std::move(started), std::move(memory), standby));
  if (auto learnt = guest->learn_identity(); !learnt) return fail(learnt.error());
  if (auto fitted = guest->memory_->fit(guest->identity_.layout); !fitted) {
    return fail(fitted.error());
  }
  const std::size_t regions = guest->identity_.layout.size();
  guest->addresses_.resize(regions);
  guest->tracked_.resize(regions);
  return guest;
}

Result<void> QemuGuest::learn_identity() {
  identity_.kind = "qemu";
  auto type = call("qom-get", {{"path", "/machine"}, {"property", "type"}});
  if (!type) return fail(type.error());
  auto kvm = call("query-kvm");
  if (!kvm) return fail(kvm.error());
  try {
    const json& version = qemu_.greeting.at("version");
    const json& number = version.at("qemu");
    identity_.version = std::to_string(number.at("major").get<int>()) + "." +
                        std::to_string(number.at("minor").get<int>()) + "." +
                        std::to_string(number.at("micro").get<int>());
    const std::string package = version.value("package", "");
    if (!package.empty()) {
      identity_.version += package.starts_with(" (") ? package : " (" + package + ")";
    }
    identity_.machine = type->get<std::string>();
    identity_.accelerator = kvm->at("enabled").get<bool>() ? "kvm" : "tcg";
  } catch (const json::exception& exception) {
    return fail("qemu-unknown-answer", exception.what());
  }
  constexpr std::string_view suffix = "-machine";
  if (identity_.machine.ends_with(suffix)) {
    identity_.machine.resize(identity_.machine.size() - suffix.size());
  }
  auto text = qemu_.qmp->human("info ramblock", command_timeout);
  if (!text) return explain(text.error());
  const auto blocks = parse_ram_blocks(*text);
  if (!blocks) return fail(blocks.error());
  auto layout = layout_of(*blocks);
  if (!layout) return fail(layout.error());
  identity_.layout = std::move(*layout);
  if (identity_.layout[0].pages * page_bytes != memory_->main().size()) {
    return fail("memory-not-shared", "QEMU gave the guest another size of memory than -m says",
                "give the size as -m <number>M");
  }
  return {};
}

Result<void> QemuGuest::pause() {
  if (!running_) return {};
  // From here on it may stand still: a QEMU that hangs executes a late stop when it wakes, and
  // resume() must undo it even if this call failed.
  running_ = false;
  stopped_at_.reset();
  if (auto stopped = call("stop"); !stopped) return fail(stopped.error());
  // Also there if QEMU had stopped the guest by itself before.
  auto event = qemu_.qmp->wait_event("STOP", command_timeout);
  if (!event) return explain(event.error());
  stopped_at_ = event->when;
  return {};
}

// QEMU executes commands in order: behind an answered cont no stop of ours is left, and its state
// says whether the guest runs. (A cont of a running guest gives no RESUME event to wait for.)
Result<std::optional<Standstill>> QemuGuest::resumed_from_unknown() {
  auto status = call("query-status");
  if (!status) return fail(status.error());
  if (!status->is_object() || status->value("running", json()) != true) {
    return fail("guest-not-started", "QEMU took cont, but its guest does not run");
  }
  while (qemu_.qmp->take_event("STOP")) continue;
  while (qemu_.qmp->take_event("RESUME")) continue;
  running_ = true;
  return std::optional<Standstill>{};
}

Result<std::optional<Standstill>> QemuGuest::resume() {
  if (running_) return std::optional<Standstill>{};
  if (waiting_ || spoilt_) {
    return fail("guest-not-loaded", "this standby has no device state to go on from");
  }
  if (auto continued = call("cont"); !continued) return fail(continued.error());
  if (!stopped_at_) return resumed_from_unknown();
  auto event = qemu_.qmp->wait_event("RESUME", command_timeout);
  if (!event) return explain(event.error());
  running_ = true;
  const Standstill standstill{*stopped_at_, event->when};
  stopped_at_.reset();
  return standstill;
}

Result<Bytes> QemuGuest::save_device_state() {
  if (running_ || waiting_ || spoilt_) {
    return fail("save-refused", "only a paused guest has a device state to save");
  }
  const int file = qemu_.state_file.get();
  if (::ftruncate(file, 0) != 0) return fail("save-failed", errno_text("ftruncate", errno));
  // live:true would let go of the guest's disks.
  auto saved = call("xen-save-devices-state", {{"filename", qemu_.state_path}, {"live", false}});
  if (!saved) return fail(saved.error());
  struct stat size {};
  if (::fstat(file, &size) != 0) return fail("save-failed", errno_text("fstat", errno));
  Bytes state(static_cast<std::size_t>(size.st_size));
  for (std::size_t at = 0; at < state.size();) {
    const ssize_t got = ::pread(file, state.data() + at, state.size() - at, static_cast<off_t>(at));
    if (got <= 0) return fail("save-failed", errno_text("reading the device state", errno));
    at += static_cast<std::size_t>(got);
  }
  auto stream = add_configuration(state, identity_.machine);
  if (stream) ask_for_fresh_acpi_tables(*stream);
  return stream;
}

Result<void> QemuGuest::announce() {
  // QEMU's own defaults: five announcements, the gap growing from 50 ms.
  auto done = call("announce-self", {{"initial", 50}, {"max", 550}, {"rounds", 5}, {"step", 100}});
  if (!done) return fail(done.error());
  return {};
}

End QemuGuest::end() {
  End end;
  if (!qemu_.process->how_it_ended()) {
    end.reason = "QEMU (pid " + std::to_string(process_id()) + ") still runs";
    return end;
  }
  qemu_.qmp->drain();
  while (const auto event = qemu_.qmp->take_event("SHUTDOWN")) {
    if (!event->data.is_object()) continue;
    if (event->data.value("guest", json()) == true) by_guest_ = true;
    // QEMU counts a crash among what the guest asked for. (GUEST_PANICKED says less: with
    // -action panic=none the guest goes on behind it.)
    if (event->data.value("reason", json()) == "guest-panic") panicked_ = true;
  }
  end.by_guest = by_guest_ && !panicked_;
  if (panicked_) end.reason = "the guest panicked; ";
  if (end.by_guest) end.reason = "the guest shut itself down; ";
  end.reason += describe_end(*qemu_.process);
  return end;
}

Result<void> QemuGuest::answers(std::chrono::milliseconds patience) {
  auto status = qemu_.qmp->call("query-status", {}, patience);
  if (status) return {};
  if (status.error().word != "qmp-timeout") return explain(status.error());
  return fail("guest-silent", "QEMU (pid " + std::to_string(process_id()) +
                                  ") did not answer within " + std::to_string(patience.count()) +
                                  " ms");
}

Result<json> QemuGuest::call(std::string_view command, json arguments) {
  auto reply = qemu_.qmp->call(command, std::move(arguments), command_timeout);
  if (!reply) return explain(reply.error());
  return reply;
}

tl::unexpected<Error> QemuGuest::explain(const Error& error) {
  if (error.word == "qmp-closed" && qemu_.process->wait_end(end_timeout_ms)) {
    return fail("guest-ended", end().reason);
  }
  return fail(error);
}

}  // namespace colo::guest
