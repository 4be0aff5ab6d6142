/* A training's steps as rows of the database of runs (train/metrics/metrics.h). */
#ifndef JL_CLI_TRAIN_RECORD_H
#define JL_CLI_TRAIN_RECORD_H

#include "cli/peak_rate.h"
#include "train/metrics/metrics.h"
#include "train/run/run.h"

/* The file that the environment names, on the heap; NULL: none is known, or `none` is asked for. */
char *train_record_path(void);

struct train_record {
    struct metrics *metrics; // NULL: nothing is recorded
    struct peak_rate peak;
    const struct recipe *recipe;
    double load; // of the last step: the most loaded expert's over the mean; 0: no experts
};
void train_record_begin(struct train_record *record, const struct recipe *recipe,
                        const char *folder, struct backend *backend, const struct learner *learner,
                        int64_t steps_done);
/* Also brings record->load up to date. */
void train_record_step(struct train_record *record, const struct run_step *step);
/* What share of the peak the step's products had; NAN: not known. */
double train_record_share(const struct train_record *record, const struct run_step *step);

#endif
