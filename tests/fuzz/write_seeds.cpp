// Writes the fuzzers' seeds: a valid input of each kind, in one directory per program.
// Usage: fuzz_seeds DIRECTORY
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "arbiter/etcd_text.h"
#include "heartbeat/ownership_file.h"
#include "tests/wire/samples.h"
#include "wire/bytes.h"

namespace {

using namespace colo;
using namespace colo::wire;

bool write(const std::filesystem::path& file, ByteView bytes) {
  std::ofstream out(file, std::ios::binary);
  for (const std::byte byte : bytes) out.put(static_cast<char>(byte));
  return out.flush().good();
}

Bytes behind(std::uint8_t first, ByteView rest) {
  Bytes bytes{std::byte{first}};
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

bool write_etcd_answers(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  const auto names = arbiter::etcd::names_of("/colo", "ledger");
  const heartbeat::Ownership seventh{{7}, "alpha", "5f0c9a3e"};
  const std::string header = R"({"header":{"cluster_id":"14841639068965178418","revision":"9"},)";
  const auto pair = [&](const std::string& key) {
    return R"("kvs":[{"key":")" + arbiter::etcd::base64(key) +
           R"(","create_revision":"2","mod_revision":"9","version":"1","value":")" +
           arbiter::etcd::base64(heartbeat::encode_ownership(seventh)) + R"("}],"count":"1"})";
  };
  const auto with = [&](const char* name, const std::string& text) {
    return write(directory / name, std::as_bytes(std::span(text)));
  };
  return with("absent", header.substr(0, header.size() - 1) + "}") &&
         with("read", header + pair(names.owner_key)) &&
         with("history", header + pair(arbiter::etcd::history_key(names, {7}))) &&
         with("won", header + R"("succeeded":true,"responses":[{"response_put":{}},)" +
                         R"({"response_put":{}}]})") &&
         with("lost",
              header + R"("responses":[{"response_range":{)" + pair(names.owner_key) + "}]}") &&
         with("login", header + R"("token":"abc.9"})") &&
         with("refused", R"({"error":"etcdserver: no leader","message":"x","code":14})");
}

// Long sequences of steps as compare_fuzz.cpp and rewriter_fuzz.cpp read them; the fuzzers take it
// from there.
bool write_guests(const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory / "compare");
  std::filesystem::create_directories(directory / "rewriter");
  const auto number = [](unsigned value) { return static_cast<std::byte>(value); };
  bool good = true;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Bytes stream, rewritten;
    for (unsigned i = 0; i < 60; ++i) {
      // Both guests say pieces of one stream, one of them a little ahead.
      const unsigned place = i / 2 * seed % 40;
      for (const unsigned value : {i % 3, i % 2 == 0 ? 1U : 120U, 0xf0U, place, 1U, 3 + i % 9}) {
        stream.push_back(number(value));
      }
      if (i % 20 == 19) {  // a cut, its commit, the replica runs
        for (const unsigned value : {1U, 220U, 1U, 230U, 1U, 243U}) stream.push_back(number(value));
      }
      // A SYN out, an answer in, data both ways, a takeover in the middle.
      const unsigned flags = i % 8 == 0 ? 0x12 : 0x10;
      for (const unsigned value : {1U, i == 30 ? 1U : 40 + i % 2, i / 8 * 2}) {
        rewritten.push_back(number(value));
      }
      for (unsigned j = 0; j < 8; ++j) rewritten.push_back(number(seed * i + j));
      for (const unsigned value : {flags, i % 4}) rewritten.push_back(number(value));
      for (unsigned j = 0; j < 8; ++j) rewritten.push_back(number(j));
    }
    const std::string name = "sequence-" + std::to_string(seed);
    good = good && write(directory / "compare" / name, stream) &&
           write(directory / "rewriter" / name, rewritten);
  }
  return good;
}

bool write_all(const std::filesystem::path& directory) {
  for (const char* program : {"wire_decoder", "wire_messages", "wire_pages"}) {
    std::filesystem::create_directories(directory / program);
  }
  bool good = write_etcd_answers(directory / "etcd_answers") && write_guests(directory);
  Bytes stream;
  std::uint64_t sequence = 0;
  for (const auto& [kind, alone] : samples::frames()) {
    const ByteView body = ByteView(alone).subspan(header_bytes);
    good = good && write(directory / "wire_decoder" / kind, behind(0x40, alone));
    good = good && write(directory / "wire_decoder" / (kind + "-mended"), behind(0x41, alone));
    const auto number = std::to_integer<std::uint8_t>(alone[6]);
    good = good && write(directory / "wire_messages" / kind, behind(number, body));
    if (kind == "pages") good = good && write(directory / "wire_pages" / kind, body);
    const auto numbered = samples::frames(++sequence);
    const Bytes& frame = numbered[sequence - 1].second;
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  good = good && write(directory / "wire_decoder" / "every-kind", behind(0x80, stream));

  PagesFrame zero_pages(1);
  for (PageIndex page = 0; page < 16; ++page) zero_pages.add_page(page, samples::page_of(0));
  const Bytes zeros = zero_pages.finish(samples::numbers);
  return good &&
         write(directory / "wire_pages" / "zero-pages", ByteView(zeros).subspan(header_bytes));
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds DIRECTORY\n");
    return 2;
  }
  if (!write_all(arguments[1])) {
    std::fprintf(stderr, "fuzz_seeds: cannot write to %s\n", arguments[1]);
    return 1;
  }
  return 0;
}
