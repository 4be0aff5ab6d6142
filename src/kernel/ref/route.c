/* Routing: "Mixtures of experts" of docs/numerics.md in C. Every level uses this body: a few
 * hundred scores a row. */
#include <math.h>

#include "kernel/fill.h"
#include "kernel/fmath.h"
#include "kernel/ref/lanes.h"

static void softmax(const float *x, float *p, int n) {
    float lane[LANES] = {0}, m = -INFINITY;
    for (int i = 0; i < n; i++)
        m = x[i] > m || isnan(x[i]) ? x[i] : m;
    for (int i = 0; i < n; i++) {
        p[i] = fmath_exp(x[i] - m);
        lane[i % LANES] = lane[i % LANES] + p[i];
    }
    float sum = lanes_sum(lane);
    for (int i = 0; i < n; i++)
        p[i] = p[i] / sum;
}

/* Index of the largest of n that is not taken, the lower of equal ones; the first left when no
 * number compares, so that NaN scores still name experts. */
static int best_left(const float *score, const bool *taken, int n) {
    int best = -1;
    for (int i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || score[i] > score[best])) best = i;
    return best;
}

static float group_score(const struct route_rule *rule, const float *choice, int first, int n) {
    float best = -INFINITY, second = -INFINITY;
    for (int i = first; i < first + n; i++) {
        if (choice[i] > best) {
            second = best;
            best = choice[i];
        } else if (choice[i] > second) {
            second = choice[i];
        }
    }
    return rule->group == ROUTE_GROUP_BEST || n < 2 ? best : best + second;
}

/* Experts outside the chosen groups count as taken. */
static void mask_groups(const struct route_rule *rule, const float *choice, bool *taken) {
    float score[ROUTE_MAX_EXPERTS];
    bool chosen[ROUTE_MAX_EXPERTS] = {false};
    int n = rule->n_expert / rule->n_group;
    for (int g = 0; g < rule->n_group; g++)
        score[g] = group_score(rule, choice, g * n, n);
    for (int k = 0; k < rule->n_group_used; k++)
        chosen[best_left(score, chosen, rule->n_group)] = true;
    for (int i = 0; i < rule->n_expert; i++)
        taken[i] = !chosen[i / n];
}

static void route(const struct route_args *args) {
    const struct route_rule *rule = args->rule;
    float score[ROUTE_MAX_EXPERTS], choice[ROUTE_MAX_EXPERTS];
    bool taken[ROUTE_MAX_EXPERTS] = {false};
    int n = rule->n_expert;
    if (rule->scoring == ROUTE_SOFTMAX)
        softmax(args->logits, score, n);
    else
        for (int i = 0; i < n; i++)
            score[i] = 1.0f / (1.0f + fmath_exp(-args->logits[i]));
    for (int i = 0; i < n; i++)
        choice[i] = args->bias ? score[i] + args->bias[i] : score[i];
    if (rule->n_group > 1) mask_groups(rule, choice, taken);
    float sum = 0;
    for (int k = 0; k < rule->n_used; k++) {
        int id = best_left(choice, taken, n);
        taken[id] = true;
        args->ids[k] = id;
        args->weights[k] = score[id];
        sum = sum + score[id];
    }
    for (int k = 0; k < rule->n_used; k++) {
        float w = args->weights[k];
        if (rule->normalize) w = w / (sum + rule->floor);
        args->weights[k] = w * rule->scale;
    }
}

/* Of w_k = scale * s_k, or of scale * s_k / (sum of s + floor), where s are the chosen scores. */
static void weights_grad(const struct route_rule *rule, const float *score, const int32_t *ids,
                         const float *dw, float *dscore) {
    float sum = 0, along = 0;
    for (int k = 0; k < rule->n_used; k++) {
        sum = sum + score[ids[k]];
        along = fmaf(dw[k], score[ids[k]], along);
    }
    sum = sum + rule->floor;
    for (int k = 0; k < rule->n_used; k++) {
        float d = dw[k] * rule->scale;
        if (rule->normalize) d = (dw[k] - along / sum) / sum * rule->scale;
        dscore[ids[k]] = d;
    }
}

static void route_grad(const struct route_grad_args *args) {
    const struct route_rule *rule = args->rule;
    float score[ROUTE_MAX_EXPERTS], dscore[ROUTE_MAX_EXPERTS] = {0}, mean = 0;
    int n = rule->n_expert;
    if (rule->scoring == ROUTE_SOFTMAX)
        softmax(args->logits, score, n);
    else
        for (int i = 0; i < n; i++)
            score[i] = 1.0f / (1.0f + fmath_exp(-args->logits[i]));
    weights_grad(rule, score, args->ids, args->dw, dscore);
    for (int i = 0; rule->scoring == ROUTE_SOFTMAX && i < n; i++)
        mean = fmaf(score[i], dscore[i], mean);
    for (int i = 0; i < n; i++)
        args->dlogits[i] = rule->scoring == ROUTE_SOFTMAX
                               ? score[i] * (dscore[i] - mean)
                               : dscore[i] * (score[i] * (1.0f - score[i]));
}

void ref_fill_route(struct kernel_table *table) {
    table->route = route;
    table->row_name[KSLOT_route] = "route.ref";
    table->route_grad = route_grad;
    table->row_name[KSLOT_route_grad] = "route_grad.ref";
}
