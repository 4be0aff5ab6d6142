/* Whether a draft pays: what passes of so many rows take, and how often drafts are right, measured
 * while a model answers. Drafts change no output, so nothing here can be seen but in the time. */
#ifndef JL_SESSION_DRAFT_GAIN_H
#define JL_SESSION_DRAFT_GAIN_H

#include <stdbool.h>

#define DRAFT_MAX 16                       // tokens of a draft
#define DRAFT_ROWS_MAX (2 * DRAFT_MAX + 2) // of a pass with one: some may be read a second time

/* Whom a draft is from: a repeated end of so many tokens, or the prediction layer. */
enum draft_source {
    DRAFT_LOOKUP_2,
    DRAFT_LOOKUP_3,
    DRAFT_LOOKUP_4, // to 7
    DRAFT_LOOKUP_8, // or more
    DRAFT_PREDICTED,
    DRAFT_SOURCES
};

struct draft_gain {
    struct {
        double seconds; // 0: not measured
        long at;        // pass number
    } pass[DRAFT_ROWS_MAX + 1];
    double predict; // seconds for one token of the prediction layer
    struct {
        double kept, judged;
    } rate[DRAFT_SOURCES - 1 + DRAFT_MAX]; // of the prediction layer one for each token in a row
    long n_pass;                           // measured so far
    long probed;                           // the last pass with a prediction
};

void draft_gain_pass(struct draft_gain *gain, int rows, double seconds);
void draft_gain_predict(struct draft_gain *gain, int n, double seconds);
/* Of a draft the first `kept` tokens came, and the next did not if `failed`. */
void draft_gain_judge(struct draft_gain *gain, enum draft_source source, int kept, bool failed);

struct draft_choice {
    int n;       // tokens of the draft, 0: none pays
    double rate; // tokens a second that it promises; 0: nothing is known yet
};
struct draft_question {
    enum draft_source source;
    int most;    // tokens it may have
    int pending; // certain tokens that the pass reads
    bool again;  // what goes with a wrong draft is read again
};
struct draft_choice draft_gain_best(const struct draft_gain *gain,
                                    const struct draft_question *question);
/* Predictions have not been tried for long: how often they are right is not known any more. */
bool draft_gain_should_probe(const struct draft_gain *gain);

enum draft_source draft_gain_source(int matched);

#endif
