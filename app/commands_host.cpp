// The verbs that act on this host: run, check, keygen.
#include <iostream>

#include "app/check.h"
#include "app/commands.h"
#include "app/engine.h"
#include "app/run_lock.h"
#include "io/key_file.h"

namespace colo::app {
namespace {

void print(std::ostream& out, const std::vector<guest::Finding>& findings) {
  for (const guest::Finding& finding : findings) out << finding_text(finding) << '\n';
}

}  // namespace

int command_run(const Target& target, LogOptions log) {
  const auto selected = select(target);
  if (!selected) return exit_usage;
  const auto& [config, host] = *selected;
  log.host = host;
  if (const auto ready = set_up_log(log); !ready) return refuse(ready.error(), exit_usage);
  const auto lock = RunLock::take(config.engine_directory(host));
  if (!lock) return refuse(lock.error());
  const auto findings = check_host(config, host, false);
  print(std::cerr, findings);
  if (any_fatal(findings)) return exit_refused;
  return run_engine(config, host, RunOptions{std::filesystem::absolute(target.file)});
}

int command_check(const Target& target) {
  const auto selected = select(target);
  if (!selected) return exit_usage;
  const auto& [config, host] = *selected;
  const auto pid = RunLock::holder(config.engine_directory(host));
  const auto findings = check_host(config, host, pid.has_value());
  print(std::cout, findings);
  if (any_fatal(findings)) return exit_refused;
  std::cout << "ready: " << config.name << " on " << host;
  if (pid) {
    std::cout << " runs already (pid " << *pid << "); its ports were not tried\n";
  } else {
    std::cout << " can start: colo run " << target.file.string() << " --host " << host << '\n';
  }
  return exit_ok;
}

int command_keygen(const std::filesystem::path& file) {
  if (const auto made = io::create_key_file(file); !made) return refuse(made.error());
  std::cout << "made " << file.string()
            << "; copy it to the other host over a safe way, with mode 0600\n";
  return exit_ok;
}

}  // namespace colo::app
