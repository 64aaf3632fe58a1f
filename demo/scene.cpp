#include "demo/scene.h"

namespace colo::demo {

Result<Folder> make_folder_with_key(const Options& options) {
  auto folder = Folder::make();
  if (!folder) return folder;
  if (auto made = run({options.colo.string(), "keygen", folder->key().string()}); !made)
    return fail(made.error());
  return folder;
}

Command engine_command(const Options& options, const Folder& folder, const std::string& host) {
  return {{options.colo.string(), "run", folder.config().string(), "--host", host},
          -1,
          folder.log(host)};
}

}  // namespace colo::demo
