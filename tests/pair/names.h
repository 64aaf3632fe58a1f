// States, events and actions of both cores as words, for traces and golden scenarios.
#pragma once

#include <string>
#include <vector>

#include "primary/core.h"
#include "secondary/core.h"

namespace colo::pair {

std::string name_of(const primary::State& state);
std::string name_of(const primary::Event& event);
std::string names_of(const std::vector<primary::Action>& actions);
std::string name_of(const secondary::State& state);
std::string name_of(const secondary::Event& event);
std::string names_of(const std::vector<secondary::Action>& actions);

}  // namespace colo::pair
