// An arbiter in etcd, by its JSON gateway.
//
// A claim is a read and a transaction. Any number of claimants may ask at once, answers may be
// lost, a transaction may be done after its asker gave up: one revision of the key is replaced
// once, so one of them wins. Endpoints are tried in turn, beginning with the one that answered
// last; trying a claim again elsewhere is safe since a claim that was won is won again.
// There is no lease: an owner stays one until somebody else claims.
//
// Threads: as heartbeat::Arbiter. A call takes at most EtcdSettings::timeout.
#pragma once

#include <string>

#include "arbiter/etcd_text.h"
#include "arbiter/settings.h"
#include "heartbeat/arbiter.h"

namespace colo::arbiter {

class EtcdArbiter final : public heartbeat::Arbiter {
 public:
  EtcdArbiter(EtcdSettings settings, const std::string& guest);

  Result<heartbeat::ClaimAnswer> claim(const heartbeat::Claim& claim) override;
  Result<heartbeat::Ownership> current() override;
  Result<std::vector<heartbeat::Ownership>> history() override;

  // Whether one endpoint could take a claim now; gives the id of its cluster. Changes nothing.
  Result<std::string> probe(const std::string& endpoint);

 private:
  using Clock = std::chrono::steady_clock;
  template <class Answer>
  Result<Answer> ask(const char* path, const std::string& body,
                     Result<Answer> (*parse)(const etcd::Names&, const std::string&),
                     Clock::time_point until);
  // The body of the answer of one endpoint; logs in first where that is needed.
  Result<std::string> ask_one(const std::string& endpoint, const char* path,
                              const std::string& body, Clock::time_point until, bool& final);
  Result<void> log_in(const std::string& endpoint, Clock::time_point until, bool& final);
  Result<std::string> post(const std::string& endpoint, const char* path, const std::string& body,
                           Clock::time_point until, etcd::Refusal& refusal);

  const EtcdSettings settings_;
  const etcd::Names names_;
  std::size_t preferred_ = 0;  // the endpoint that answered last
  std::string token_;
  // The first one that answered. Two clusters behind one list would be two arbiters.
  std::string cluster_;
};

}  // namespace colo::arbiter
