// Which maker a configuration means.
#include "guest/embedded/maker.h"

#include "guest/qemu/maker.h"

namespace colo::guest {

Result<std::unique_ptr<GuestMaker>> make_guest_maker(const GuestConfig& config) {
  if (config.kind == "qemu") return make_qemu_maker(config);
  if (config.kind == "embedded") return make_embedded_maker(config);
  return fail("guest-kind-unknown", "'" + config.kind + "' is no kind of guest",
              "set it to qemu or embedded");
}

}  // namespace colo::guest
