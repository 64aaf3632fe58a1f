// One round: from nothing to a protected guest, through a fault, to the judgement.
#pragma once

#include "demo/interrupt.h"
#include "demo/options.h"
#include "demo/report.h"
#include "demo/story.h"

namespace colo::demo {

// A round that could not be played to its end has a check that says why, and did not pass.
// `number` counts from 1. REQUIRES: called from the main thread.
[[nodiscard]] RoundReport play_round(const Options& options, std::uint32_t number,
                                     Interrupt& interrupt, Story& story);

}  // namespace colo::demo
