#include "arbiter/make.h"

#include "arbiter/etcd_arbiter.h"
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
    case Kind::none:
      break;
  }
  COLO_CHECK(false);
}

std::vector<Finding> check_arbiter(const Settings& settings, const Asker& asker) {
  if (settings.kind == Kind::etcd) return check_etcd(settings.etcd, asker.guest);
  return {};
}

std::string look_command(const Settings& settings, const Asker& asker) {
  (void)asker;
  if (settings.kind == Kind::etcd) return etcdctl_words(settings.etcd) + " endpoint health";
  return "ls -l " + settings.directory.string();
}

}  // namespace colo::arbiter
