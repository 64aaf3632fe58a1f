#include "tests/sim/gate.h"

#include <utility>

#include "tests/sim/frames.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

primary::CheckpointReason reason_of(compare::Reason reason) {
  switch (reason) {
    case compare::Reason::differ_payload:
    case compare::Reason::differ_event:
      return primary::CheckpointReason::different;
    case compare::Reason::silence:
    case compare::Reason::fragments:
      return primary::CheckpointReason::silence;
    default:
      return primary::CheckpointReason::full;
  }
}

}  // namespace

Gate::Gate(World& world, std::size_t host)
    : world_(world),
      host_(host),
      queue_(world.settings.hold),
      comparator_(world.settings.compare) {}

// --- as in periodic mode -------------------------------------------------------------------------

void Gate::open(std::shared_ptr<SimGuest> inside) {
  if (inside != last_inside_.lock())
    rewriter_.reset();  // one that was closed meanwhile keeps its own
  last_inside_ = inside;
  inside_ = std::move(inside);
  who_ = Who::guest;
  pump();
}

void Gate::close() {
  inside_.reset();
  who_ = Who::nobody;
  sent_.clear();
  close_inbox();
}

bool Gate::read() {
  if (!inside_ || (who_ == Who::replica && replica_held_)) return false;
  auto& outbox = inside_->outbox();
  while (!outbox.empty() && !queue_.full()) {
    Bytes frame = std::move(outbox.front());
    outbox.pop_front();
    from_guest(std::move(frame));
    pump();
  }
  judged();
  return queue_.full() && !std::exchange(stuffed_, queue_.full());
}

void Gate::from_guest(Bytes frame) {
  if (rewriter_ && !rewriter_->outbound(0, frame, world_.queue.now())) return;
  if (who_ == Who::guest) return push(std::move(frame));
  sent_.push_back({replica_, std::move(frame)});
  world_.queue.after({}, static_cast<int>(host_), [this] { pass_sent(); });
  if (rewriter_->full()) world_.engine(host_)->replica_asks(replica_);
  give_waiting();
}

void Gate::push(Bytes bytes) {
  const auto frame = std::make_shared<const Bytes>(std::move(bytes));
  const compare::FrameId id = queue_.push(0, frame, world_.queue.now());
  if (comparing_ != Comparing::yes) return;
  comparator_.primary_sent(id, 0, frame, world_.queue.now());
  const bool pure = is_tcp(*frame) && words_of(*frame).point == 0;
  if (world_.mutation == Mutation::acknowledgement_released_early && pure) queue_.release_one(id);
}

void Gate::hold(Epoch open) {
  pump();
  queue_.hold();
  queue_.open(open);
  if (comparing_ != Comparing::no) {
    comparator_.reset();  // the numbers of a session begin again
    comparator_.cut(open);
    comparing_ = Comparing::yes;
  }
  new_epoch();
}

void Gate::cut(Epoch next) {
  if (inside_ && who_ == Who::guest) {
    for (auto& outbox = inside_->outbox(); !outbox.empty(); outbox.pop_front()) {
      from_guest(std::move(outbox.front()));
    }
  }
  queue_.open(next);
  if (comparing_ != Comparing::no) {
    comparator_.cut(next);
    comparing_ = Comparing::yes;
  }
  new_epoch();
  pump();
  judged();
}

// The incarnation of this epoch is told what connections it will find.
void Gate::new_epoch() {
  const bool survivor = rewriter_ && who_ == Who::guest;
  if (comparing_ != Comparing::yes && !survivor) return;
  const Bytes flows = rewriter_ ? rewriter_->export_table() : Bytes();
  world_.queue.after({}, static_cast<int>(host_), [this, tag = queue_.open_epoch(), flows] {
    world_.engine(host_)->epoch_began(tag, flows);
  });
}

void Gate::release_all() {
  queue_.release_all();
  compare_not();
  pump();
}

void Gate::release(Epoch up_to) {
  queue_.release(up_to);
  if (comparing_ != Comparing::no) comparator_.committed(up_to);
  pump();
  judged();
}

void Gate::drop_held() {
  compare_not();
  queue_.drop_all();
  stuffed_ = false;
}

void Gate::pump() {
  if (comparing_ == Comparing::yes) {
    while (const auto id = comparator_.pop_released()) {
      if (queue_.release_one(*id)) world_.reach.mark(Mark::frame_released_by_comparison);
    }
  }
  if (who_ != Who::guest) return;
  while (const auto frame = queue_.pop_released()) {
    if (queue_.holding()) world_.reach.mark(Mark::frame_released_after_hold);
    world_.judge.spoke(host_, world_.generation_of(host_), words_of(*frame->frame),
                       queue_.holding());
    world_.to_clients(*frame->frame);
  }
  if (!queue_.full()) stuffed_ = false;
}

void Gate::outside(const Bytes& frame) {
  if (who_ != Who::guest || !inside_) return;
  if (comparing_ == Comparing::yes) {
    world_.queue.after({}, static_cast<int>(host_), [this, tag = queue_.open_epoch(), frame] {
      world_.engine(host_)->inbound(tag, frame);
    });
  }
  to_guest(frame);
}

void Gate::to_guest(Bytes frame) {
  if (rewriter_) rewriter_->inbound(0, frame, world_.queue.now());
  (void)inside_->receive(std::move(frame));
}

// --- comparing -----------------------------------------------------------------------------------

void Gate::compare() {
  comparator_.reset();
  comparing_ = Comparing::from_next_cut;
}

void Gate::compare_not() {
  comparator_.reset();
  comparing_ = Comparing::no;
}

void Gate::replica_runs(Epoch tag) {
  if (comparing_ == Comparing::yes) comparator_.replica_runs(tag, world_.queue.now());
  judged();
}

void Gate::replica_frame(Epoch tag, const Bytes& frame) {
  if (comparing_ != Comparing::yes) return;
  comparator_.secondary_sent(tag, 0, frame, world_.queue.now());
  pump();
  judged();
}

void Gate::judged() {
  if (comparing_ != Comparing::yes) return;
  while (const auto ask = comparator_.take_ask()) {
    world_.queue.after({}, static_cast<int>(host_),
                       [this, tag = queue_.open_epoch(), reason = reason_of(ask->reason)] {
                         world_.engine(host_)->checkpoint_wanted(tag, reason);
                       });
  }
  arm();
}

void Gate::arm() {
  const auto due = comparator_.deadline();
  if (!due || (armed_ && *armed_ <= *due)) return;
  armed_ = *due;
  world_.queue.add(*due, static_cast<int>(host_), [this] {
    armed_.reset();
    if (comparing_ == Comparing::yes) comparator_.expire(world_.queue.now());
    judged();
  });
}

// --- a replica -----------------------------------------------------------------------------------

Result<void> Gate::open_replica(Epoch tag, std::shared_ptr<SimGuest> inside, ByteView flows) {
  compare::Rewriter rewriter{compare::RewriterLimits{}};
  if (auto read = rewriter.import_table(flows, world_.queue.now()); !read) return read;
  rewriter_ = std::move(rewriter);
  last_inside_ = inside;
  inside_ = std::move(inside);
  who_ = Who::replica;
  replica_ = tag;
  replica_held_ = false;
  close_inbox();
  running_ = tag;
  std::deque<Later> later = std::exchange(later_, {});
  for (Later& one : later) {
    if (one.tag > tag) {
      later_.push_back(std::move(one));
    } else if (one.tag == tag) {
      now_.push_back(std::move(one.frame));
    }
  }
  give_waiting();
  return {};
}

void Gate::close_replica() {
  close();
  rewriter_.reset();
}

void Gate::close_inbox() {
  if (running_ && !foreign_) over_ = std::max(over_, *running_);
  running_.reset();
  now_.clear();
  foreign_ = false;
}

// In their order; an answer to what the replica has not said yet waits for that, or a little.
void Gate::give_waiting() {
  while (inside_ && !now_.empty()) {
    const Instant now = world_.queue.now();
    if (who_ == Who::replica) {
      if (const auto until = rewriter_->early(0, now_.front(), now)) {
        world_.reach.mark(Mark::answer_waits);
        world_.queue.add(*until, static_cast<int>(host_), [this] { give_waiting(); });
        return;
      }
    }
    Bytes frame = std::move(now_.front());
    now_.pop_front();
    to_guest(std::move(frame));
  }
}

void Gate::deliver(Epoch tag, const Bytes& frame) {
  if (who_ == Who::guest) return;  // it has taken over: its frames come from the network
  if (tag <= over_ || (running_ && !foreign_ && tag < *running_)) return;
  if (behind_) return;
  const std::size_t waiting = inside_ ? inside_->waiting() : 0;
  if (later_.size() + now_.size() + waiting >= world_.settings.inbox) {
    // One that is held compares with nobody: lost as a network loses them.
    if (who_ == Who::replica && replica_held_) return;
    behind_ = true;
    world_.queue.after({}, static_cast<int>(host_),
                       [this] { world_.engine(host_)->replica_behind(); });
  } else if (tag == running_) {
    now_.push_back(frame);
    give_waiting();
  } else {
    later_.push_back({tag, frame});
  }
}

void Gate::forget_inbound() {
  later_.clear();
  over_ = {};
  foreign_ = running_.has_value();
  behind_ = false;
}

// What the replica said is on its way in its order.
void Gate::pass_sent() {
  if (who_ != Who::replica || sent_.empty()) return;
  const Later next = std::move(sent_.front());
  sent_.pop_front();
  world_.engine(host_)->replica_sent(next.tag, next.frame);
}

void Gate::take_over() {
  who_ = Who::guest;
  release_all();
  running_.reset();  // what came for it is still given
  forget_inbound();
  // Rewritten as they came, so in front of what the rewriter says from now on.
  for (Later& one : std::exchange(sent_, {})) push(std::move(one.frame));
  rewriter_->takeover();
  give_waiting();
  pump();
}

}  // namespace colo::sim
