#include "demo/client.h"

#include <unistd.h>

#include <algorithm>

namespace colo::demo {
namespace {

constexpr auto pace = std::chrono::milliseconds(10);
constexpr auto between_attempts = std::chrono::milliseconds(100);
constexpr auto settle_patience = std::chrono::seconds(30);

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::string conversation_tag() {
  return "client-" + std::to_string(::getpid()) + "-" + std::to_string(unix_now_ns());
}

}  // namespace

Client::Client(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)), judge_(conversation_tag()), thread_([this] { talk(); }) {}

Client::~Client() {
  abandoned_ = true;
  if (thread_.joinable()) thread_.join();
}

void Client::finish() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
}

ClientFigures Client::figures() const {
  const std::scoped_lock lock(mutex_);
  ClientFigures now = figures_;
  now.acknowledged = judge_.acknowledged();
  now.lost = judge_.lost();
  now.wrong = judge_.wrong();
  now.unanswered = judge_.outstanding();
  now.whole_fits = judge_.whole_fits();
  if (now.trouble.empty()) now.trouble = judge_.trouble();
  if (now.connections > 0 && !whole_heard_) {
    now.longest_gap_ms = std::max(now.longest_gap_ms, milliseconds(Clock::now() - last_reply_));
  }
  return now;
}

std::optional<std::int64_t> Client::first_reply_since(std::int64_t unix_ns) const {
  const std::scoped_lock lock(mutex_);
  return reply_times_.first_since(unix_ns);
}

std::uint64_t Client::replies_since(std::int64_t unix_ns) const {
  const std::scoped_lock lock(mutex_);
  return reply_times_.count_since(unix_ns);
}

std::optional<ReplyFigures> Client::reply_times(std::int64_t begin_unix_ns,
                                                std::int64_t end_unix_ns) const {
  const std::scoped_lock lock(mutex_);
  return reply_times_.between(begin_unix_ns, end_unix_ns);
}

std::uint64_t Client::outstanding() const {
  const std::scoped_lock lock(mutex_);
  return judge_.outstanding();
}

bool Client::open() {
  while (!transport_->connect()) {
    if (abandoned_ || finishing_) return false;
    std::this_thread::sleep_for(between_attempts);
  }
  const std::scoped_lock lock(mutex_);
  figures_.connections += 1;
  last_reply_ = Clock::now();
  return true;
}

void Client::talk() {
  if (!open()) return;
  auto due = Clock::now();
  while (!finishing_ && !abandoned_ && !broken_) {
    const auto now = Clock::now();
    const bool full = outstanding() >= transport_->window();
    if (full || now < due) {
      listen(full ? pace : std::chrono::ceil<std::chrono::milliseconds>(due - now));
      continue;
    }
    std::string entry;
    {
      const std::scoped_lock lock(mutex_);
      entry = judge_.next_entry();
      said_.push_back(Clock::now());
    }
    if (auto sent = transport_->send_entry(entry); !sent) return break_off(sent.error());
    due = std::max(due + pace, now);  // what a full window delayed is not made up for
  }
  if (!abandoned_ && !broken_) settle();
}

void Client::listen(std::chrono::milliseconds patience) {
  const auto reply = transport_->receive(patience);
  if (!reply) return break_off(reply.error());
  if (!*reply) return;
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  figures_.longest_gap_ms = std::max(figures_.longest_gap_ms, milliseconds(now - last_reply_));
  last_reply_ = now;
  if ((*reply)->kind != Reply::Kind::whole && !said_.empty()) {
    reply_times_.add(said_.front());
    said_.pop_front();
  }
  judge_.hear(**reply);
  if ((*reply)->kind != Reply::Kind::added) whole_heard_ = true;
}

void Client::settle() {
  const auto deadline = Clock::now() + settle_patience;
  while (outstanding() > 0 && !broken_ && !abandoned_ && Clock::now() < deadline) listen(pace);
  if (broken_ || abandoned_) return;
  if (auto asked = transport_->ask_whole(); !asked) return break_off(asked.error());
  {
    const std::scoped_lock lock(mutex_);
    whole_heard_ = false;
  }
  const auto heard = [this] {
    const std::scoped_lock lock(mutex_);
    return whole_heard_;
  };
  while (!heard() && !broken_ && !abandoned_ && Clock::now() < deadline) listen(pace);
}

void Client::break_off(const Error& error) {
  broken_ = true;
  const std::scoped_lock lock(mutex_);
  figures_.resets += 1;
  if (figures_.trouble.empty()) figures_.trouble = error.text();
}

}  // namespace colo::demo
