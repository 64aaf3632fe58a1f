#include "guest/embedded/maker.h"

#include <utility>

#include "guest/embedded/embedded_guest.h"
#include "guest/embedded/ram_plan.h"
#include "guest/memory_file.h"

namespace colo::guest {

namespace {

using embedded::EmbeddedGuest;

class EmbeddedMaker final : public GuestMaker {
 public:
  explicit EmbeddedMaker(const GuestConfig& config) : config_(config) {}

  Result<std::unique_ptr<Guest>> boot() override {
    if (std::exchange(in_file_, false)) ram_.reset();
    if (auto ok = have_ram(); !ok) return fail(ok.error());
    if (auto ok = ram_->clear(); !ok) return fail(ok.error());
    return EmbeddedGuest::create(config_, ram_, EmbeddedGuest::Start::from_the_beginning);
  }

  Result<std::unique_ptr<Guest>> standby(StandbyMemory memory) override {
    if (auto ok = have_ram(); !ok) return fail(ok.error());
    if (in_file_) {
      if (auto ok = reserve_memory_file(ram_->fd(), ram_->bytes().size()); !ok) {
        return fail(ok.error());
      }
    }
    return EmbeddedGuest::create(config_, ram_,
                                 memory == StandbyMemory::own_copies
                                     ? EmbeddedGuest::Start::standby_with_own_copies
                                     : EmbeddedGuest::Start::standby);
  }

  Result<std::uint64_t> use_memory_file(const std::filesystem::path& path) override {
    if (auto ok = check_size(); !ok) return fail(ok.error());
    auto file = open_memory_file(path, config_.embedded.memory_bytes);
    if (!file) return fail(file.error());
    auto ram = embedded::Ram::map(std::move(file->fd), config_.embedded.memory_bytes);
    if (!ram) return fail(ram.error());
    ram_ = std::move(*ram);
    in_file_ = true;
    return file->inode;
  }

 private:
  [[nodiscard]] Result<void> check_size() const {
    const std::uint64_t bytes = config_.embedded.memory_bytes;
    constexpr std::uint64_t least = embedded::ram_pages_min * page_bytes;
    if (bytes % page_bytes != 0 || bytes < least) {
      return fail("bad-memory-size",
                  "the embedded guest cannot have " + std::to_string(bytes) + " bytes of memory",
                  "give it a multiple of " + std::to_string(page_bytes) + " bytes, at least " +
                      std::to_string(least));
    }
    return {};
  }

  [[nodiscard]] Result<void> have_ram() {
    if (ram_) return {};
    if (auto ok = check_size(); !ok) return ok;
    auto ram = embedded::Ram::create(config_.embedded.memory_bytes);
    if (!ram) return fail(ram.error());
    ram_ = std::move(*ram);
    return {};
  }

  const GuestConfig config_;
  std::shared_ptr<embedded::Ram> ram_;
  bool in_file_ = false;
};

}  // namespace

std::unique_ptr<GuestMaker> make_embedded_maker(const GuestConfig& config) {
  return std::make_unique<EmbeddedMaker>(config);
}

}  // namespace colo::guest
