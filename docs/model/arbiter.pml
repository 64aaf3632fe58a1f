/* heartbeat/arbiter.h and what implements it: one atomic step per claim, repeatable by its owner.
 * An arbiter that is down or cut from one side is one that is late; an answer that is lost, or
 * comes after the asker gave up, is one that is asked for again: the host stays in its claiming
 * state and sends the same claim. */

/* Whom the claim of h is for, and whether that is the run of it that lives. */
#define claims_for_peer(h) (state[h] == GIVING_BACK)
#define named_by(h) (claims_for_peer(h) -> 1 - h : h)
#define named_run_lives(h) (claims_for_peer(h) -> knows_run[h] : 1)

inline grows_old(number) { if :: number < OLDER -> number++ :: else fi }

/* What is not in use stays as it is, or there would be more states for nothing. */
inline grow_old(h) {
  if :: kept[h] != NONE -> grows_old(kept_in[h]) :: else fi;
  if :: hello[h] != NO_HELLO -> grows_old(offered[h]) :: else fi
}

inline answer(h) {
  if
  :: generation[h] == NEWEST ->
       generation[h]++;
       grows_old(generation[1 - h]);
       grow_old(0); grow_old(1);
       if
       :: state[1 - h] == JOINING || state[1 - h] == SUSPECTING -> grows_old(welcomed[1 - h])
       :: else
       fi;
       previous_speaker = speaker; speaker = NOBODY;
       owner = named_by(h); owner_runs = named_run_lives(h);
       claim[h] = WON
  :: generation[h] == PREVIOUS && owner == named_by(h) && owner_runs == named_run_lives(h) ->
       claim[h] = WON  /* an earlier try of this very claim */
  :: else -> claim[h] = NOT_WON
  fi
}

proctype arbiter() {
end:
  do
  :: d_step { claim[0] == SENT -> answer(0) }
  :: d_step { claim[1] == SENT -> answer(1) }
  :: d_step { !calm && claim[0] >= WON -> claim[0] = SENT }
  :: d_step { !calm && claim[1] >= WON -> claim[1] = SENT }
  :: d_step { !calm -> calm = 1 }  /* and the world is calm from here on */
  od
}
