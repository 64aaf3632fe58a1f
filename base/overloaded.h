// A visitor of std::variant out of lambdas: std::visit(overloaded{[](A){}, [](B){}}, v).
#pragma once

namespace colo {

template <class... Ts>
struct overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;

}  // namespace colo
