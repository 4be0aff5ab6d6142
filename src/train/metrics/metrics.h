/* What runs tell of themselves: one SQLite file for all runs of a user (docs/runs.md).
 *
 * Whoever trains hands rows over; they are written in batches, one transaction each. Nothing here
 * fails towards the run: a file that cannot be written is told of once, and the run goes on
 * without. Rows wait in memory while somebody else has locked the file. One owner. */
#ifndef JL_TRAIN_METRICS_METRICS_H
#define JL_TRAIN_METRICS_METRICS_H

#include "base/arena.h"
#include "base/status.h"

struct metrics;

/* `tell`: why nothing more is recorded; called once at most. NULL: out of memory. */
struct metrics *metrics_create(const char *path, void (*tell)(void *ctx, const char *text),
                               void *ctx);
void metrics_free(struct metrics *metrics); // without a last word; NULL is fine

/* What a run is. It is known again by its folder and one of its marks. */
struct metrics_run {
    const char *folder; // absolute
    const char *name;
    /* (n_mark) fingerprints of the recipe up to each of its stages, the last is of all: a recipe
     * that got further stages is the same run. */
    const char *const *marks;
    int n_mark;
    const char *recipe;         // its text
    const char *family, *class; // of the model
    int64_t n_param, n_active, n_step;
    int threads;
    const char *level, *cpu, *version;
    double peak; // FLOP/s of this machine's threads; 0: not known
    const char *peak_form;
};
/* The run begins, or goes on after `steps_done`: what was recorded of later steps goes. Before it
 * nothing is written. */
void metrics_begin(struct metrics *metrics, const struct metrics_run *run, int64_t steps_done);

/* What a step by reward tells besides (docs/grpo.md); of other steps all are NAN. */
struct metrics_reward {
    double reward, deviation;
    double right, alike, cut, clipped; // shares
    double length, entropy, kl, difference;
    double drawn, learned; // tokens a second
};
/* parts: JSON of the rewards' means by their names; NULL: none. */
void metrics_reward(struct metrics *metrics, int64_t step, const struct metrics_reward *reward,
                    const char *parts);

/* Numbers that are not there are NAN. */
struct metrics_step {
    int64_t step, rows;
    const char *stage;
    double loss, mtp_loss, norm, rate, seconds;
    double share; // of the peak
    double load;  // the greatest share of an expert over the mean one, over all layers; only read
    struct metrics_reward by; // only read
};
void metrics_step(struct metrics *metrics, const struct metrics_step *step);

/* How evenly rows went to experts. */
struct metrics_load {
    double max;      // the most loaded one's over the mean
    double evenness; // entropy of the loads over that of equal ones: 1 is even, 0 one expert alone
    int dead;        // experts that no row chose
};
struct metrics_load metrics_load_of(const int64_t *load, int n); // all zero: everything is 0
/* Every METRICS_VECTOR_EVERY steps the loads themselves are kept, too. */
#define METRICS_VECTOR_EVERY 50
void metrics_load(struct metrics *metrics, int64_t step, int layer, const int64_t *load, int n);

void metrics_held_out(struct metrics *metrics, int64_t step, double loss, int64_t n_token);
void metrics_sample(struct metrics *metrics, int64_t step, const char *prompt, const char *text);
/* kind: "checkpoint", "export", "note"; what has happened stays when a run goes on from before. */
void metrics_event(struct metrics *metrics, int64_t step, const char *kind, const char *text);

/* Writes what waits. Rows are also written as time goes by. */
void metrics_flush(struct metrics *metrics);
/* state: "done", "stopped" or "failed", then with the error. */
void metrics_end(struct metrics *metrics, const char *state, const char *error);

#endif
