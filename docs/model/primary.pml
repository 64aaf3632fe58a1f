/* primary/core*.cpp. Options of the loop of host(me, it). */

/* --- a secondary asks: core_reconnect.cpp ----------------------------------------------------------- */
#ifdef MUTANT_ANY_LINEAGE
#define acceptable (hello[it] >= HELLO_N)
#else
#define acceptable (hello[it] >= HELLO_N && kin[me])
#endif
:: d_step { state[me] == SOLO && lane[me] == NO_LANE && hello[it] != NO_HELLO && !acceptable ->
     accept(me, it); state[me] = SYNCING; cut[me] = 0; kin[me] = 0;
     send(it, WELCOME_WHOLE) }
:: d_step { state[me] == SOLO && lane[me] == NO_LANE && acceptable ->
     accept(me, it); state[me] = SYNCING; cut[me] = 0; mixed[it] = !kin[me];
     send(it, WELCOME_RESUMES) }
/* Nothing was claimed on either side: the peer can take over from what it holds, output stays held. */
:: d_step { state[me] == RECONNECTING && acceptable && offered[it] == generation[me] ->
     awaiting[me] = 0;
     if
     :: hello[it] == HELLO_N_1 -> release(me)  /* its acknowledgement was lost */
     :: else
     fi;
     accept(me, it); state[me] = SYNCING; mixed[it] = !kin[me];
     send(it, WELCOME_RESUMES) }

/* --- checkpoints: core_session.cpp ------------------------------------------------------------------ */
:: d_step { (state[me] == SYNCING || (state[me] == PROTECTED && !calm)) && !awaiting[me] &&
            has_room(it) ->
     awaiting[me] = 1; cut[me] = 1; send_checkpoint(it);
#ifdef MUTANT_RELEASE_BEFORE_ACK
     if :: state[me] == PROTECTED -> release(me) :: else fi
#endif
   }
:: d_step { (state[me] == SYNCING || state[me] == PROTECTED) && to[me]?[ACK] ->
     to[me]?ACK; assert(awaiting[me]);
     awaiting[me] = 0; release(me); state[me] = PROTECTED }

/* --- the peer is lost: core_reconnect.cpp ----------------------------------------------------------- */
:: d_step { state[me] == SYNCING && !cut[me] && may_lose(me) ->
     close(me); state[me] = SOLO }  /* it has nothing to take over from */
#define has_held_session ((state[me] == SYNCING && cut[me]) || state[me] == PROTECTED || \
                          state[me] == HANDING_SAVING || state[me] == HANDING_LOADING)
:: d_step { has_held_session && may_lose(me) -> close(me); state[me] = RECONNECTING }
:: d_step { has_held_session && may_lose(me) -> close(me); state[me] = CLAIMING; claim[me] = SENT }
:: d_step { state[me] == RECONNECTING -> state[me] = CLAIMING; claim[me] = SENT }

/* --- the claim: core_ownership.cpp ------------------------------------------------------------------ */
:: d_step { state[me] == CLAIMING && claim[me] == WON ->
     claim[me] = NO_CLAIM; won(me);
     state[me] = SOLO; drop_held(me); speak(me) }
:: d_step { state[me] == CLAIMING && claim[me] == NOT_WON ->
     claim[me] = NO_CLAIM; drop_held(me);
#ifdef MUTANT_LOSER_RUNS
     state[me] = SOLO; speak(me)
#else
#ifdef MUTANT_RETURNS_ONLY_IF_NEWER
     was_ours[me] = owner == me && owner_runs;
#endif
     state[me] = LOST
#endif
   }

/* --- lost, or without a guest: core_lost.cpp -------------------------------------------------------- */
:: d_step { runs(it) && generation[it] < generation[me] && !heard[me] &&
            (state[me] == CLAIMING || state[me] == LOST || state[me] == ENDED || state[me] == SOLO ||
             state[me] == TAKING_OVER || state[me] == FAILED) ->
     heard[me] = 1 }  /* a heartbeat arrives */
:: d_step { (state[me] == LOST || state[me] == ENDED) && heard[me] ->
     guest[me] = NONE; kin[me] = 0; law_3(); join_anew(me) }
:: d_step { state[me] == SOLO && heard[me] ->  /* an operator's word took it without our knowing */
     state[me] = CLAIMING; claim[me] = SENT }
#ifdef MUTANT_NOT_GIVEN_BACK
#define given_back 0
#elif defined(MUTANT_RETURNS_ONLY_IF_NEWER)
#define given_back (owner == me && owner_runs && !was_ours[me])
#else
#define given_back (owner == me && owner_runs)
#endif
:: d_step { state[me] == LOST && guest[me] != NONE && given_back ->
     knows(me, NEWEST); state[me] = SOLO; speak(me) }

:: d_step { state[me] == LOST && guest[me] != NONE && owner == it && !calm ->
     /* The operator takes it back: a last word, as in secondary.pml. */
     forced = 1; calm = 1; knows(me, NEWEST); state[me] = CLAIMING; claim[me] = SENT }

/* --- switchover, source: core_switchover.cpp -------------------------------------------------------- */
:: d_step { state[me] == PROTECTED && !awaiting[me] && !calm && has_room(it) ->
     state[me] = HANDING_SAVING; awaiting[me] = 1; send_checkpoint(it) }
:: d_step { state[me] == HANDING_SAVING && to[me]?[ACK] && has_room(it) ->
     to[me]?ACK; awaiting[me] = 0; release(me);
     state[me] = HANDING_LOADING; send(it, HANDOVER) }
:: d_step { state[me] == HANDING_LOADING && to[me]?[LOADED] && has_room(it) ->
     to[me]?LOADED; state[me] = HANDING_CLAIMING; send(it, GO) }
/* Also after GO: whoever says that it cannot does not claim for that word any more. */
:: d_step { (state[me] == HANDING_LOADING || state[me] == HANDING_CLAIMING) &&
            to[me]?[LOAD_FAILED] && has_room(it) ->
     to[me]?LOAD_FAILED; state[me] = PROTECTED; send(it, CANCEL) }
:: d_step { state[me] == HANDING_LOADING && has_room(it) ->  /* not in time */
     state[me] = PROTECTED; send(it, CANCEL) }
:: d_step { (state[me] == PROTECTED || state[me] == HANDING_SAVING) &&
            (to[me]?[LOADED] || to[me]?[LOAD_FAILED]) -> to[me]?_ }  /* of one that was cancelled */
:: d_step { state[me] == HANDING_CLAIMING ->  /* told, or the peer is lost, or not in time */
     close(me);
#ifdef MUTANT_SOURCE_RESUMES
     state[me] = SOLO; speak(me)
#else
     state[me] = CLAIMING; claim[me] = SENT
#endif
   }
