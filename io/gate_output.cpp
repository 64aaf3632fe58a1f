#include "io/gate_output.h"

#include <utility>

namespace colo::io {

void GateOutput::hold(Epoch open) {
  held_.hold();
  held_.open(open);
  if (state_ == State::off) return;
  comparator_.reset();  // the numbers of a session begin again
  comparator_.cut(open);
  state_ = State::on;
}

void GateOutput::cut(Epoch next) {
  held_.open(next);
  if (state_ == State::off) return;
  comparator_.cut(next);
  state_ = State::on;
}

// What the commit releases leaves in front of what is released behind it: those frames were pushed
// first.
void GateOutput::release(Epoch up_to) {
  held_.release(up_to);
  if (state_ == State::off) return;
  comparator_.committed(up_to);
  settle();
}

void GateOutput::release_all() {
  held_.release_all();
  compare_not();
}

std::size_t GateOutput::drop_all() {
  compare_not();
  return held_.drop_all();
}

void GateOutput::compare() {
  comparator_.reset();
  state_ = State::from_next_cut;
}

void GateOutput::compare_not() {
  comparator_.reset();
  state_ = State::off;
}

void GateOutput::push(std::uint32_t port, Bytes frame, Instant now) {
  const auto shared = std::make_shared<const Bytes>(std::move(frame));
  const compare::FrameId id = held_.push(port, shared, now);
  if (state_ != State::on) return;
  comparator_.primary_sent(id, port, shared, now);
  settle();
}

void GateOutput::replica_runs(Epoch tag, Instant now) {
  if (state_ == State::on) comparator_.replica_runs(tag, now);
}

void GateOutput::replica_said(Epoch tag, std::uint32_t port, ByteView frame, Instant now) {
  if (state_ != State::on) return;
  comparator_.secondary_sent(tag, port, frame, now);
  settle();
}

void GateOutput::expire(Instant now) {
  if (state_ == State::on) comparator_.expire(now);
}

std::optional<Instant> GateOutput::deadline() const {
  if (state_ != State::on) return std::nullopt;
  return comparator_.deadline();
}

std::optional<compare::Ask> GateOutput::take_ask() { return comparator_.take_ask(); }

void GateOutput::settle() {
  while (const auto id = comparator_.pop_released()) held_.release_one(*id);
}

}  // namespace colo::io
