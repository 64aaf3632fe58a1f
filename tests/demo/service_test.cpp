// What the programs that load a service say.
#include "demo/service.h"

#include <gmock/gmock.h>

namespace colo::demo {
namespace {

using testing::Contains;

TEST(Redis, SaysItsFiguresInColumns) {
  const auto figures = parse_load(
      Service::redis,
      "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\","
      "\"p95_latency_ms\",\"p99_latency_ms\",\"max_latency_ms\"\n"
      "\"SET\",\"54054.05\",\"0.088\",\"0.032\",\"0.087\",\"0.119\",\"0.143\",\"0.311\"\n");
  ASSERT_TRUE(figures) << figures.error().text();
  EXPECT_EQ(figures->requests_per_second, 54054.05);
  EXPECT_EQ(figures->p50_ms, 0.087);
  EXPECT_EQ(figures->p99_ms, 0.143);
}

TEST(Http, SaysItsFiguresInWords) {
  const auto figures = parse_load(Service::http,
                                  "Running 2s test @ http://10.77.0.10:80/index.html\n"
                                  "  1 threads and 8 connections\n"
                                  "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n"
                                  "    Latency     1.50ms    1.00ms   9.00ms   90.00%\n"
                                  "    Req/Sec     1.00k    10.00     1.10k    80.00%\n"
                                  "  Latency Distribution\n"
                                  "     50%  512.00us\n"
                                  "     75%    1.00ms\n"
                                  "     90%    2.00ms\n"
                                  "     99%    1.25s \n"
                                  "  2000 requests in 2.00s, 1.00MB read\n"
                                  "  Socket errors: connect 0, read 3, write 0, timeout 2\n"
                                  "  Non-2xx or 3xx responses: 4\n"
                                  "Requests/sec:   1000.50\n"
                                  "Transfer/sec:    512.00KB\n");
  ASSERT_TRUE(figures) << figures.error().text();
  EXPECT_EQ(figures->requests_per_second, 1000.5);
  EXPECT_DOUBLE_EQ(figures->p50_ms, 0.512);
  EXPECT_DOUBLE_EQ(figures->p99_ms, 1250);
  EXPECT_EQ(figures->errors, 9U);
}

TEST(LoadOutput, ThatIsNoneIsRefused) {
  for (const Service service : {Service::redis, Service::http}) {
    for (const char* output :
         {"", "Could not connect to Redis\n", "unable to connect\n", "\"test\",\"rps\"\n",
          "\"test\",\"rps\"\n\"SET\",\"0.00\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\"\n",
          "50% 1ms\n"}) {
      const auto figures = parse_load(service, output);
      ASSERT_FALSE(figures) << output;
      EXPECT_EQ(figures.error().word, "unknown-output");
    }
  }
}

TEST(LoadCommand, AsksForAsManyRequestsAsFitIntoTheTime) {
  Load load{"10.77.0.10", 8, std::chrono::seconds(5), 0};
  EXPECT_THAT(load_command(Service::redis, load), Contains("100")) << "the rate is not known yet";
  load.expected_per_second = 1000;
  EXPECT_THAT(load_command(Service::redis, load), Contains("5000"));
  EXPECT_THAT(load_command(Service::http, load), Contains("5s"));
}

}  // namespace
}  // namespace colo::demo
