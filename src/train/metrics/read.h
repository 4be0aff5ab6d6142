/* Reading what runs have told of themselves, while they may be at work. */
#ifndef JL_TRAIN_METRICS_READ_H
#define JL_TRAIN_METRICS_READ_H

#include "train/metrics/metrics.h"

struct metrics_db;

/* JL_ERR_IO where there is no such file, JL_ERR_FORMAT where it is none of ours. */
enum jl_status metrics_db_open(const char *path, struct metrics_db **out, struct jl_error *err);
void metrics_db_close(struct metrics_db *db); // NULL is fine

/* Texts are never NULL and live in the caller's arena, as all lists do; numbers that are not there
 * are NAN or 0. */
struct metrics_summary {
    int64_t id;
    const char *name, *folder, *mark, *recipe, *family, *class, *level, *cpu, *version, *peak_form;
    const char *state; // as stored, but for "killed": it says running and its process is gone
    const char *error;
    int64_t n_param, n_active, n_step, threads;
    double peak;             // FLOP/s
    double started, changed; // seconds since 1970
    int64_t step;            // the last one
    double loss, held_out;   // the last ones
    double speed, share;     // tokens/s, share of peak: of the last METRICS_RECENT steps
    double seconds;          // of all steps
    int64_t tokens;          // of all steps
};
#define METRICS_RECENT 50
/* Newest first; id 0: all of them. */
enum jl_status metrics_runs(struct metrics_db *db, int64_t id, struct arena *arena,
                            struct metrics_summary **out, size_t *n, struct jl_error *err);

enum jl_status metrics_steps(struct metrics_db *db, int64_t id, struct arena *arena,
                             struct metrics_step **out, size_t *n, struct jl_error *err);

struct metrics_held {
    int64_t step, tokens;
    double loss;
};
enum jl_status metrics_held(struct metrics_db *db, int64_t id, struct arena *arena,
                            struct metrics_held **out, size_t *n, struct jl_error *err);

struct metrics_said {
    int64_t step;
    double time;        // of events
    const char *kind;   // of events
    const char *prompt; // of samples
    const char *text;
};
enum jl_status metrics_samples(struct metrics_db *db, int64_t id, struct arena *arena,
                               struct metrics_said **out, size_t *n, struct jl_error *err);
enum jl_status metrics_events(struct metrics_db *db, int64_t id, struct arena *arena,
                              struct metrics_said **out, size_t *n, struct jl_error *err);

/* Everything that is known of a run; its folder stays. */
enum jl_status metrics_remove(struct metrics_db *db, int64_t id, struct jl_error *err);

#endif
