#include "drill/history.h"

#include <sys/stat.h>

#include <fstream>

namespace colo::drill {

Result<std::vector<Owner>> read_history(const std::filesystem::path& arbiter) {
  std::vector<Owner> owners;
  for (std::uint64_t generation = 1;; ++generation) {
    const auto path = arbiter / ("generation." + std::to_string(generation));
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) return owners;
    std::ifstream in(path);
    std::string version, number, owner;
    std::getline(in, version);
    std::getline(in, number);
    std::getline(in, owner);
    if (!in || number != "generation " + std::to_string(generation) ||
        owner.rfind("owner ", 0) != 0) {
      return fail("bad-history", path.string() + " is no ownership");
    }
    owners.push_back({generation, owner.substr(6),
                      std::int64_t{file.st_mtim.tv_sec} * 1'000'000'000 + file.st_mtim.tv_nsec});
  }
}

}  // namespace colo::drill
