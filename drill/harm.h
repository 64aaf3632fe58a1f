// Puts the faults of a drill on a scene, and takes them back.
//
// Threads: the main one. Errors: those of the scene; "no-process" where there is nothing to harm.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "demo/engines.h"
#include "demo/scene.h"
#include "drill/drill.h"

namespace colo::drill {

class Harm {
 public:
  // `replica`: the secondary's guest runs too.
  Harm(demo::Scene& scene, demo::Engines& engines, std::string primary, std::string secondary,
       bool replica)
      : scene_(scene),
        engines_(engines),
        primary_(std::move(primary)),
        secondary_(std::move(secondary)),
        replica_(replica) {}

  // Looks up whom the deed will meet, so that nothing lies between its moment and the deed.
  Result<std::function<Result<void>()>> prepare(const Fault& fault);
  // What is left of a deed that had to be quick.
  Result<void> sweep();
  void wake();  // whoever was frozen
  // The link was harmed by somebody else.
  void note_link() { link_ = true; }
  // Wakes, mends, brings the arbiter back, starts killed engines again.
  Result<void> heal();

  [[nodiscard]] const std::string& host(Role role) const {
    return role == Role::primary ? primary_ : secondary_;
  }

 private:
  Result<std::vector<pid_t>> victims(const Fault& fault) const;
  Result<pid_t> guest_process(const std::string& whose) const;
  Result<void> harm_link(const Fault& fault);
  Result<void> kill(const Fault& fault, const std::vector<pid_t>& pids);
  Result<void> freeze(const Fault& fault, const std::vector<pid_t>& pids);
  Result<void> hide_arbiter(const std::vector<std::string>& hosts);

  demo::Scene& scene_;
  demo::Engines& engines_;
  std::string primary_, secondary_;
  bool replica_;
  std::vector<pid_t> frozen_;
  bool link_ = false;  // was harmed
  std::set<std::string> killed_engines_, unswept_, without_arbiter_;
};

}  // namespace colo::drill
