#include "wire/messages.h"

#include <gtest/gtest.h>

#include "tests/wire/samples.h"
#include "wire/bytes.h"
#include "wire/decoder.h"

namespace colo::wire {
namespace {

Bytes body_of(const Bytes& frame) { return {frame.begin() + header_bytes, frame.end()}; }

void expect_equal(const Agreement& a, const Agreement& b) {
  EXPECT_EQ(a.guest_name, b.guest_name);
  EXPECT_EQ(a.machine, b.machine);
  EXPECT_EQ(a.guest_version, b.guest_version);
  EXPECT_EQ(a.accelerator, b.accelerator);
  EXPECT_EQ(a.layout, b.layout);
  EXPECT_EQ(a.config_hash, b.config_hash);
}

TEST(Messages, HelloComesBackAsItWas) {
  const auto hello = decode_hello(body_of(encode(samples::hello(), samples::numbers)));
  ASSERT_TRUE(hello) << hello.error().text();
  EXPECT_EQ(hello->host, "beta");
  EXPECT_EQ(hello->run, "5f0c9a3e");
  expect_equal(hello->agreement, samples::agreement());
  EXPECT_FALSE(hello->held);
}

TEST(Messages, WhatAHelloHoldsComesBackAsItWas) {
  for (const Hello& sent : {samples::hello_of_a_checkpoint(), samples::hello_of_a_first_copy()}) {
    const auto hello = decode_hello(body_of(encode(sent, samples::numbers)));
    ASSERT_TRUE(hello) << hello.error().text();
    ASSERT_TRUE(hello->held);
    EXPECT_EQ(hello->held->primary_run, "91d2b7c4");
    EXPECT_EQ(hello->held->lineage, samples::token());
    EXPECT_EQ(hello->held->generation, Generation{7});
    EXPECT_EQ(hello->held->epoch, sent.held->epoch);
    EXPECT_EQ(hello->held->pages, sent.held->pages);
  }
}

// The error of a hello that holds this.
std::string held_error(Epoch epoch, std::vector<PageRange> pages) {
  Hello hello = samples::hello_of_a_first_copy();
  hello.held->pages = std::move(pages);
  Bytes body = body_of(encode(hello, samples::numbers));
  const std::size_t behind_epoch = 2 + hello.held->pages.size() * 18;
  put_little(body.data() + body.size() - behind_epoch - 8, epoch.value);
  const auto decoded = decode_hello(body);
  return decoded ? "" : decoded.error().text();
}

TEST(Messages, HeldPagesAreOfTheLayoutInAscendingOrderAndOnlyOfAFirstCopy) {
  EXPECT_EQ(held_error({0}, {{0, 0, 10}, {0, 10, 1}, {1, 0, 4096}}), "");
  EXPECT_EQ(held_error({5}, {{0, 0, 10}}), "bad-body: hello: range count: 1, at most 0");
  EXPECT_EQ(held_error({0}, {{2, 0, 1}}), "bad-body: hello: held region: 2 is none of the layout");
  EXPECT_EQ(held_error({0}, {{1, 4095, 2}}),
            "bad-body: hello: held pages: 2 from 4095 are none of region 1");
  EXPECT_EQ(held_error({0}, {{1, 4, 0}}),
            "bad-body: hello: held pages: 0 from 4 are none of region 1");
  EXPECT_EQ(held_error({0}, {{0, 0, 10}, {0, 9, 1}}),
            "bad-body: hello: held pages: not in ascending order");
  EXPECT_EQ(held_error({0}, {{1, 0, 10}, {0, 90, 1}}),
            "bad-body: hello: held pages: not in ascending order");
}

TEST(Messages, MoreHeldRangesThanTheirBoundAreNotSent) {
  Hello hello = samples::hello_of_a_first_copy();
  hello.held->pages.clear();
  for (PageIndex i = 0; i < held_ranges_max + 10; ++i) hello.held->pages.push_back({0, 2 * i, 1});
  const auto decoded = decode_hello(body_of(encode(hello, samples::numbers)));
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(decoded->held->pages.size(), held_ranges_max);
}

TEST(Messages, WelcomeComesBackAsItWas) {
  const auto welcome = decode_welcome(body_of(encode(samples::welcome(), samples::numbers)));
  ASSERT_TRUE(welcome) << welcome.error().text();
  EXPECT_EQ(welcome->host, "alpha");
  EXPECT_EQ(welcome->run, "91d2b7c4");
  EXPECT_EQ(welcome->session, samples::token());
  expect_equal(welcome->agreement, samples::agreement());
  EXPECT_FALSE(welcome->resumes);
  Welcome resuming = samples::welcome();
  resuming.resumes = true;
  const auto again = decode_welcome(body_of(encode(resuming, samples::numbers)));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->resumes);
}

TEST(Messages, TheWordsOfASwitchoverComeBackAsTheyWere) {
  EXPECT_TRUE(decode_handover(body_of(encode(Handover{}, samples::numbers))));
  EXPECT_TRUE(decode_loaded(body_of(encode(Loaded{}, samples::numbers))));
  EXPECT_TRUE(decode_go(body_of(encode(Go{}, samples::numbers))));
  EXPECT_TRUE(decode_took_over(body_of(encode(TookOver{}, samples::numbers))));
  const auto failed = decode_load_failed(body_of(encode(samples::load_failed(), samples::numbers)));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->error.text(), samples::load_failed().error.text());
  const auto cancel = decode_cancel(body_of(encode(samples::cancel(), samples::numbers)));
  ASSERT_TRUE(cancel);
  EXPECT_EQ(cancel->reason, samples::cancel().reason);
}

TEST(Messages, RefuseAndTheEndsComeBackAsTheyWere) {
  const auto refuse = decode_refuse(body_of(encode(samples::refuse(), samples::numbers)));
  ASSERT_TRUE(refuse);
  EXPECT_EQ(refuse->error.text(), samples::refuse().error.text());
  for (const bool guest_ends : {false, true}) {
    const auto goodbye =
        decode_goodbye(body_of(encode(Goodbye{"update", guest_ends}, samples::numbers)));
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->reason, "update");
    EXPECT_EQ(goodbye->guest_ends, guest_ends);
    const auto ended =
        decode_guest_ended(body_of(encode(GuestEnded{"exit 0", guest_ends}, samples::numbers)));
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->reason, "exit 0");
    EXPECT_EQ(ended->by_guest, guest_ends);
  }
}

TEST(Messages, TheSmallOnesComeBackAsTheyWere) {
  EXPECT_TRUE(decode_committed(body_of(encode(Committed{}, samples::numbers))));
  const auto alive = decode_alive(body_of(encode(samples::alive(), samples::numbers)));
  ASSERT_TRUE(alive);
  EXPECT_EQ(alive->count, 12345U);
  EXPECT_EQ(alive->generation, Generation{7});
  EXPECT_EQ(alive->guest, GuestHere::runs);
  const auto progress = decode_progress(body_of(encode(samples::progress(), samples::numbers)));
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->sent_pages, 1000U);
  EXPECT_EQ(progress->remaining_pages, 130072U);
  const auto attach = decode_attach(body_of(encode(samples::attach(), samples::numbers)));
  ASSERT_TRUE(attach);
  EXPECT_EQ(attach->session, samples::token());
  const auto state =
      decode_device_state(body_of(encode(samples::device_state(), samples::numbers)));
  ASSERT_TRUE(state);
  EXPECT_EQ(state->bytes, 81920U);
  EXPECT_EQ(state->hash, samples::device_state().hash);
  const auto commit = decode_commit(body_of(encode(samples::commit(), samples::numbers)));
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->pages, 300U);
  EXPECT_EQ(commit->zero_pages, 44U);
  EXPECT_EQ(commit->digest, 0x0102030405060708U);
  EXPECT_EQ(commit->device_bytes, 81920U);
}

// Asks the decoder of a kind whether it takes this body, and for the error's word if not.
std::string verdict(const std::string& kind, ByteView body) {
  const MemoryLayout layout = samples::agreement().layout;
  const auto word = [](const auto& result) { return result ? "" : result.error().word; };
  if (kind.rfind("hello", 0) == 0) return word(decode_hello(body));
  if (kind == "welcome") return word(decode_welcome(body));
  if (kind == "refuse") return word(decode_refuse(body));
  if (kind == "committed") return word(decode_committed(body));
  if (kind == "goodbye") return word(decode_goodbye(body));
  if (kind == "guest_ended") return word(decode_guest_ended(body));
  if (kind == "alive") return word(decode_alive(body));
  if (kind == "progress") return word(decode_progress(body));
  if (kind == "attach") return word(decode_attach(body));
  if (kind == "handover") return word(decode_handover(body));
  if (kind == "loaded") return word(decode_loaded(body));
  if (kind == "load_failed") return word(decode_load_failed(body));
  if (kind == "go") return word(decode_go(body));
  if (kind == "cancel") return word(decode_cancel(body));
  if (kind == "took_over") return word(decode_took_over(body));
  if (kind == "pages") return word(decode_pages(body, layout));
  if (kind == "device_state") return word(decode_device_state(body));
  if (kind == "commit") return word(decode_commit(body));
  if (kind == "replica_runs") return word(decode_replica_runs(body));
  if (kind == "replica_lost") return word(decode_replica_lost(body));
  if (kind == "ask") return word(decode_ask(body));
  if (kind == "mode") return word(decode_mode(body));
  if (kind.rfind("flows", 0) == 0) return word(decode_flows(body));
  ADD_FAILURE() << "no decoder for " << kind;
  return {};
}

TEST(Messages, ABodyThatIsTooShortOrTooLongIsRefused) {
  for (const auto& [kind, frame] : samples::frames()) {
    if (kind == "device_chunk") continue;  // any bytes are one
    if (kind == "packets") continue;       // one that ends behind a packet is whole
    Bytes body = body_of(frame);
    EXPECT_EQ(verdict(kind, body), "") << kind;
    for (std::size_t length = 0; length < body.size(); ++length) {
      ASSERT_EQ(verdict(kind, ByteView(body).first(length)), "bad-body") << kind << " " << length;
    }
    body.push_back(std::byte{0});
    EXPECT_EQ(verdict(kind, body), "bad-body") << kind;
  }
}

TEST(Messages, AgreementsAtTheirLimitsFitAControlFrame) {
  Hello hello{std::string(text_bytes_max, 'h'), std::string(text_bytes_max, 'r'), {}, {}};
  hello.agreement = {
      std::string(text_bytes_max, 'g'),
      std::string(text_bytes_max, 'm'),
      std::string(text_bytes_max, 'v'),
      std::string(text_bytes_max, 'a'),
      MemoryLayout(regions_max, {std::string(region_name_bytes_max, 'n'), region_pages_max, true}),
      ~std::uint64_t{0}};
  hello.held = Held{std::string(text_bytes_max, 'p'), samples::token(), {1}, {0}, {}};
  for (PageIndex i = 0; i < held_ranges_max; ++i) hello.held->pages.push_back({255, 2 * i, 1});
  const Bytes frame = encode(hello, samples::numbers);
  EXPECT_LE(frame.size() - header_bytes, control_body_bytes_max);
  const auto decoded = decode_hello(body_of(frame));
  ASSERT_TRUE(decoded) << decoded.error().text();
  expect_equal(decoded->agreement, hello.agreement);
}

TEST(Messages, ALayoutCannotOverflowACount) {
  EXPECT_LE(region_pages_max, ~std::uint64_t{0} / page_bytes / regions_max);
}

// The body of a hello with an empty agreement up to its region count.
Bytes hello_until_regions() {
  Bytes body;
  ByteWriter out(body);
  for (int text = 0; text < 6; ++text) out.text("x", 1);
  out.integer(std::uint64_t{1});
  return body;
}

TEST(Messages, MoreRegionsOrPagesThanTheirBoundAreRefusedByName) {
  Bytes body = hello_until_regions();
  ByteWriter(body).integer(static_cast<std::uint16_t>(regions_max + 1));
  EXPECT_EQ(decode_hello(body).error().text(), "bad-body: hello: region count: 257, at most 256");
  body = hello_until_regions();
  ByteWriter out(body);
  out.integer(std::uint16_t{1});
  out.text("ram", 3);
  out.integer(region_pages_max + 1);
  out.flag(true);
  EXPECT_EQ(decode_hello(body).error().text(),
            "bad-body: hello: region pages: 1099511627777, at most 1099511627776");
}

TEST(Messages, ATextPastItsBoundIsRefusedByName) {
  Bytes body;
  ByteWriter out(body);
  out.integer(static_cast<std::uint16_t>(text_bytes_max + 1));
  out.raw(Bytes(text_bytes_max + 1, std::byte{'x'}));
  out.flag(false);
  EXPECT_EQ(decode_goodbye(body).error().text(),
            "bad-body: goodbye: reason: 1025 bytes, at most 1024");
}

TEST(Messages, OurOwnLongTextIsCutAndItsControlCharactersAreReplaced) {
  const Goodbye goodbye{"line\nline\x1b[2J \xff " + std::string(2000, 'x'), false};
  const auto decoded = decode_goodbye(body_of(encode(goodbye, samples::numbers)));
  ASSERT_TRUE(decoded) << decoded.error().text();
  EXPECT_EQ(decoded->reason.size(), text_bytes_max);
  EXPECT_EQ(decoded->reason.substr(0, 18), "line?line?[2J ? xx");
}

TEST(Messages, APeersTextWithControlCharactersIsRefused) {
  Bytes body;
  ByteWriter out(body);
  out.integer(std::uint16_t{3});
  out.raw(Bytes{std::byte{'a'}, std::byte{0x1b}, std::byte{'b'}});
  out.flag(false);
  EXPECT_EQ(decode_goodbye(body).error().text(), "bad-body: goodbye: reason: not printable UTF-8");
}

TEST(Messages, AFlagIsNothingButNoughtAndOne) {
  Bytes body = body_of(encode(samples::goodbye(), samples::numbers));
  body.back() = std::byte{2};
  EXPECT_EQ(decode_goodbye(body).error().text(),
            "bad-body: goodbye: guest ends: 2 is neither 0 nor 1");
}

TEST(Messages, ACommitOfMoreZeroPagesThanPagesIsRefused) {
  const auto commit = decode_commit(body_of(encode(Commit{5, 6, 0, 0}, samples::numbers)));
  ASSERT_FALSE(commit);
  EXPECT_EQ(commit.error().text(), "bad-body: commit: zero pages: 6, at most 5");
}

TEST(Messages, NoGuestRunsInGenerationNought) {
  Bytes body = body_of(encode(Alive{1, {}, GuestHere::none}, samples::numbers));
  ASSERT_TRUE(decode_alive(body));
  body.back() = std::byte{1};
  EXPECT_EQ(decode_alive(body).error().text(), "bad-body: alive: guest: nobody owns generation 0");
  body.back() = std::byte{2};
  EXPECT_EQ(decode_alive(body)->guest, GuestHere::paused);
  body.back() = std::byte{3};
  EXPECT_EQ(decode_alive(body).error().text(), "bad-body: alive: guest: 3 says nothing");
}

TEST(Text, CleanTextIsUtf8WithoutControlCharacters) {
  for (const char* clean : {"", "alpha", "Z\xc3\xbcrich", "\xe2\x82\xac", "\xf0\x9f\x90\xa7"}) {
    EXPECT_TRUE(is_clean_text(clean)) << clean;
    EXPECT_EQ(clean_text(clean, 100), clean);
  }
  for (const char* unclean : {"\t", "\x7f", "\x80", "\xc0\x80", "\xc2\x85", "\xc3", "\xe0\x80\x80",
                              "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(is_clean_text(unclean)) << testing::PrintToString(unclean);
    EXPECT_TRUE(is_clean_text(clean_text(unclean, 100)));
  }
}

TEST(Text, ACutNeverSplitsACharacter) {
  EXPECT_EQ(clean_text("a\xe2\x82\xac", 3), "a");
  EXPECT_EQ(clean_text("a\xe2\x82\xac", 4), "a\xe2\x82\xac");
}

TEST(Agreement, EqualOnesHaveNoDifference) {
  EXPECT_EQ(difference(samples::agreement(), samples::agreement()), "");
}

TEST(Agreement, EachFieldThatDiffersIsNamedWithBothValues) {
  const auto told = [](auto change) {
    Agreement theirs = samples::agreement();
    change(theirs);
    return difference(samples::agreement(), theirs);
  };
  EXPECT_EQ(told([](Agreement& a) { a.guest_name = "mail"; }),
            "guest name differs: ledger here, mail there");
  EXPECT_EQ(told([](Agreement& a) { a.machine = "pc-i440fx-7.2"; }),
            "machine type differs: pc-q35-7.2 here, pc-i440fx-7.2 there");
  EXPECT_EQ(told([](Agreement& a) { a.guest_version = "8.0.0"; }),
            "guest version differs: 7.2.22 here, 8.0.0 there");
  EXPECT_EQ(told([](Agreement& a) { a.accelerator = ""; }),
            "accelerator differs: tcg here, (none) there");
  EXPECT_EQ(told([](Agreement& a) { a.layout.pop_back(); }),
            "number of memory regions differs: 2 here, 1 there");
  EXPECT_EQ(told([](Agreement& a) { a.layout[0].pages = 65536; }),
            "memory region 0 differs: ram of 131072 pages here, ram of 65536 pages there");
  EXPECT_EQ(told([](Agreement& a) { a.layout[1].name = "vram"; }),
            "memory region 1 differs: vga.vram of 4096 pages (not mapped) here, vram of 4096 pages "
            "(not mapped) there");
  EXPECT_EQ(told([](Agreement& a) { a.layout[1].mapped = true; }),
            "memory region 1 differs: vga.vram of 4096 pages (not mapped) here, vga.vram of 4096 "
            "pages there");
  EXPECT_EQ(told([](Agreement& a) { a.config_hash = 255; }),
            "configuration hash differs: 1122334455667788 here, 00000000000000ff there");
}

}  // namespace
}  // namespace colo::wire
