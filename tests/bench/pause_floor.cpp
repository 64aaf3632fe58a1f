// The floor of a guest's pause: stop, save and resume of an idle Linux guest in QEMU, without any
// tracking or copying. What a checkpoint's pause costs beyond it is ours.
//
// usage: bench_pause_floor IMAGE_DIRECTORY [MEMORY_MIB [SAMPLES]]

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "guest/config.h"

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

colo::guest::GuestConfig guest_of(const std::string& image, const std::string& memory) {
  colo::guest::GuestConfig config;
  config.name = "floor";
  config.qemu.command = {"qemu-system-x86_64",
                         "-machine",
                         "q35",
                         "-m",
                         memory + "M",
                         "-smp",
                         "1",
                         "-display",
                         "none",
                         "-vga",
                         "std",
                         "-kernel",
                         image + "/vmlinuz",
                         "-initrd",
                         image + "/initrd",
                         "-append",
                         "quiet panic=-1 colo.dirty_pages=0",
                         "-device",
                         "virtio-net-pci,netdev=net0,romfile="};
  config.nics.push_back({"net0"});
  config.run_directory =
      std::filesystem::temp_directory_path() / ("colo-floor-" + std::to_string(::getpid()));
  return config;
}

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(values.size() - 1, at)];
}

// One stop, save and resume. Appends the standstill by the guest's event times.
bool sample(colo::guest::Guest& guest, std::vector<double>& standstills) {
  auto paused = guest.pause();
  auto saved = paused ? guest.save_device_state() : colo::Result<colo::Bytes>();
  auto resumed = guest.resume();
  if (!paused || !saved || !resumed || !*resumed) {
    std::fprintf(stderr, "the guest does not pause, save and resume\n");
    return false;
  }
  standstills.push_back(Milliseconds((*resumed)->length()).count());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s IMAGE_DIRECTORY [MEMORY_MIB [SAMPLES]]\n", argv[0]);
    return 2;
  }
  const auto config = guest_of(argv[1], argc > 2 ? argv[2] : "512");
  const int samples = argc > 3 ? std::max(1, std::atoi(argv[3])) : 100;
  std::filesystem::create_directories(config.run_directory);
  int status = 1;
  {
    auto maker = colo::guest::make_guest_maker(config);
    auto guest = maker ? (*maker)->boot() : colo::fail(maker.error());
    if (!guest) {
      std::fprintf(stderr, "%s\n", guest.error().text().c_str());
    } else if ((*guest)->resume()) {
      // Long enough for the kernel to be idle; a figure that is wrong for a busy one shows as
      // noise.
      std::this_thread::sleep_for(std::chrono::seconds(12));
      std::vector<double> standstills;
      while (static_cast<int>(standstills.size()) < samples && sample(**guest, standstills)) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
      }
      if (static_cast<int>(standstills.size()) == samples) {
        std::printf("floor of the pause, %s, idle: p50 %.2f ms, p99 %.2f ms, %d samples\n",
                    (*guest)->identity().accelerator.c_str(), quantile(standstills, 0.5),
                    quantile(standstills, 0.99), samples);
        status = 0;
      }
    }
  }
  std::filesystem::remove_all(config.run_directory);
  return status;
}
