// The steps of checkpoints and takeovers as lines of the log, at level trace: which phase an engine
// was in when something happened to it can be read there afterwards, also of an engine that died.
//
//   step: pass 12 | standstill 12 | sending 12 | awaiting 12 | acknowledged 12       (primary)
//   step: staged 12 | committed 12 | flushing | flushed 12 | loading | loaded | running (secondary)
//
// What is none of these steps leaves no line. Threads: the loop's.
#pragma once

#include "primary/events.h"
#include "secondary/events.h"

namespace colo::app {

// An event is told of before its step, an action before it is executed.
void trace_step(const primary::Event& event);
void trace_step(const primary::Action& action);
void trace_step(const secondary::Event& event);
void trace_step(const secondary::Action& action);

}  // namespace colo::app
