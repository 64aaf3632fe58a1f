#include "guest/embedded/ledger.h"

#include <xxhash.h>

#include "guest/embedded/big_endian.h"

namespace colo::guest::embedded {

namespace {

constexpr std::uint32_t request_magic = 0x4C475251;  // "LGRQ"
constexpr std::uint32_t reply_magic = 0x4C475250;    // "LGRP"

}  // namespace

Bytes encode(const LedgerRequest& request) {
  Bytes out;
  append_big_endian(out, request_magic);
  append_big_endian(out, static_cast<std::uint32_t>(request.operation));
  append_big_endian(out, request.client);
  append_big_endian(out, request.request);
  append(out, request.entry);
  return out;
}

Bytes encode(const LedgerReply& reply) {
  Bytes out;
  append_big_endian(out, reply_magic);
  append_big_endian(out, static_cast<std::uint32_t>(reply.status));
  append_big_endian(out, reply.client);
  append_big_endian(out, reply.request);
  append_big_endian(out, reply.sequence);
  append_big_endian(out, reply.digest);
  return out;
}

std::optional<LedgerRequest> decode_request(ByteView payload) {
  BigEndianReader in(payload);
  const auto magic = in.get<std::uint32_t>();
  const auto operation = in.get<std::uint32_t>();
  LedgerRequest request;
  request.client = in.get<std::uint64_t>();
  request.request = in.get<std::uint64_t>();
  if (!in.ok() || magic != request_magic || request.client == 0) return std::nullopt;
  if (operation < static_cast<std::uint32_t>(LedgerOperation::append) ||
      operation > static_cast<std::uint32_t>(LedgerOperation::steps)) {
    return std::nullopt;
  }
  request.operation = static_cast<LedgerOperation>(operation);
  request.entry.assign(in.rest().begin(), in.rest().end());
  return request;
}

std::optional<LedgerReply> decode_reply(ByteView payload) {
  BigEndianReader in(payload);
  const auto magic = in.get<std::uint32_t>();
  const auto status = in.get<std::uint32_t>();
  LedgerReply reply;
  reply.client = in.get<std::uint64_t>();
  reply.request = in.get<std::uint64_t>();
  reply.sequence = in.get<std::uint64_t>();
  reply.digest = in.get<std::uint64_t>();
  if (!in.ok() || magic != reply_magic || !in.rest().empty()) return std::nullopt;
  if (status > static_cast<std::uint32_t>(LedgerStatus::full)) return std::nullopt;
  reply.status = static_cast<LedgerStatus>(status);
  return reply;
}

std::uint64_t chain_digest(std::uint64_t digest, ByteView entry) {
  Bytes linked;
  linked.reserve(sizeof digest + entry.size());
  append_big_endian(linked, digest);
  append(linked, entry);
  return XXH3_64bits(linked.data(), linked.size());
}

}  // namespace colo::guest::embedded
