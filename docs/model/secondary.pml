/* secondary/core*.cpp. Options of the loop of host(me, it). */

/* --- joining: core_session.cpp ---------------------------------------------------------------------- */
#define held_epoch (kept[me] == NONE -> HELLO_NOTHING : (kept[me] == AHEAD -> HELLO_N_1 : HELLO_N))
#define dials ((state[me] == JOINING || state[me] == SUSPECTING) && lane[me] == NO_LANE)
:: d_step { dials -> lane[me] = DIALING; hello[me] = held_epoch; offered[me] = kept_in[me] }
:: d_step { state[me] == JOINING && lane[me] == NO_LANE && !calm ->  /* after a full cache */
     lane[me] = DIALING; hello[me] = HELLO_NOTHING; offered[me] = 0 }
:: d_step { (state[me] == JOINING || state[me] == SUSPECTING) &&
            (lane[me] == BROKEN || (lane[me] == DIALING && !calm)) -> close(me) }
:: d_step { to[me]?[WELCOME_WHOLE] ->
     to[me]?WELCOME_WHOLE;
     assert(state[me] == JOINING || welcomed[me] < generation[me]);  /* it claimed, and spoke */
     opened(me); keep_nothing(me); law_3();
     knows(me, welcomed[me]); welcomed[me] = 0; knows_run[me] = 1;
     mixed[me] = 0; state[me] = RECEIVING }
:: d_step { to[me]?[WELCOME_RESUMES] ->
     to[me]?WELCOME_RESUMES; opened(me);
#ifdef MUTANT_OLD_BASE_TAKEABLE
     if
     :: state[me] == SUSPECTING -> state[me] = STANDBY
#else
     if
     :: state[me] == SUSPECTING && welcomed[me] == generation[me] -> state[me] = STANDBY
#endif
     :: else -> keeps[me] = BASE; state[me] = RECEIVING  /* the primary has spoken beyond it */
     fi;
#ifdef MUTANT_KEPT_GENERATION
     kept_in[me] = welcomed[me];
#endif
     knows(me, welcomed[me]); welcomed[me] = 0; knows_run[me] = 1 }

/* --- a checkpoint is complete ----------------------------------------------------------------------- */
#define in_session (state[me] == RECEIVING || state[me] == STANDBY || \
                    state[me] == HANDED_LOADING || state[me] == HANDED_LOADED)
:: d_step { in_session && to[me]?[CHECKPOINT] && has_room(it) ->
     to[me]?CHECKPOINT;
     law(2, !mixed[me]);  /* a difference to what is not there is no checkpoint */
     kept[me] = arriving[me]; arriving[me] = NONE; keeps[me] = TAKEABLE;
     kept_in[me] = generation[me]; began = 1; law_3();
     if :: guest[it] != NONE -> kin[it] = 1 :: else fi;
     send(it, ACK); state[me] = STANDBY }

/* --- the peer is lost ------------------------------------------------------------------------------- */
:: d_step { state[me] == RECEIVING && may_lose(me) -> close(me); state[me] = JOINING }
:: d_step { in_session && state[me] != RECEIVING && may_lose(me) ->
     close(me); state[me] = SUSPECTING }
:: d_step { in_session && state[me] != RECEIVING && !calm -> state[me] = SUSPECTING }  /* silence */
:: d_step { state[me] == SUSPECTING && lane[me] == OPEN -> state[me] = STANDBY }  /* heard again */
:: d_step { state[me] == SUSPECTING ->
     assert(keeps[me] == TAKEABLE); close(me);
#ifdef MUTANT_NO_CLAIM
     state[me] = TAKING_OVER
#else
     state[me] = CLAIMS; claim[me] = SENT
#endif
   }
/* The operator asks for a takeover: the primary hears of it with the answer. */
:: d_step { in_session && state[me] != RECEIVING && !calm -> state[me] = CLAIMS; claim[me] = SENT }

/* --- the claim: core_takeover.cpp ------------------------------------------------------------------- */
:: d_step { state[me] == CLAIMS && lane[me] != NO_LANE && !calm -> close(me) }  /* unanswered */
:: d_step { state[me] == CLAIMS && claim[me] == WON ->
     claim[me] = NO_CLAIM; won(me);
     close(me); state[me] = TAKING_OVER }
:: d_step { state[me] == CLAIMS && claim[me] == NOT_WON ->
     claim[me] = NO_CLAIM; close(me); keeps[me] = BASE; state[me] = JOINING }

/* --- taking over: flush, load, hooks, run ------------------------------------------------------------ */
:: d_step { state[me] == TAKING_OVER ->
     guest[me] = kept[me]; keep_nothing(me);
     kin[me] = 0; cut[me] = 0; awaiting[me] = 0;
     state[me] = SOLO; speak(me) }
:: d_step { state[me] == TAKING_OVER && !calm ->  /* as often as is tried */
#ifdef MUTANT_FORGETS_TOO_SOON
     keep_nothing(me); law_3();
#endif
     state[me] = FAILED }
:: d_step { state[me] == FAILED && !calm -> state[me] = TAKING_OVER }  /* the operator: again */

:: d_step { (state[me] == TAKING_OVER || state[me] == FAILED) && heard[me] ->
     keeps[me] = BASE; state[me] = JOINING }  /* the peer took its guest back by an operator's word */

/* --- giving back: core_give_back.cpp ---------------------------------------------------------------- */
/* By itself only where the peer is heard to keep its guest: an engine that was started again since
 * would own a guest that it does not have. The operator may say it at any time. */
#ifdef MUTANT_GIVES_BACK_TO_ANYBODY
#define peer_keeps_guest (state[it] != DOWN && state[it] != GONE)
#else
#define peer_keeps_guest (state[it] == LOST && guest[it] != NONE)
#endif
:: d_step { state[me] == FAILED && peer_keeps_guest -> state[me] = GIVING_BACK; claim[me] = SENT }
:: d_step { state[me] == FAILED && !peer_keeps_guest && !calm ->
     keeps[me] = LAST_RESORT_UNHEARD; state[me] = GIVING_BACK; claim[me] = SENT }
:: d_step { state[me] == GIVING_BACK && claim[me] == WON ->
     claim[me] = NO_CLAIM;
     if :: keeps[me] == TAKEABLE -> keeps[me] = LAST_RESORT :: else fi;
     if :: generation[me] == PREVIOUS -> knows(me, NEWEST) :: else fi;  /* the peer may have claimed */
     state[me] = JOINING }
:: d_step { state[me] == GIVING_BACK && claim[me] == NOT_WON ->
     claim[me] = NO_CLAIM; keeps[me] = BASE; state[me] = JOINING }
:: d_step { state[me] == JOINING && keeps[me] >= LAST_RESORT && runs(it) &&
            generation[it] <= generation[me] -> keeps[me] = BASE }  /* heard */
:: d_step { state[me] == JOINING && keeps[me] >= LAST_RESORT && !calm ->
     /* The operator has the last word. What it breaks is his; it is followed in calm only. */
     forced = 1; calm = 1; close(me); state[me] = CLAIMS; claim[me] = SENT }

/* --- switchover, target: core_handover.cpp ---------------------------------------------------------- */
:: d_step { state[me] == STANDBY && to[me]?[HANDOVER] ->
     to[me]?HANDOVER; state[me] = HANDED_LOADING }
:: d_step { state[me] == HANDED_LOADING && has_room(it) ->
     state[me] = HANDED_LOADED; send(it, LOADED) }
:: d_step { (state[me] == HANDED_LOADING || state[me] == HANDED_LOADED) && has_room(it) && !calm ->
     state[me] = STANDBY; send(it, LOAD_FAILED) }
:: d_step { state[me] == HANDED_LOADED && to[me]?[GO] ->
     to[me]?GO; state[me] = CLAIMS; claim[me] = SENT }
:: d_step { in_session && to[me]?[CANCEL] -> to[me]?CANCEL; state[me] = STANDBY }
:: d_step { state[me] == STANDBY && to[me]?[GO] -> to[me]?GO }  /* for what is loaded no more */
