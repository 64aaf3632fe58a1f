/* Guards of the loop of promises(): each must become true in some schedule. */
:: atomic { guards(0, 1) -> printf("x") }
:: atomic { guards(1, 0) -> printf("x") }                                    /* roles swapped */
:: atomic { guards(0, 1) && previous_speaker == 1 -> printf("x") }           /* and swapped back */
:: atomic { claim[0] == SENT && claim[1] == SENT -> printf("x") }            /* both claim */
:: atomic { state[0] == SOLO && state[1] == CLAIMS && claim[1] == NOT_WON -> printf("x") }
:: atomic { state[0] == CLAIMING && claim[0] == NOT_WON -> printf("x") }
:: atomic { speaks_freely(1) && to[0]?[ACK] -> printf("x") }                 /* an old acknowledgement, read very late */
:: atomic { state[0] == RECONNECTING && hello[1] == HELLO_N && kin[0] -> printf("x") }
:: atomic { state[0] == RECONNECTING && hello[1] == HELLO_N_1 && kin[0] -> printf("x") }  /* a lost acknowledgement */
:: atomic { state[0] == SOLO && hello[1] == HELLO_N && kin[0] -> printf("x") }            /* only a base */
:: atomic { state[0] == SOLO && hello[1] == HELLO_N && !kin[0] -> printf("x") }           /* of another lineage */
:: atomic { state[1] == SUSPECTING && to[1]?[WELCOME_RESUMES] && generation[1] == welcomed[1] -> printf("x") }
:: atomic { state[1] == SUSPECTING && to[1]?[WELCOME_RESUMES] && generation[1] != welcomed[1] -> printf("x") }
:: atomic { state[1] == CLAIMS && to[0]?[LOADED] -> printf("x") }            /* switchover crossed by a takeover */
:: atomic { state[0] == HANDING_CLAIMING && claim[1] == WON -> printf("x") } /* the point of no return */
:: atomic { state[0] == CLAIMING && claim[0] == WON && to[1]?[GO] -> printf("x") }  /* the source was faster */
:: atomic { state[0] == LOST && owner == 0 && owner_runs -> printf("x") }    /* given back */
:: atomic { state[0] == ENDED && heard[0] -> printf("x") }
:: atomic { state[0] == WAITING && state[1] == TAKING_OVER -> printf("x") }
:: atomic { state[0] == WAITING && owner == 1 -> printf("x") }
:: atomic { state[1] == DOWN && kept[1] != NONE && kept_in[1] == NEWEST -> printf("x") }  /* a kept checkpoint */
:: atomic { state[1] == DOWN && kept[1] != NONE && kept_in[1] != NEWEST -> printf("x") }  /* it has become a base */
:: atomic { stands(1) && state[1] == FAILED -> printf("x") }
