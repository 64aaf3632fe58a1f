#include "arbiter/etcd_text.h"

#include <array>
#include <cstdio>
#include <limits>

#include "heartbeat/ownership_file.h"

namespace colo::arbiter::etcd {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Names names_of(const std::string& prefix, const std::string& guest) {
  const std::string base = prefix + "/" + guest + "/";
  return {base + "owner", base + "generation/"};
}

std::string history_key(const Names& names, Generation generation) {
  std::string digits = std::to_string(generation.value);
  constexpr std::size_t width = std::numeric_limits<std::uint64_t>::digits10 + 1;
  return names.history_prefix + std::string(width - digits.size(), '0') + digits;
}

std::string base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::string_view four = text.substr(at, 4);
    std::size_t padding = 0;
    if (at + 4 == text.size()) {
      while (padding < 2 && four[3 - padding] == '=') ++padding;
    }
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t digit = i + padding >= 4 ? 0 : alphabet.find(four[i]);
      if (digit == std::string_view::npos) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t i = 0; i < 3 - padding; ++i) {
      out += static_cast<char>(group >> (16 - 8 * i) & 0xff);
    }
    // Bits beyond the last byte are zero: each value has one spelling.
    if ((group & ((1U << (8 * padding)) - 1)) != 0) return std::nullopt;
  }
  return out;
}

Result<std::variant<ClaimAnswer, TryToSwap>> decide(const Claim& claim, const Ownership& current) {
  if (auto names = heartbeat::check_names(claim.owner, claim.run); !names) {
    return fail(names.error());
  }
  if (claim.from.value == std::numeric_limits<std::uint64_t>::max()) {
    return fail("bad-claim", "no generation comes after " + std::to_string(claim.from.value));
  }
  if (current.generation < claim.from) {
    return fail("arbiter-behind",
                "etcd has generation " + std::to_string(current.generation.value) +
                    ", we know of " + std::to_string(claim.from.value),
                "see that this is the right cluster and prefix, and that it was not restored from "
                "an old backup");
  }
  Ownership wanted{claim.from.next(), claim.owner, claim.run};
  if (current == wanted) return ClaimAnswer{heartbeat::ClaimWon{wanted.generation}};
  if (current.generation > claim.from) return ClaimAnswer{heartbeat::ClaimLost{current}};
  return TryToSwap{std::move(wanted)};
}

}  // namespace colo::arbiter::etcd
