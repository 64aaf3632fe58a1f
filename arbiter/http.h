// One HTTP request, with a bound on its time and on its answer's size. By libcurl.
//
// Each request has a connection of its own: claims are rare, and an old connection may be dead
// without having been told. No proxy of the environment, no redirect, no cookie.
// Errors: "arbiter-unreachable" (no answer), "arbiter-tls" (the other side is not who it must be,
// or
//   we are not for it), "arbiter-garbled" (an answer beyond its bound).
// Threads: any; blocks for as long as the bound says.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace colo::arbiter {

struct HttpRequest {
  std::string url;
  std::string body;           // JSON
  std::string authorization;  // the head's line of that name; empty: none
  std::filesystem::path ca, cert, key;
  Duration timeout{};
  std::size_t answer_bytes_max = 0;
};

struct HttpAnswer {
  int status = 0;
  std::string body;
};

[[nodiscard]] Result<HttpAnswer> http_post(const HttpRequest& request);

}  // namespace colo::arbiter
