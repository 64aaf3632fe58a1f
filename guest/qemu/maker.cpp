#include "guest/qemu/maker.h"

#include "guest/memory_file.h"
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
    if (in_file_) {
      auto anonymous = GuestMemory::make(memory_->main().size());
      if (!anonymous) return fail(anonymous.error());
      memory_ = std::move(*anonymous);
      in_file_ = false;
    }
    if (auto cleared = memory_->clear(); !cleared) return fail(cleared.error());
    return start(std::nullopt);
  }

  Result<std::unique_ptr<Guest>> standby(StandbyMemory memory) override {
    if (memory == StandbyMemory::own_copies) {
      for (const Finding& finding : own_copies_findings(config_)) {
        if (finding.fatal) return fail(finding.word, finding.reason, finding.remedy);
      }
    }
    if (in_file_) {
      if (auto reserved = memory_->reserve(); !reserved) return fail(reserved.error());
    }
    return start(memory);
  }

  Result<std::uint64_t> use_memory_file(const std::filesystem::path& path) override {
    const std::uint64_t bytes = memory_->main().size();
    auto file = open_memory_file(path, bytes);
    if (!file) return fail(file.error());
    auto memory = GuestMemory::of(std::move(file->fd), bytes);
    if (!memory) return fail(memory.error());
    memory_ = std::move(*memory);
    in_file_ = true;
    return file->inode;
  }

 private:
  Result<std::unique_ptr<Guest>> start(StandbyKind standby) {
    auto started = start_qemu(config_, *memory_, standby);
    if (!started) return fail(started.error());
    auto guest = QemuGuest::make(std::move(*started), memory_, standby);
    if (!guest) return fail(guest.error());
    return std::unique_ptr<Guest>(std::move(*guest));
  }

  GuestConfig config_;
  std::shared_ptr<GuestMemory> memory_;
  bool in_file_ = false;
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
