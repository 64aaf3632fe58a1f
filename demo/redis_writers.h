// Clients that write to a redis in the guest and remember what was acknowledged; afterwards all of
// it must be there. Each has one connection and a key for each write, one write at a time.
//
// A key and its value are functions of the writer and the number of the write, so the memory of
// what was acknowledged is one number per writer.
//
// Threads: each writer has its own; all calls are safe from the thread that made them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "demo/line_socket.h"

namespace colo::demo {

struct WriterFigures {
  std::uint64_t connections = 0, resets = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t lost = 0, wrong = 0;  // of those: not there, or another value
  double longest_gap_ms = 0;          // between two acknowledgements of one writer
  std::string trouble;                // the first thing that went wrong, in words
};

class RedisWriters {
 public:
  // The namespace stays the caller's, and outlives this.
  RedisWriters(int network_namespace, std::string address, std::uint16_t port, std::uint32_t count);
  RedisWriters(const RedisWriters&) = delete;
  RedisWriters& operator=(const RedisWriters&) = delete;
  ~RedisWriters();

  [[nodiscard]] WriterFigures figures() const;
  // Writes no more.
  void stop();
  // Reads every acknowledged write back, over a new connection. REQUIRES: stopped.
  // Errors: of that connection.
  Result<void> verify();

 private:
  void write(std::uint32_t writer);
  void note(const std::string& trouble);

  int namespace_;
  std::string address_;
  std::uint16_t port_;
  std::string tag_;
  mutable std::mutex mutex_;  // over the figures and the counts
  WriterFigures figures_;
  std::vector<std::uint64_t> acknowledged_;  // by writer
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace colo::demo
