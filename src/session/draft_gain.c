#include "session/draft_gain.h"

#define NEW_SHARE 0.2 // of a new measure in an average
#define STALE 512     // passes after which a time is not believed any more
#define MEMORY 64.0   // drafted tokens that a rate remembers
#define PRIOR_WEIGHT 4.0
#define PROBE_PERIOD 64 // passes between predictions that do not pay

/* ---- measures ---- */

/* Someone else's work on the machine makes single passes many times as long. */
static double blend(double old, double now) {
    if (old <= 0) return now;
    if (now > 2 * old) now = 2 * old;
    return old + NEW_SHARE * (now - old);
}

void draft_gain_pass(struct draft_gain *gain, int rows, double seconds) {
    gain->n_pass++;
    if (rows < 1 || rows > DRAFT_ROWS_MAX || seconds <= 0) return;
    gain->pass[rows].seconds = blend(gain->pass[rows].seconds, seconds);
    gain->pass[rows].at = gain->n_pass;
}

void draft_gain_predict(struct draft_gain *gain, int n, double seconds) {
    gain->probed = gain->n_pass;
    if (n > 0) gain->predict = blend(gain->predict, seconds / n);
}

static void count(struct draft_gain *gain, int which, double kept, double judged) {
    if (gain->rate[which].judged + judged > MEMORY) {
        gain->rate[which].kept /= 2;
        gain->rate[which].judged /= 2;
    }
    gain->rate[which].kept += kept;
    gain->rate[which].judged += judged;
}

void draft_gain_judge(struct draft_gain *gain, enum draft_source source, int kept, bool failed) {
    if (source != DRAFT_PREDICTED) {
        count(gain, (int)source, kept, kept + failed);
        return;
    }
    for (int i = 0; i < kept + failed && i < DRAFT_MAX; i++)
        count(gain, DRAFT_PREDICTED + i, i < kept, 1);
}

enum draft_source draft_gain_source(int matched) {
    return matched >= 8   ? DRAFT_LOOKUP_8
           : matched >= 4 ? DRAFT_LOOKUP_4
           : matched == 3 ? DRAFT_LOOKUP_3
                          : DRAFT_LOOKUP_2;
}

/* ---- what they say ---- */

/* Chance that the i-th token of a draft is right when those before it are. */
static double chance(const struct draft_gain *gain, enum draft_source source, int i) {
    static const double prior[DRAFT_SOURCES] = {0.3, 0.5, 0.65, 0.8, 0.6};
    int which = (int)source + (source == DRAFT_PREDICTED ? i : 0);
    return (gain->rate[which].kept + PRIOR_WEIGHT * prior[source]) /
           (gain->rate[which].judged + PRIOR_WEIGHT);
}

static bool is_known(const struct draft_gain *gain, int rows) {
    return gain->pass[rows].seconds > 0 && gain->n_pass - gain->pass[rows].at < STALE;
}

/* Between two known numbers of rows on the line; past the last as long as that, so that it is
 * tried. 0: not known. */
static double pass_seconds(const struct draft_gain *gain, int rows) {
    int low = 0, high = 0;
    if (rows > DRAFT_ROWS_MAX) rows = DRAFT_ROWS_MAX;
    for (int i = 1; i <= DRAFT_ROWS_MAX; i++) {
        if (!is_known(gain, i)) continue;
        if (i <= rows) low = i;
        if (i >= rows && !high) high = i;
    }
    if (!low) return 0;
    double below = gain->pass[low].seconds;
    if (!high || high == low) return below;
    return below + (gain->pass[high].seconds - below) * (rows - low) / (high - low);
}

struct draft_choice draft_gain_best(const struct draft_gain *gain,
                                    const struct draft_question *question) {
    struct draft_choice best = {0, 0};
    double tokens = 1, all_right = 1, plain = pass_seconds(gain, question->pending);
    if (plain <= 0) return best; // measured first
    best.rate = 1 / plain;
    for (int n = 1; n <= question->most && n <= DRAFT_MAX; n++) {
        all_right *= chance(gain, question->source, n - 1);
        tokens += all_right;
        double seconds = pass_seconds(gain, question->pending + n);
        if (question->source == DRAFT_PREDICTED) seconds += n * gain->predict;
        if (question->again) {
            double more = pass_seconds(gain, question->pending + n + 1) - plain;
            if (more > 0) seconds += (1 - all_right) * more;
        }
        if (tokens > best.rate * seconds) best = (struct draft_choice){n, tokens / seconds};
    }
    return best;
}

bool draft_gain_should_probe(const struct draft_gain *gain) {
    return gain->n_pass - gain->probed >= PROBE_PERIOD;
}
