#include "arbiter/make.h"

#include <unistd.h>

#include "arbiter/etcd_arbiter.h"
#include "arbiter/fence_arbiter.h"
#include "arbiter/unsafe_arbiter.h"
#include "base/check.h"
#include "heartbeat/directory_arbiter.h"

namespace colo::arbiter {

namespace {

std::vector<Finding> check_etcd(const EtcdSettings& settings, const std::string& guest) {
  EtcdArbiter arbiter(settings, guest);
  std::vector<Finding> findings;
  std::string cluster;
  bool one_answers = false;
  for (const std::string& endpoint : settings.endpoints) {
    const auto probed = arbiter.probe(endpoint);
    if (!probed) {
      findings.push_back({false, probed.error()});
      continue;
    }
    one_answers = true;
    if (cluster.empty()) cluster = *probed;
    if (cluster != *probed) {
      findings.push_back(
          {true,
           {"arbiter-other-cluster",
            endpoint + " belongs to another etcd cluster than " + settings.endpoints.front(),
            "list the members of one cluster only: two clusters would be two "
            "arbiters"}});
    }
  }
  if (!one_answers) {
    for (Finding& finding : findings) finding.fatal = true;
    return findings;
  }
  // What is stored, if anything, must be an ownership.
  if (const auto read = arbiter.current(); !read) findings.push_back({true, read.error()});
  return findings;
}

std::vector<Finding> check_fence(const FenceSettings& settings, const Asker& asker) {
  std::vector<Finding> findings;
  const FenceRecord record(record_file(settings, asker));
  if (const auto entries = record.read(); !entries) {
    findings.push_back({true, entries.error()});
  } else if (::access(settings.state_directory.c_str(), W_OK | X_OK) != 0) {
    findings.push_back(
        {true,
         {"record-unusable", settings.state_directory.string() + " is read-only here",
          "make it writable for the engine's user"}});
  }
  const auto started = std::chrono::steady_clock::now();
  if (const auto power = ask_power(settings, asker); !power) {
    findings.push_back({true, power.error()});
    return findings;
  }
  const Duration took = std::chrono::steady_clock::now() - started;
  // A shot is an order and a status: it takes longer than a status alone.
  if (asker.head_start < 2 * took) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(took).count();
    findings.push_back(
        {false,
         {"fence-head-start",
          "the agent takes " + std::to_string(ms) + " ms for a status alone: within " +
              "`heartbeat.head_start` the primary's shot is not done, and both hosts may be shot",
          "raise `heartbeat.head_start` beyond what a power-off takes, at least to " +
              std::to_string(2 * ms) + "ms"}});
  }
  return findings;
}

std::string etcdctl_words(const EtcdSettings& settings) {
  std::string words = "etcdctl --endpoints=";
  for (const std::string& endpoint : settings.endpoints) {
    words += (words.back() == '=' ? "" : ",") + endpoint;
  }
  if (!settings.ca.empty()) words += " --cacert=" + settings.ca.string();
  if (!settings.cert.empty()) {
    words += " --cert=" + settings.cert.string() + " --key=" + settings.key.string();
  }
  return words;
}

}  // namespace

std::unique_ptr<heartbeat::Arbiter> make_arbiter(const Settings& settings, const Asker& asker) {
  switch (settings.kind) {
    case Kind::directory:
      return std::make_unique<heartbeat::DirectoryArbiter>(settings.directory);
    case Kind::etcd:
      return std::make_unique<EtcdArbiter>(settings.etcd, asker.guest);
    case Kind::fence:
      return std::make_unique<FenceArbiter>(settings.fence, asker);
    case Kind::none:
      return std::make_unique<UnsafeArbiter>(asker.host);
  }
  COLO_CHECK(false);
}

std::vector<Finding> check_arbiter(const Settings& settings, const Asker& asker) {
  switch (settings.kind) {
    case Kind::directory:
      return {};
    case Kind::etcd:
      return check_etcd(settings.etcd, asker.guest);
    case Kind::fence:
      return check_fence(settings.fence, asker);
    case Kind::none:
      return {{false,
               {"arbiter-none",
                "there is no arbiter: cut off from each other, both hosts would "
                "let the guest speak",
                "use a directory, etcd or a fence agent for anything that matters"}}};
  }
  COLO_CHECK(false);
}

std::string look_command(const Settings& settings, const Asker& asker) {
  switch (settings.kind) {
    case Kind::directory:
      return "ls -l " + settings.directory.string();
    case Kind::etcd:
      return etcdctl_words(settings.etcd) + " endpoint health";
    case Kind::fence:
      return "if " + asker.peer + " is certainly off: touch " +
             confirm_file(settings.fence, asker).string();
    case Kind::none:
      return "";
  }
  COLO_CHECK(false);
}

std::string boot_advice(const Settings& settings, const Asker& asker) {
  if (settings.kind != Kind::fence) return "";
  return " (it powers " + asker.peer + " off first, unless you vouch that it does not run the " +
         "guest: touch " + confirm_file(settings.fence, asker).string() + ")";
}

}  // namespace colo::arbiter
