#include "demo/scene.h"

namespace colo::demo {

Result<Folder> make_folder_with_key(const Setting& setting) {
  auto folder = Folder::make();
  if (!folder) return folder;
  if (auto made = run({setting.colo.string(), "keygen", folder->key().string()}); !made)
    return fail(made.error());
  return folder;
}

Command engine_command(const Setting& setting, const Folder& folder, const std::string& host) {
  return {{setting.colo.string(), "run", folder.config().string(), "--host", host, "--log-level",
           setting.log_level},
          -1,
          folder.log(host),
          folder.host_directory(host)};
}

}  // namespace colo::demo
