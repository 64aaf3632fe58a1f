// The datagrams of the embedded guest's ledger, UDP port 7000: what a client sends and gets.
//
// A client adds entries; each is acknowledged with its number in the ledger (its sequence) and the
// digest of the whole ledger up to it: digest' = XXH3-64(digest as big-endian 8 bytes, entry).
// A client has one request open at a time and numbers its appends from 1 upwards. Without a reply
// it sends the same request again; the ledger then gives the same reply again and adds nothing.
//
//   request: magic u32 "LGRQ", operation u32, client u64 (not 0), request u64, entry bytes
//   reply:   magic u32 "LGRP", status u32, client u64, request u64, sequence u64, digest u64
//
// All numbers are big-endian. What is no request gets no reply.
#pragma once

#include <cstdint>
#include <optional>

#include "base/types.h"

namespace colo::guest::embedded {

inline constexpr std::uint16_t ledger_port = 7000;
inline constexpr std::size_t ledger_entry_bytes_max = 200;
inline constexpr std::size_t ledger_clients_max = 1024;

enum class LedgerOperation : std::uint32_t {
  append = 1,  // one entry of 1 to ledger_entry_bytes_max bytes
  digest = 2,  // sequence and digest of now; changes nothing, and is answered anew each time
  crash = 3,   // for drills: the guest ends at once, without a reply
  // How many steps its workers made, as the sequence; changes nothing. Nobody drives them, so no
  // two guests that run beside each other give the same answer.
  steps = 4,
};

enum class LedgerStatus : std::uint32_t {
  done = 0,
  stale = 1,      // this client has made a later append already
  malformed = 2,  // the entry is empty or too long
  full = 3,       // ledger_clients_max clients are known
};

struct LedgerRequest {
  LedgerOperation operation = LedgerOperation::append;
  std::uint64_t client = 0;
  std::uint64_t request = 0;
  Bytes entry;
};

struct LedgerReply {
  LedgerStatus status = LedgerStatus::done;
  std::uint64_t client = 0;
  std::uint64_t request = 0;
  std::uint64_t sequence = 0;
  std::uint64_t digest = 0;
  friend bool operator==(const LedgerReply&, const LedgerReply&) = default;
};

[[nodiscard]] Bytes encode(const LedgerRequest& request);
[[nodiscard]] Bytes encode(const LedgerReply& reply);
[[nodiscard]] std::optional<LedgerRequest> decode_request(ByteView payload);
[[nodiscard]] std::optional<LedgerReply> decode_reply(ByteView payload);

// The digest of an empty ledger is 0.
[[nodiscard]] std::uint64_t chain_digest(std::uint64_t digest, ByteView entry);

}  // namespace colo::guest::embedded
