#include "demo/redis_writers.h"

#include <unistd.h>

#include <algorithm>

#include "demo/reply_times.h"

namespace colo::demo {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto pace = std::chrono::milliseconds(2);
constexpr auto glance = std::chrono::milliseconds(20);
constexpr auto connect_patience = std::chrono::seconds(10);
constexpr auto reply_patience = std::chrono::seconds(30);
constexpr std::uint64_t batch = 100;  // reads under way at once

std::string key(std::uint32_t writer, std::uint64_t number) {
  return "writer" + std::to_string(writer) + ":" + std::to_string(number);
}

// "$5", then the value; "$-1" for none. Empty: it did not come.
Result<std::string> read_value(LineSocket& socket) {
  const auto size = socket.receive(reply_patience);
  if (!size) return fail(size.error());
  if (!*size) return fail("no-answer", "no reply to a read");
  if (**size == "$-1") return std::string();
  const auto value = socket.receive(reply_patience);
  if (!value) return fail(value.error());
  if (!*value) return fail("no-answer", "half a reply to a read");
  return **value;
}

}  // namespace

RedisWriters::RedisWriters(int network_namespace, std::string address, std::uint16_t port,
                           std::uint32_t count)
    : namespace_(network_namespace),
      address_(std::move(address)),
      port_(port),
      tag_(std::to_string(::getpid()) + "-" + std::to_string(unix_now_ns())),
      acknowledged_(count) {
  for (std::uint32_t i = 0; i < count; ++i) threads_.emplace_back([this, i] { write(i); });
}

RedisWriters::~RedisWriters() { stop(); }

void RedisWriters::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

WriterFigures RedisWriters::figures() const {
  const std::scoped_lock lock(mutex_);
  WriterFigures now = figures_;
  for (const std::uint64_t count : acknowledged_) now.acknowledged += count;
  return now;
}

void RedisWriters::note(const std::string& trouble) {
  if (figures_.trouble.empty()) figures_.trouble = trouble;
}

void RedisWriters::write(std::uint32_t writer) {
  LineSocket socket;
  if (auto open = socket.connect(namespace_, address_, port_, connect_patience); !open) {
    const std::scoped_lock lock(mutex_);
    figures_.resets += 1;
    return note(open.error().text());
  }
  {
    const std::scoped_lock lock(mutex_);
    figures_.connections += 1;
  }
  auto heard = Clock::now();
  for (std::uint64_t number = 1; !stopping_; ++number) {
    const std::string name = key(writer, number);
    Result<void> sent = socket.send("SET " + name + " " + name + "/" + tag_ + "\r\n");
    Result<std::optional<std::string>> reply = std::optional<std::string>();
    while (sent && !stopping_ && reply && !*reply) reply = socket.receive(glance);
    {
      const std::scoped_lock lock(mutex_);
      if (!sent || !reply) {
        figures_.resets += 1;
        return note(sent ? reply.error().text() : sent.error().text());
      }
      if (!*reply) return;  // stopped: the last one is owed nothing
      if (**reply != "+OK") {
        figures_.wrong += 1;
        return note("redis says: " + **reply);
      }
      acknowledged_[writer] = number;
      const std::chrono::duration<double, std::milli> gap = Clock::now() - heard;
      figures_.longest_gap_ms = std::max(figures_.longest_gap_ms, gap.count());
      heard = Clock::now();
    }
    std::this_thread::sleep_for(pace);
  }
}

Result<void> RedisWriters::verify() {
  LineSocket socket;
  if (auto open = socket.connect(namespace_, address_, port_, connect_patience); !open) return open;
  for (std::uint32_t writer = 0; writer < acknowledged_.size(); ++writer) {
    for (std::uint64_t first = 1; first <= acknowledged_[writer]; first += batch) {
      const std::uint64_t last = std::min(first + batch - 1, acknowledged_[writer]);
      std::string asked;
      for (auto n = first; n <= last; ++n) asked += "GET " + key(writer, n) + "\r\n";
      if (auto sent = socket.send(asked); !sent) return sent;
      for (auto n = first; n <= last; ++n) {
        const auto value = read_value(socket);
        if (!value) return fail(value.error());
        const std::scoped_lock lock(mutex_);
        if (value->empty()) {
          figures_.lost += 1;
          note(key(writer, n) + " was acknowledged and is not there");
        } else if (*value != key(writer, n) + "/" + tag_) {
          figures_.wrong += 1;
          note(key(writer, n) + " is " + *value);
        }
      }
    }
  }
  return {};
}

}  // namespace colo::demo
