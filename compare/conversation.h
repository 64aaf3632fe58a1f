// What one flow of the primary's guest said and what the replica's guest said in it, since one cut.
//
// A conversation decides which of the primary's frames may leave because the replica has said the
// same. It forgets nothing of the primary that it holds; the replica's surplus is bounded by the
// comparator, which gives the conversation up at a bound: then its frames wait for the checkpoint.
//
// Role: the interface of compare/tcp_conversation.h and compare/datagram_conversation.h.
// Threads: none. Errors: none; a difference is a result.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "compare/frame.h"
#include "compare/packet.h"

namespace colo::compare {

// Why a checkpoint is asked for. differ_*: the guests said different things in one flow.
enum class Reason : std::uint8_t {
  differ_payload,  // other bytes
  differ_event,    // another end or begin of a connection
  silence,         // one side said what the other did not say in time
  fragments,       // a datagram of which pieces are missing for too long
  surplus,         // the replica said more than may be kept
  held,            // more frames of a flow, or of all, wait than may
  flows,           // more flows than may be followed
};
inline constexpr std::size_t reasons = 7;
[[nodiscard]] const char* word(Reason reason);

// A frame of the primary that waits in the hold queue; a reassembled datagram is several of them.
struct Held {
  FrameId id;
  std::vector<FrameId> more;
  Instant since{};
  Said said;
  Frame frame;
  std::size_t life = 0;  // TcpConversation's
  [[nodiscard]] ByteView content() const {
    return ByteView(*frame).subspan(said.content, said.size());
  }
};

struct Load {
  std::size_t packets = 0;
  std::size_t bytes = 0;
};

class Conversation {
 public:
  virtual ~Conversation() = default;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void primary(Held held);
  void secondary(const Said& said, ByteView content, Instant now);
  // Appends the frames that may leave now, in the order they were sent. A reason: the guests
  // differ, and the conversation gave itself up.
  std::optional<Reason> settle(std::vector<FrameId>& leave);
  // Nothing more is compared here: the primary's frames wait for the checkpoint.
  void give_up();
  [[nodiscard]] bool given_up() const { return given_up_; }

  // Since when the oldest frame waits for the replica, or the replica's oldest word for the
  // primary.
  [[nodiscard]] std::optional<Instant> waiting_since() const;
  [[nodiscard]] Load held() const { return {held_.size(), held_bytes_}; }
  [[nodiscard]] Load surplus() const { return surplus_; }

  // Nothing waits here, and probably nothing more will be said: this can be put away, and begun
  // again as its successor(), at any time.
  [[nodiscard]] bool at_rest() const { return !given_up_ && held_.empty() && over(); }
  // The same conversation behind a checkpoint that holds all the primary has said here; null: what
  // comes then does not depend on it.
  [[nodiscard]] virtual std::unique_ptr<Conversation> successor() const = 0;

 protected:
  Conversation() = default;

  enum class Verdict : std::uint8_t { leave, wait, differ_payload, differ_event };
  // Also called after give_up(), for what the next conversation must know.
  virtual void note_primary(Held& held) = 0;
  virtual void note_secondary(const Said& said, ByteView content, Instant now) = 0;
  virtual Verdict judge(const Held& held) = 0;
  // The two can't become equal any more, whatever frame is first.
  [[nodiscard]] virtual bool contradict() const { return false; }
  [[nodiscard]] virtual std::optional<Instant> unanswered_since() const = 0;
  [[nodiscard]] virtual bool over() const { return false; }
  virtual void forget_surplus() = 0;

  Load surplus_;

 private:
  std::deque<Held> held_;
  std::size_t held_bytes_ = 0;
  bool given_up_ = false;
};

}  // namespace colo::compare
