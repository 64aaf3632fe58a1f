#include "compare/conversation.h"

#include <algorithm>

namespace colo::compare {

const char* word(Reason reason) {
  switch (reason) {
    case Reason::differ_payload:
      return "different-payload";
    case Reason::differ_event:
      return "different-event";
    case Reason::silence:
      return "silence";
    case Reason::fragments:
      return "fragments";
    case Reason::surplus:
      return "full-surplus";
    case Reason::held:
      return "full-held";
    case Reason::flows:
      return "full-flows";
  }
  return "";
}

void Conversation::primary(Held held) {
  note_primary(held);
  if (given_up_) return;
  held_bytes_ += held.frame->size();
  held_.push_back(std::move(held));
}

void Conversation::secondary(const Said& said, ByteView content, Instant now) {
  if (!given_up_) note_secondary(said, content, now);
}

std::optional<Reason> Conversation::settle(std::vector<FrameId>& leave) {
  if (!given_up_ && contradict()) {
    give_up();
    return Reason::differ_event;
  }
  while (!held_.empty()) {
    const Held& first = held_.front();
    switch (judge(first)) {
      case Verdict::wait:
        return std::nullopt;
      case Verdict::differ_payload:
        give_up();
        return Reason::differ_payload;
      case Verdict::differ_event:
        give_up();
        return Reason::differ_event;
      case Verdict::leave:
        break;
    }
    leave.push_back(first.id);
    leave.insert(leave.end(), first.more.begin(), first.more.end());
    held_bytes_ -= first.frame->size();
    held_.pop_front();
  }
  return std::nullopt;
}

void Conversation::give_up() {
  given_up_ = true;
  held_.clear();
  held_bytes_ = 0;
  forget_surplus();
  surplus_ = {};
}

std::optional<Instant> Conversation::waiting_since() const {
  if (given_up_) return std::nullopt;
  const std::optional<Instant> unanswered = unanswered_since();
  if (held_.empty()) return unanswered;
  return unanswered ? std::min(*unanswered, held_.front().since) : held_.front().since;
}

}  // namespace colo::compare
