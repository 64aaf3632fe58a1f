#include "arbiter/http.h"

#include <curl/curl.h>

#include <array>
#include <memory>

namespace colo::arbiter {

namespace {

struct Received {
  std::string body;
  std::size_t most = 0;
  bool too_long = false;
};

std::size_t receive(char* data, std::size_t, std::size_t count, void* user) {
  auto& received = *static_cast<Received*>(user);
  if (received.body.size() + count > received.most) {
    received.too_long = true;
    return 0;  // ends the transfer
  }
  received.body.append(data, count);
  return count;
}

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using Head = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

bool add_line(Head& head, const std::string& line) {
  curl_slist* longer = curl_slist_append(head.get(), line.c_str());
  if (longer == nullptr) return false;
  (void)head.release();
  head.reset(longer);
  return true;
}

// False: out of memory, or a libcurl without one of these.
bool prepare(CURL* handle, const HttpRequest& request, Received& received, char* trouble,
             const curl_slist* head) {
  const auto path = [&](CURLoption option, const std::filesystem::path& file) {
    return file.empty() || curl_easy_setopt(handle, option, file.c_str()) == CURLE_OK;
  };
  const auto milliseconds = static_cast<long>(
      std::chrono::duration_cast<std::chrono::milliseconds>(request.timeout).count());
  bool good = curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str()) == CURLE_OK;
  const auto number = [&](CURLoption option, long value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  const auto text = [&](CURLoption option, const char* value) {
    good = good && curl_easy_setopt(handle, option, value) == CURLE_OK;
  };
  number(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
  text(CURLOPT_POSTFIELDS, request.body.c_str());
  good = good && curl_easy_setopt(handle, CURLOPT_HTTPHEADER, head) == CURLE_OK;
  // Zero would mean no bound at all.
  number(CURLOPT_TIMEOUT_MS, std::max(1L, milliseconds));
  number(CURLOPT_NOSIGNAL, 1);
  number(CURLOPT_QUICK_EXIT, 1);  // does not wait for a name server at the end of its time
  text(CURLOPT_PROTOCOLS_STR, "http,https");
  text(CURLOPT_PROXY, "");
  number(CURLOPT_FORBID_REUSE, 1);
  number(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  good = good && path(CURLOPT_CAINFO, request.ca) && path(CURLOPT_SSLCERT, request.cert) &&
         path(CURLOPT_SSLKEY, request.key);
  text(CURLOPT_ERRORBUFFER, trouble);
  good = good && curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &receive) == CURLE_OK;
  return good && curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received) == CURLE_OK;
}

// With TLS 1.3 a server that refuses our certificate says so by an alert behind the handshake.
bool is_alert(CURLcode code, const std::string& detail) {
  return (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR) &&
         detail.find("alert") != std::string::npos;
}

Error error_of(CURLcode code, const std::string& detail, const HttpRequest& request) {
  const std::string what =
      request.url.substr(0, request.url.find('/', request.url.find("//") + 2)) + ": " + detail;
  switch (is_alert(code, detail) ? CURLE_SSL_CONNECT_ERROR : code) {
    case CURLE_OPERATION_TIMEDOUT:
      return {"arbiter-unreachable", what,
              "see that etcd runs there, and a majority of its members: `etcdctl endpoint health`"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
      return {"arbiter-tls", what,
              "see `ca`, `cert` and `key` of [arbiter], and that the server's certificate names "
              "this address"};
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
      return {"arbiter-unreachable", what,
              "see that etcd runs there and that no firewall is between"};
    default:
      // Where the server's reset is faster than its alert.
      return {"arbiter-unreachable", what,
              request.url.starts_with("https://")
                  ? "see that etcd runs there; one that refuses our `cert` also ends like this"
                  : "see that it is etcd that runs there"};
  }
}

}  // namespace

Result<HttpAnswer> http_post(const HttpRequest& request) {
  static const bool started = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  const Handle handle(curl_easy_init(), &curl_easy_cleanup);
  Head head(nullptr, &curl_slist_free_all);
  bool good = started && handle && add_line(head, "Content-Type: application/json");
  // No "Expect: 100-continue": that would be one more round trip.
  good = good && add_line(head, "Expect:");
  if (!request.authorization.empty()) {
    good = good && add_line(head, "Authorization: " + request.authorization);
  }
  Received received{{}, request.answer_bytes_max, false};
  std::array<char, CURL_ERROR_SIZE> trouble{};
  if (!good || !prepare(handle.get(), request, received, trouble.data(), head.get())) {
    return fail("arbiter-unreachable", "libcurl cannot make a request",
                "see that libcurl 7.87 or newer with TLS is installed");
  }
  const CURLcode code = curl_easy_perform(handle.get());
  if (received.too_long) {
    return fail("arbiter-garbled", request.url + ": the answer is too long to be etcd's",
                "see that the endpoint is an etcd");
  }
  if (code != CURLE_OK) {
    const std::string detail = trouble.front() != '\0' ? trouble.data() : curl_easy_strerror(code);
    return fail(error_of(code, detail, request));
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  return HttpAnswer{static_cast<int>(status), std::move(received.body)};
}

}  // namespace colo::arbiter
