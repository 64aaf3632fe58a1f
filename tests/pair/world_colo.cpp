// COLO mode: the replica, and what compares. The comparator is the real one; a frame carries a
// point of the story, and two guests that were told the same go the same way.

#include "tests/pair/world.h"

namespace colo::pair {

using std::chrono::milliseconds;

// --- alpha ---------------------------------------------------------------------------------------

void World::execute(const primary::StartComparing&) {
  on_guest({}, [this] { comparing_ = true; });
}

void World::execute(const primary::StopComparing&) {
  on_guest({}, [this] {
    comparing_ = false;
    comparator_.reset();
  });
}

void World::execute(const primary::TellMode& action) {
  tell_beta(action.session.value,
            secondary::ModeTold{{action.session.value}, action.from, action.colo});
}

void World::compare() {
  if (comparing_) {
    if (const auto due = comparator_.deadline(); due && *due <= now_) comparator_.expire(now_);
  }
  while (const auto id = comparator_.pop_released()) queue_.release_one(*id);
  pump();
  if (const auto ask = comparator_.take_ask()) {
    const bool silence = ask->reason == compare::Reason::silence;
    const primary::CompareAsked asked{
        {session_.number},
        queue_.open_epoch(),
        silence ? primary::CheckpointReason::silence : primary::CheckpointReason::different};
    later({}, Host::alpha, [this, asked] { feed(primary::Event(asked)); });
  }
}

// --- beta ----------------------------------------------------------------------------------------

void World::execute(const secondary::RunReplica& action) {
  if (!standby_private_) judge_.broken("L2", "a replica runs on the memory of the checkpoint");
  if (replica_.guest) judge_.broken("L4", "two replicas run");
  struck_ = true;
  replica_ = Replica{nullptr, action.epoch, replica_.life + 1, false, false, session_.number, true};
  later(milliseconds(2), Host::beta, [this, life = replica_.life] {
    if (life != replica_.life) return;
    replica_.starts = false;
    if (replicas_to_fail_ > 0 || !standby_alive_) {
      if (replicas_to_fail_ > 0) --replicas_to_fail_;
      struck_ = false;  // not one instruction: its checkpoint is as good as before
      const Error error{"run-failed", "QEMU did not go on", ""};
      feed(secondary::Event(secondary::ReplicaFailed{error}));
      return;
    }
    replica_.guest = std::make_unique<GuestModel>();
    replica_.guest->memory = standby_memory_;
    replica_.guest->point = loaded_point_;
    standby_alive_ = false;  // its place is empty
    judge_.replica_is_at(replica_.guest->point);
    later(options_.guest_step, Host::beta, [this, life] { replica_step(life); });
    feed(secondary::Event(secondary::ReplicaRuns{}));
  });
}

void World::replica_step(std::uint64_t life) {
  if (life != replica_.life || !replica_.guest) return;
  later(options_.guest_step, Host::beta, [this, life] { replica_step(life); });
  const bool linked = session_.open_secondary && session_.number == replica_.session;
  if (!linked) replica_.differs = true;  // it hears nothing of what clients say
  const Point point = replica_.guest->step(story_, !replica_.differs);
  if (options_.wrong_replica_writes_the_file) standby_memory_ = replica_.guest->memory;
  judge_.replica_is_at(point);
  if (!linked || replica_.holds) return;
  const std::uint64_t session = session_.number;
  send(Host::alpha, [this, session, tag = replica_.epoch.next(), frame = encode_frame(point)] {
    if (session != session_.number || !session_.open_primary || !comparing_) return;
    comparator_.secondary_sent(tag, 0, frame, now_);
    compare();
  });
}

void World::execute(const secondary::EndReplica&) {
  lose_replica();
  const std::uint64_t life = replica_.life;
  later(milliseconds(1), Host::beta, [this, life] {
    if (life != replica_.life) return;
    feed(secondary::Event(secondary::ReplicaEnded{{"ended", "it was replaced", ""}}));
  });
}

void World::execute(const secondary::HoldReplica&) { replica_.holds = true; }

void World::execute(const secondary::TellReplicaRuns& action) {
  tell_alpha(action.session.value, primary::ReplicaRuns{{action.session.value}, action.epoch});
}

void World::execute(const secondary::TellReplicaLost& action) {
  told_lost_ = true;
  tell_alpha(action.session.value, primary::ReplicaLost{{action.session.value}, action.error});
}

void World::end_replica() {
  if (!alive_[1] || !replica_.guest) return;
  lose_replica();
  if (ordered_) return;  // the takeover's Run is answered instead
  feed(secondary::Event(secondary::ReplicaEnded{{"replica-ended", "QEMU was killed", ""}}));
}

void World::replica_differs() { replica_.differs = true; }

void World::run_replica_on() {
  ordered_ = true;
  later(milliseconds(1), Host::beta, [this] {
    if (!replica_.guest) {
      ordered_ = false;
      feed(secondary::Event(secondary::LoadFailed{{"replica-ended", "QEMU was killed", ""}}));
      return;
    }
    taken_over_ = std::move(replica_.guest);
    ++replica_.life;
    if (options_.wrong_takeover_from_the_checkpoint) {
      taken_over_->point = loaded_point_;
    }
    judge_.resumed(taken_over_->point);
    later(options_.guest_step, Host::beta, [this] { taken_over_step(); });
    feed(secondary::Event(secondary::GuestRuns{}));
  });
}

}  // namespace colo::pair
