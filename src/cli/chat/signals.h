/* What signals leave behind: flags, and a terminal that works again. The only state outside
 * functions that the chat has, because a handler gets no argument. */
#ifndef JL_CLI_CHAT_SIGNALS_H
#define JL_CLI_CHAT_SIGNALS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

/* Ctrl-C and a changed window size set flags and end a signals_wait; Ctrl-Z and whatever ends the
 * program first give the terminal back as it was found. `screen`: the descriptor on which standard
 * input's terminal shows things; negative: there is none. */
enum jl_status signals_install(int screen, struct jl_error *err);
void signals_remove(void); // the terminal as it was found, default actions

/* Waits until `fd` can be read, a signal came (also one since the last wait) or wait_ms, if not
 * negative, are over. */
enum signals_event { SIGNALS_READABLE, SIGNALS_CAUGHT, SIGNALS_TIME };
enum signals_event signals_wait(int fd, int wait_ms);

atomic_bool *signals_interrupt(void); // set by Ctrl-C until somebody clears it
bool signals_take_interrupt(void);    // was it set? and clears it
bool signals_take_resize(void);
bool signals_take_continue(void); // the program was stopped and goes on

/* While the model answers: keys wait unseen in the terminal's queue, pasted blocks keep their
 * brackets, Ctrl-C still signals. Without effect when there is no terminal. */
void signals_quiet_terminal(void);

#endif
