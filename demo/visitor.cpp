#include "demo/visitor.h"

#include <unistd.h>

namespace colo::demo {
namespace {

constexpr auto between_visits = std::chrono::milliseconds(50);
constexpr auto between_attempts = std::chrono::milliseconds(100);
constexpr auto glance = std::chrono::milliseconds(10);
constexpr auto settle_patience = std::chrono::seconds(30);

std::string tag() {
  return "visitor-" + std::to_string(::getpid()) + "-" + std::to_string(unix_now_ns());
}

}  // namespace

Visitor::Visitor(Opener opener)
    : opener_(std::move(opener)), judge_(tag()), thread_([this] { visit_for_ever(); }) {}

Visitor::~Visitor() {
  abandoned_ = true;
  if (thread_.joinable()) thread_.join();
}

void Visitor::finish() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
}

VisitFigures Visitor::figures() const {
  const std::scoped_lock lock(mutex_);
  VisitFigures now = figures_;
  now.acknowledged = judge_.acknowledged();
  now.lost = judge_.lost();
  now.wrong = judge_.wrong();
  now.unanswered = judge_.outstanding();
  now.whole_fits = judge_.whole_fits();
  if (now.trouble.empty()) now.trouble = judge_.trouble();
  return now;
}

std::uint64_t Visitor::visits_since(std::int64_t unix_ns) const {
  const std::scoped_lock lock(mutex_);
  return times_.count_since(unix_ns);
}

std::optional<ReplyFigures> Visitor::visit_times(std::int64_t begin_unix_ns,
                                                 std::int64_t end_unix_ns) const {
  const std::scoped_lock lock(mutex_);
  return times_.between(begin_unix_ns, end_unix_ns);
}

void Visitor::visit_for_ever() {
  while (!finishing_ && !abandoned_ && visit()) std::this_thread::sleep_for(between_visits);
  if (!abandoned_ && !broken_) ask_whole();
}

// Null: nobody answered before the visits ended.
std::unique_ptr<Transport> Visitor::open() {
  const auto deadline = Clock::now() + settle_patience;
  for (;;) {
    auto way = opener_();
    const auto connected = way->connect();
    if (connected) {
      const std::scoped_lock lock(mutex_);
      figures_.connections += 1;
      return way;
    }
    if (connected.error().word != "no-answer") {
      break_off(connected.error());
      return nullptr;
    }
    if (abandoned_ || (finishing_ && Clock::now() > deadline)) return nullptr;
    std::this_thread::sleep_for(between_attempts);
  }
}

bool Visitor::visit() {
  const auto begun = Clock::now();
  const auto way = open();
  if (!way || abandoned_) return false;
  std::string entry;
  {
    const std::scoped_lock lock(mutex_);
    entry = judge_.next_entry();
  }
  if (auto sent = way->send_entry(entry); !sent) {
    break_off(sent.error());
    return false;
  }
  const auto reply = hear(*way);
  if (!reply) return false;
  const std::scoped_lock lock(mutex_);
  judge_.hear(*reply);
  times_.add(begun);
  return true;
}

// Empty: the connection broke, or the end of the visits did not bring a reply either.
std::optional<Reply> Visitor::hear(Transport& way) {
  std::optional<Clock::time_point> deadline;
  while (!abandoned_) {
    if (finishing_ && !deadline) deadline = Clock::now() + settle_patience;
    auto reply = way.receive(glance);
    if (!reply) {
      break_off(reply.error());
      return std::nullopt;
    }
    if (*reply) return **reply;
    if (deadline && Clock::now() > *deadline) return std::nullopt;
  }
  return std::nullopt;
}

void Visitor::ask_whole() {
  const auto way = open();
  if (!way) return;
  if (auto asked = way->ask_whole(); !asked) return break_off(asked.error());
  const auto reply = hear(*way);
  if (!reply) return;
  const std::scoped_lock lock(mutex_);
  judge_.hear(*reply);
}

void Visitor::break_off(const Error& error) {
  broken_ = true;
  const std::scoped_lock lock(mutex_);
  figures_.resets += 1;
  if (figures_.trouble.empty()) figures_.trouble = error.text();
}

}  // namespace colo::demo
