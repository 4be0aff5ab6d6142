#include "session/score.h"

#include <math.h>
#include <stddef.h>

#include "base/fmath.h"
#include "session/sample.h"
#include "session/softmax.h"

/* With w = exp(a - top_a) of the reference and Z the sums:
 * KL = sum w/Za * ((a - top_a) - (b - top_b)) - log Za + log Zb. */
static double divergence(const struct score_row *row, int n_vocab, const struct softmax_mass *of,
                         const struct softmax_mass *reference) {
    double block[SOFTMAX_BLOCK], total = 0;
    for (int at = 0; at < n_vocab; at += SOFTMAX_BLOCK) {
        int n = n_vocab - at < SOFTMAX_BLOCK ? n_vocab - at : SOFTMAX_BLOCK;
        const float *a = row->reference + at, *b = row->logits + at;
        softmax_weights(a, n, reference->top, of->scale, block);
        for (int i = 0; i < n; i++)
            total += block[i] * of->scale *
                     (((double)a[i] - (double)reference->top) - ((double)b[i] - (double)of->top));
    }
    double kl = total / reference->sum - fmath_log64(reference->sum) + fmath_log64(of->sum);
    return kl > 0 ? kl : 0; // of equal logits rounding may leave some -1e-17
}

static bool is_likeliest(const float *logits, int32_t target, float top) {
    if (logits[target] != top) return false;
    for (int32_t i = 0; i < target; i++)
        if (logits[i] == top) return false;
    return true;
}

void score_row(const struct score_row *row, int n_vocab, struct score *out) {
    struct softmax_mass of, reference;
    double scale = row->scale > 0 ? row->scale : 1;
    *out = (struct score){.predicts = row->target >= 0, .compares = row->reference != NULL};
    softmax_mass_make(row->logits, n_vocab, scale, &of, NULL);
    if (out->predicts) {
        out->nll = -softmax_logprob(&of, row->logits[row->target]);
        out->hit = is_likeliest(row->logits, row->target, of.top);
    }
    if (!out->compares) return;
    softmax_mass_make(row->reference, n_vocab, scale, &reference, NULL);
    if (out->predicts)
        out->nll_reference = -softmax_logprob(&reference, row->reference[row->target]);
    out->kl = divergence(row, n_vocab, &of, &reference);
    out->same_top = sample_greedy(row->logits, n_vocab) == sample_greedy(row->reference, n_vocab);
}

void score_add(struct score_sums *sums, const struct score *score) {
    if (score->predicts) {
        sums->n_predicted++;
        sums->nll += score->nll;
        sums->nll2 += score->nll * score->nll;
        sums->nll_reference += score->nll_reference;
    }
    if (score->compares) {
        sums->n_compared++;
        sums->n_same_top += score->same_top;
        sums->kl += score->kl;
        sums->kl2 += score->kl * score->kl;
        if (score->kl > sums->kl_max) sums->kl_max = score->kl;
    }
}

struct score_mean score_mean(double sum, double sum_of_squares, int64_t n) {
    struct score_mean out = {0};
    if (n < 1) return out;
    out.mean = sum / (double)n;
    double variance = sum_of_squares / (double)n - out.mean * out.mean;
    if (n > 1 && variance > 0) out.error = sqrt(variance / (double)(n - 1));
    return out;
}

struct score_mean score_perplexity(const struct score_sums *sums) {
    struct score_mean nll = score_mean(sums->nll, sums->nll2, sums->n_predicted);
    double perplexity = fmath_exp64(nll.mean);
    return (struct score_mean){perplexity, nll.error * perplexity};
}
