/* What the world does to a host, and how an engine starts again: heartbeat/start.cpp. Options of
 * the loop of host(me, it).
 *
 * No protocol of two survives the loss of the only host that can go on, so a crash is let happen
 * where the other can: it has the guest or a takeable checkpoint, and no claim of the host that
 * crashes can take that away from it. Any number of such crashes may follow each other. */
#define can_own(h) (generation[h] == NEWEST || \
                    (generation[h] == PREVIOUS && claim[h] != NO_CLAIM && owner == h && owner_runs) || \
                    (state[h] == LOST && owner == h && owner_runs))
#define is_up(h) (state[h] != DOWN && state[h] != GONE && state[h] != WAITING && \
                  state[h] != GIVING_BACK)
#define can_go_on(h) (is_up(h) && can_own(h) && claim[1 - h] == NO_CLAIM && \
                      (good(guest[h]) || (good(kept[h]) && keeps[h] == TAKEABLE)))

/* The host, or an engine that keeps nothing. */
:: d_step { !calm && state[me] != DOWN && state[me] != GONE && claim[me] == NO_CLAIM &&
            can_go_on(it) ->
     keep_nothing(me); engine_dies(me, it); law_3() }
/* The engine; what it committed is in shared memory. */
:: d_step { !calm && kept[me] != NONE && state[me] != DOWN && state[me] != GONE &&
            claim[me] == NO_CLAIM && can_go_on(it) ->
     engine_dies(me, it); law_3() }
/* The guest's process. */
:: d_step { !calm && (has_held_session || state[me] == RECONNECTING) && can_go_on(it) ->
     close(me); guest[me] = NONE; kin[me] = 0; drop_held(me); law_3(); state[me] = ENDED }
:: d_step { !calm && state[me] == LOST && guest[me] != NONE && can_go_on(it) ->
     guest[me] = NONE; kin[me] = 0; law_3() }

/* --- starting again, or never ------------------------------------------------------------------------ */
:: d_step { state[me] == DOWN -> state[me] = GONE }
:: d_step { state[me] == DOWN && owner == me -> state[me] = WAITING }
#define kept_takeable (kept[me] != NONE && kept_in[me] == NEWEST)
:: d_step { state[me] == DOWN && owner == it && kept_takeable ->
     keeps[me] = TAKEABLE; knows(me, NEWEST);
#ifndef MUTANT_RUN_NOT_LEARNT
     knows_run[me] = owner_runs;  /* the arbiter names it */
#endif
     state[me] = SUSPECTING }
:: d_step { state[me] == DOWN && owner == it && !kept_takeable -> keeps[me] = BASE; join_anew(me) }
:: d_step { state[me] == WAITING && owner == it -> keeps[me] = BASE; join_anew(me) }
