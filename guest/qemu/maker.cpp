#include "guest/qemu/maker.h"

#include "guest/qemu/command_line.h"
#include "guest/qemu/guest_memory.h"
#include "guest/qemu/qemu_guest.h"

namespace colo::guest {
namespace {

class QemuMaker final : public GuestMaker {
 public:
  QemuMaker(GuestConfig config, std::shared_ptr<GuestMemory> memory)
      : config_(std::move(config)), memory_(std::move(memory)) {}

  Result<std::unique_ptr<Guest>> boot() override {
    if (auto cleared = memory_->clear(); !cleared) return fail(cleared.error());
    return start(false);
  }
  Result<std::unique_ptr<Guest>> standby() override { return start(true); }

 private:
  Result<std::unique_ptr<Guest>> start(bool standby) {
    auto started = start_qemu(config_, *memory_, standby);
    if (!started) return fail(started.error());
    auto guest = QemuGuest::make(std::move(*started), memory_, standby);
    if (!guest) return fail(guest.error());
    return std::unique_ptr<Guest>(std::move(*guest));
  }

  GuestConfig config_;
  std::shared_ptr<GuestMemory> memory_;
};

}  // namespace

Result<std::unique_ptr<GuestMaker>> make_qemu_maker(const GuestConfig& config) {
  for (const Finding& finding : command_findings(config)) {
    if (finding.fatal) return fail(finding.word, finding.reason, finding.remedy);
  }
  const auto bytes = memory_bytes_of(config.qemu.command);
  if (!bytes) return fail(bytes.error());
  auto memory = GuestMemory::make(*bytes);
  if (!memory) return fail(memory.error());
  return std::make_unique<QemuMaker>(config, std::move(*memory));
}

}  // namespace colo::guest
