// The guest image under plain QEMU, without an engine: it boots and serves its ledger through the
// stage's network. Needs root and the image (COLO_GUEST_IMAGE), else it is skipped.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "demo/client.h"
#include "demo/config_text.h"
#include "demo/folder.h"
#include "demo/options.h"
#include "demo/process.h"
#include "demo/stage.h"
#include "demo/tcp_client.h"

namespace colo::demo {
namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(GuestImage, BootsAndServesItsLedger) {
  if (::geteuid() != 0) GTEST_SKIP() << "TAP devices need root";
  const char* const image = std::getenv("COLO_GUEST_IMAGE");
  if (image == nullptr) GTEST_SKIP() << "COLO_GUEST_IMAGE names no image";
  auto folder = Folder::make();
  ASSERT_TRUE(folder) << folder.error().text();
  auto stage = Stage::build();
  ASSERT_TRUE(stage) << stage.error().text();

  Options options;
  options.memory_mib = 256;
  options.image = image;
  Command command{qemu_command(options, folder->console()), (*stage)->namespace_of("alpha"),
                  folder->log("alpha")};
  command.arguments.front() = "/usr/bin/" + command.arguments.front();
  for (const char* argument :
       {"-accel", "tcg", "-netdev", "tap,id=net0,ifname=tap0,script=no,downscript=no"}) {
    command.arguments.emplace_back(argument);
  }
  auto qemu = Child::start(command);
  ASSERT_TRUE(qemu) << qemu.error().text();

  Client client(std::make_unique<TcpClient>((*stage)->namespace_of("client"), "10.77.0.10", 7000));
  while (client.figures().acknowledged < 20 && !client.broken() && !qemu->ended()) {
    ::usleep(10000);
  }
  client.finish();
  EXPECT_TRUE(client.figures().whole_fits) << client.figures().trouble;
  EXPECT_EQ(qemu->ended(), std::nullopt) << content(folder->log("alpha"));
  EXPECT_NE(content(folder->console()).find("ledger: port 7000, 2000 pages/s"), std::string::npos)
      << content(folder->console());
}

}  // namespace
}  // namespace colo::demo
