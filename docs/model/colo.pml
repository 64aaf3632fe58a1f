/* Ownership, commit, takeover, resume, switchover and giving back: two hosts, an arbiter, a link.
 *
 * Checked exhaustively, without a bound on the number of checkpoints, claims, generations or faults:
 * everything is kept relative (a generation to the newest one, a copy of the guest to what clients
 * have seen), so the states are finite. README.md says what is abstracted and which code each file
 * stands for; `tests/model/check.sh` runs it.
 *
 * This file holds what both roles share, the laws and the composition. A host's steps are in
 * primary.pml, secondary.pml and faults.pml, which are included into one loop per host: either host
 * may have either role.
 */

mtype:state = {
  /* primary */   SOLO, SYNCING, PROTECTED, RECONNECTING, CLAIMING, LOST, ENDED,
                  HANDING_SAVING, HANDING_LOADING, HANDING_CLAIMING,
  /* secondary */ JOINING, RECEIVING, STANDBY, SUSPECTING, CLAIMS, TAKING_OVER, FAILED, GIVING_BACK,
                  HANDED_LOADING, HANDED_LOADED,
  /* engine */    DOWN, GONE, WAITING };
mtype:message = { WELCOME_WHOLE, WELCOME_RESUMES, CHECKPOINT, ACK,
                  HANDOVER, LOADED, LOAD_FAILED, GO, CANCEL };

/* --- a copy of the guest, measured by what clients have seen --------------------------------------
 * BEHIND: clients have seen output that is not in its past, so nobody may go on from it (L1).
 * UP_TO_DATE: all that clients have seen is in its past. AHEAD: so is the output of the captured
 * checkpoint that is still held.
 */
#define NONE 0
#define BEHIND 1
#define UP_TO_DATE 2
#define AHEAD 3
#define good(copy) ((copy) >= UP_TO_DATE)

/* A generation, by how far it is behind the newest one. */
#define NEWEST 0
#define PREVIOUS 1
#define OLDER 2

/* A host's end of a connection. BROKEN: the other end is closed; what had arrived can be read. */
#define NO_LANE 0
#define DIALING 1
#define OPEN 2
#define BROKEN 3
/* What the dialling side says it holds; n: the epoch the primary counts as committed. */
#define NO_HELLO 0
#define HELLO_NOTHING 1
#define HELLO_N 2
#define HELLO_N_1 3
/* BASE only saves bytes. LAST_RESORT: given back to a peer that was not heard to run since; UNHEARD: by
 * the operator, while the peer was not even heard to have a guest. */
#define BASE 0
#define TAKEABLE 1
#define LAST_RESORT 2
#define LAST_RESORT_UNHEARD 3

/* A claim of one host. It is repeated until it is answered, so "sent" lasts over lost answers. */
#define NO_CLAIM 0
#define SENT 1
#define WON 2
#define NOT_WON 3

#define NOBODY 2

mtype:state state[2];
byte guest[2];       /* the guest of this host, running or paused */
byte kept[2];        /* its complete checkpoint, committed in the cache */
byte arriving[2];    /* the checkpoint that is on its way to this host */
byte keeps[2];       /* what kept is good for */
byte kept_in[2];     /* the generation it was committed in */
byte generation[2] = NEWEST;  /* the last one this host knows */
byte lane[2];
byte hello[2];       /* said by this host, not read yet */
byte offered[2];     /* kept_in, as said in that hello */
byte welcomed[2];    /* the generation in the welcome on its way to this host */
chan to[2] = [2] of { mtype:message };
bit cut[2];          /* primary: output is held */
bit awaiting[2];     /* primary: a checkpoint is captured and not acknowledged */
bit kin[2];          /* primary: what the peer keeps is of the lineage this guest's tracking goes with */
bit mixed[2];        /* secondary: that difference is to something else than what it keeps */
bit knows_run[2];    /* secondary: the run it heard of in the welcome is the one that runs there */

bit heard[2];        /* a heartbeat said that the peer's guest runs in a newer generation than ours; what
                        it says may be long over when it is used */

byte claim[2];
byte owner;          /* at the arbiter, of the newest generation */
bit owner_runs = 1;  /* the engine that claimed it is still that process */
byte speaker = NOBODY;           /* who let the guest speak in the newest generation */
byte previous_speaker = NOBODY;

#ifdef MUTANT_RETURNS_ONLY_IF_NEWER
bit was_ours[2];
#endif

bit began;           /* a first checkpoint has been committed */
bit forced;          /* the operator took a last resort: a word that may cost what clients saw */
bit calm;            /* no more faults, suspicions, lost answers, operators */

/* With -DONLY=n the others are not asserted: a mutant is held to break the very law it is for. */
#ifdef ONLY
#define law(n, holds) assert(n != ONLY || (holds))
#else
#define law(n, holds) assert(holds)
#endif

/* --- laws ---------------------------------------------------------------------------------------- */
#define speaks_freely(h) (state[h] == SOLO || (state[h] == SYNCING && !cut[h]))
#define runs(h) (state[h] == SOLO || state[h] == SYNCING || state[h] == PROTECTED)

inline law_3() {
  law(3, !began || forced || good(guest[0]) || good(guest[1]) || good(kept[0]) || good(kept[1]));
}

inline law_4(h) {
  if
  :: generation[h] == NEWEST -> law(4, speaker == NOBODY || speaker == h); speaker = h
  :: generation[h] == PREVIOUS ->
       law(4, previous_speaker == NOBODY || previous_speaker == h); previous_speaker = h
  :: else  /* an old acknowledgement, read very late */
  fi;
  law(4, forced || !(speaks_freely(0) && speaks_freely(1)));
}

inline falls_behind(copy) { if :: copy != NONE -> copy = BEHIND :: else fi }

/* The guest of h speaks without being held: from now on no other copy has all of its output.
 * REQUIRES: state[h] is already the new one. */
inline speak(h) {
  law(1, forced || good(guest[h]));
  law_4(h);
  falls_behind(guest[1 - h]);
  falls_behind(kept[1 - h]);
  falls_behind(arriving[1 - h]);
}

inline was_released(copy) {
  if
  :: copy == AHEAD -> copy = UP_TO_DATE
  :: copy == UP_TO_DATE -> copy = BEHIND
  :: else
  fi
}

/* Clients see what h held for its captured checkpoint. */
inline release(h) {
  law_4(h);
  was_released(guest[1 - h]);
  was_released(kept[1 - h]);
  was_released(arriving[1 - h]);
  if :: hello[1 - h] == HELLO_N_1 -> hello[1 - h] = HELLO_N :: else fi;
  law(1, forced || !(speaks_freely(1 - h) && !good(guest[1 - h])));
  law_3();
}

inline no_more_ahead(copy) { if :: copy == AHEAD -> copy = UP_TO_DATE :: else fi }

/* What h held is never sent: being ahead by it means nothing any more. */
inline drop_held(h) {
  awaiting[h] = 0; cut[h] = 0;
  no_more_ahead(guest[1 - h]); no_more_ahead(kept[1 - h]); no_more_ahead(arriving[1 - h]);
}

inline knows(h, newer) { generation[h] = newer; heard[h] = 0 }

/* The generation that was claimed, which only an operator's word can have made an old one since. */
inline won(h) {
  assert(forced || generation[h] == PREVIOUS);
  if :: generation[h] == PREVIOUS -> knows(h, NEWEST) :: else fi
}

/* A secondary that knows of no generation yet. */
inline join_anew(h) { knows(h, OLDER); state[h] = JOINING }

/* --- the link ------------------------------------------------------------------------------------
 * A message that is not read before its reader closes is lost. The link itself has no state: while
 * faults last every message may be late for as long as it likes, and either side may lose the
 * session at any time, which is all that a cut, a hang, a one-way cut or a blip can do. */
#define has_room(h) (lane[1 - h] != OPEN || nfull(to[h]))

/* REQUIRES: has_room(h). */
inline send(h, message) {
  if
  :: lane[1 - h] == OPEN -> to[h]!message
  :: else
  fi
}

inline send_checkpoint(h) {
  if :: lane[1 - h] == OPEN -> arriving[h] = AHEAD :: else fi;
  send(h, CHECKPOINT)
}

#define was_accepted(h) (lane[h] == DIALING && hello[h] == NO_HELLO)

inline close(h) {
  if
  :: lane[h] != BROKEN && (lane[1 - h] == OPEN || was_accepted(1 - h)) -> lane[1 - h] = BROKEN
  :: else
  fi;
  lane[h] = NO_LANE; arriving[h] = NONE;
  if :: nempty(to[h]) -> to[h]?_ :: else fi;
  if :: nempty(to[h]) -> to[h]?_ :: else fi  /* it holds two */
}

#define may_lose(h) (lane[h] == BROKEN || (lane[h] == OPEN && !calm))

/* Reads the other side's hello; the dialler may have gone away since it said it. */
inline accept(me, it) {
  hello[it] = NO_HELLO; offered[it] = 0; welcomed[it] = generation[me];
  if :: lane[it] == DIALING -> lane[me] = OPEN :: else -> lane[me] = BROKEN fi
}

inline opened(h) { if :: lane[h] == DIALING -> lane[h] = OPEN :: else fi }

/* Of an engine, its guest and its lanes nothing is left. */
inline engine_dies(me, it) {
  close(me); hello[0] = NO_HELLO; hello[1] = NO_HELLO;
  offered[0] = 0; offered[1] = 0; welcomed[me] = 0;
  if :: lane[it] == DIALING -> lane[it] = BROKEN :: else fi;
  guest[me] = NONE; kin[me] = 0; drop_held(me); mixed[me] = 0;
  heard[me] = 0; knows_run[me] = 0; knows_run[it] = 0;
  if :: owner == me -> owner_runs = 0 :: else fi;
  state[me] = DOWN
}

inline keep_nothing(h) { kept[h] = NONE; keeps[h] = BASE; kept_in[h] = 0 }

#include "arbiter.pml"

proctype host(byte me; byte it) {
end:
  do
#include "primary.pml"
#include "secondary.pml"
#include "faults.pml"
  od
}

/* --- L5 -------------------------------------------------------------------------------------------
 * After the last fault exactly one side runs the guest, for good. The exceptions are visible and need
 * an operator: a takeover that failed as often as is tried, while the peer has no guest to give it
 * back to; or that the operator gave back all the same. */
#define stands(h) (guest[1 - h] == NONE && \
                   (state[h] == FAILED || (state[h] == JOINING && keeps[h] == LAST_RESORT_UNHEARD)))
#define stuck_for_operator (stands(0) || stands(1))
#define one_runs (runs(0) != runs(1))
ltl law_5 { [] (calm -> <> [] (one_runs || stuck_for_operator)) }

/* And where both engines are there, it is protected again. */
#define guards(p, s) (state[p] == PROTECTED && state[s] == STANDBY)
#define alone (state[0] == GONE || state[1] == GONE)
ltl protected_again {
  [] (calm -> <> [] (guards(0, 1) || guards(1, 0) || alone || stuck_for_operator)) }

/* --- composition ----------------------------------------------------------------------------------- */
#ifdef PROMISES
/* Rare states that a search must have come through; a guard that was never true is reported as not
 * reached. */
proctype promises() {
end:
  do
#include "promises.pml"
  od
}
#endif

init {
  d_step {
    owner = 0; speaker = 0;
    state[0] = SOLO; guest[0] = UP_TO_DATE;
    state[1] = JOINING; knows_run[1] = 0
  }
  atomic { run arbiter(); run host(0, 1); run host(1, 0);
#ifdef PROMISES
    run promises()
#endif
  }
}
