#include "train/rl/policy.h"

#include "base/fmath.h"
#include "session/softmax.h"

double policy_kl(double logprob, double reference) {
    double x = reference - logprob;
    return fmath_exp64(x) - x - 1;
}

/* The surrogate that is to grow, and how it grows with the log-probability. */
static double surrogate(const struct policy_options *o, struct policy_token *t, double *slope) {
    double ratio = fmath_exp64(t->logprob - t->drawn), a = t->advantage;
    double edge = a > 0 ? 1 + o->clip_high : 1 - o->clip_low;
    t->clipped = a > 0 ? ratio > edge : a < 0 && ratio < edge;
    *slope = t->clipped ? 0 : ratio * a;
    return (t->clipped ? edge : ratio) * a;
}

/* `slope`: of the loss with the log-probability of `id`. The entropy falls by p (log p + H) with
 * each logit. */
static void write_gradient(const struct softmax_mass *mass, const struct policy_token *token,
                           double slope, double bonus, float *out, int n, int32_t id) {
    double block[SOFTMAX_BLOCK], log_sum = fmath_log64(mass->sum);
    double at_id = token->share * slope * mass->scale;
    for (int at = 0; at < n; at += SOFTMAX_BLOCK) {
        int some = n - at < SOFTMAX_BLOCK ? n - at : SOFTMAX_BLOCK;
        softmax_weights(out + at, some, mass->top, mass->scale, block);
        for (int i = 0; i < some; i++) {
            double p = block[i] / mass->sum, g = -slope;
            if (bonus > 0) {
                double logprob = ((double)out[at + i] - (double)mass->top) * mass->scale - log_sum;
                g += bonus * (logprob + token->entropy);
            }
            out[at + i] = (float)(token->share * mass->scale * g * p);
        }
    }
    out[id] = (float)((double)out[id] + at_id);
}

double policy_loss(const struct policy_options *o, struct policy_token *token, float *logits, int n,
                   int32_t id) {
    struct softmax_mass mass;
    double slope;
    softmax_mass_make(logits, n, 1 / o->temperature, &mass, &token->entropy);
    token->logprob = softmax_logprob(&mass, logits[id]);
    token->loss = -surrogate(o, token, &slope) - o->entropy * token->entropy;
    slope = -slope;
    if (o->kl > 0) {
        token->kl = policy_kl(token->logprob, token->reference);
        token->loss += o->kl * token->kl;
        slope += o->kl * (1 - fmath_exp64(token->reference - token->logprob));
    }
    write_gradient(&mass, token, slope, o->entropy, logits, n, id);
    return token->loss;
}
