// Errors are a product: an operator reads them at 3 a.m.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace colo {

// word: one lower-case-with-dashes word for programs, tests and grep ("wrong-key").
// reason: what happened, with names and numbers. remedy: what to do; empty when there is nothing.
struct Error {
  std::string word;
  std::string reason;
  std::string remedy = {};
  [[nodiscard]] std::string text() const {
    std::string all = word + ": " + reason;
    if (!remedy.empty()) all += " (" + remedy + ")";
    return all;
  }
};

// std::expected of C++23, as tl::expected until the compilers of Debian have it.
template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(std::string word, std::string reason,
                                                std::string remedy = {}) {
  return tl::unexpected<Error>(Error{std::move(word), std::move(reason), std::move(remedy)});
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace colo
