#include "heartbeat/detector.h"

#include <algorithm>

#include "base/check.h"

namespace colo::heartbeat {

Detector::Detector(DetectorConfig config, std::size_t links, Instant now)
    : config_(config), links_(links, Link{now}) {
  COLO_CHECK(links > 0);
}

void Detector::heard(std::size_t link, Instant now) {
  COLO_CHECK(link < links_.size());
  links_[link].last = std::max(links_[link].last, now);
  links_[link].heard = true;
}

void Detector::stalled(Instant from, Instant now) {
  // Any loop is late by a little all the time; counted as stalls, such moments would put the
  // suspicion off for ever. What came meanwhile waits in the sockets and is heard.
  if (now - from < config_.interval) return;
  for (Link& link : links_) link.last = std::max(link.last, now);
}

bool Detector::suspected(Instant now) const { return now >= deadline(); }

Instant Detector::deadline() const {
  Instant latest = links_.front().last;
  for (const Link& link : links_) latest = std::max(latest, link.last);
  return latest + config_.lost_after;
}

std::vector<LinkReport> Detector::report(Instant now) const {
  std::vector<LinkReport> reports;
  reports.reserve(links_.size());
  for (const Link& link : links_) {
    LinkReport report;
    report.silence = std::max(now - link.last, Duration::zero());
    if (link.heard) {
      report.state = report.silence < config_.lost_after ? LinkState::alive : LinkState::silent;
    }
    reports.push_back(report);
  }
  return reports;
}

}  // namespace colo::heartbeat
