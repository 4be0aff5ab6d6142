/* Threads for what a request needs before it can wait for its turn, and after its last token: JSON,
 * templates, tokens, grammars. The HTTP front has one thread and the scheduler another, and neither
 * may be kept long. */
#ifndef JL_SERVE_WORKERS_H
#define JL_SERVE_WORKERS_H

#include <stdbool.h>

#include "base/status.h"

struct workers;

/* Part of what it is about; not touched after `run` has begun. */
struct work {
    void (*run)(struct work *work);
    struct work *next;
};

enum jl_status workers_create(int n_thread, int n_waiting, struct workers **out,
                              struct jl_error *err);
/* Runs once, on some thread, in the order of arrival. False: n_waiting wait already, or it is
 * ending. */
bool workers_give(struct workers *workers, struct work *work);
/* The same however many wait: what ends a request. Not after workers_free has begun to wait. */
void workers_must(struct workers *workers, struct work *work);
/* Runs what was taken, and ends. NULL is fine. */
void workers_free(struct workers *workers);

#endif
