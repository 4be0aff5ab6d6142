/* Mixtures of experts in float64: every token on its own, expert after expert. */
#include <math.h>
#include <stdlib.h>

#include "support/ref64.h"

/* The best of n that is not taken; the lower index of equal ones. */
static int best_of(const double *value, const bool *taken, int n) {
    int best = -1;
    for (int i = 0; i < n; i++)
        if (!taken[i] && (best < 0 || value[i] > value[best])) best = i;
    return best;
}

static void score(const struct route_rule *rule, const double *logits, double *out) {
    double most = -HUGE_VAL, sum = 0;
    for (int i = 0; i < rule->n_expert; i++)
        most = fmax(most, logits[i]);
    for (int i = 0; i < rule->n_expert; i++)
        sum += exp(logits[i] - most);
    for (int i = 0; i < rule->n_expert; i++)
        out[i] = rule->scoring == ROUTE_SOFTMAX ? exp(logits[i] - most) / sum
                                                : 1 / (1 + exp(-logits[i]));
}

/* Experts of groups that are not among the best are taken from the start. */
static void close_groups(const struct route_rule *rule, const double *choice, bool *taken) {
    int n = rule->n_expert / rule->n_group;
    double *value = calloc((size_t)rule->n_group, sizeof *value);
    bool *open = calloc((size_t)rule->n_group, sizeof *open);
    for (int g = 0; g < rule->n_group; g++) {
        bool *seen = calloc((size_t)n, sizeof *seen);
        for (int k = 0; k < (rule->group == ROUTE_GROUP_TOP2 && n > 1 ? 2 : 1); k++) {
            int best = best_of(choice + g * n, seen, n);
            seen[best] = true;
            value[g] += choice[g * n + best];
        }
        free(seen);
    }
    for (int k = 0; k < rule->n_group_used; k++)
        open[best_of(value, open, rule->n_group)] = true;
    for (int i = 0; i < rule->n_expert; i++)
        taken[i] = !open[i / n];
    free(value);
    free(open);
}

static double *mlp(const struct model *m, const enum role_id roles[3], int layer, int expert,
                   const double *x) {
    const struct weight *w[3];
    const uint8_t *data[3];
    for (int i = 0; i < 3; i++) {
        w[i] = model_weight(m, roles[i], layer);
        data[i] = expert < 0 ? w[i]->data : w[i]->experts[expert];
    }
    double *g = ref64_matrix(m, w[0], data[0], NULL, x, 1),
           *u = ref64_matrix(m, w[1], data[1], NULL, x, 1);
    for (int i = 0; i < w[0]->n_out; i++)
        g[i] = g[i] / (1 + exp(-g[i])) * u[i];
    double *y = ref64_matrix(m, w[2], data[2], NULL, g, 1);
    free(g);
    free(u);
    return y;
}

static void add_scaled(double *out, double scale, double *y, int n) {
    for (int i = 0; i < n; i++)
        out[i] += scale * y[i];
    free(y);
}

static void routed(const struct model *m, int layer, const double *x, double *out) {
    static const enum role_id roles[3] = {ROLE_EXP_GATE, ROLE_EXP_UP, ROLE_EXP_DOWN};
    const struct route_rule *rule = &m->hp.route;
    const struct weight *router = model_weight(m, ROLE_ROUTER, layer);
    const struct weight *bias = model_weight(m, ROLE_ROUTER_B, layer);
    size_t n = (size_t)rule->n_expert;
    double *logits = ref64_matrix(m, router, router->data, NULL, x, 1), sum = 0;
    double *value = calloc(n, sizeof *value), *choice = calloc(n, sizeof *choice);
    bool *taken = calloc(n, sizeof *taken);
    int *ids = calloc((size_t)rule->n_used, sizeof *ids);
    score(rule, logits, value);
    for (size_t i = 0; i < n; i++)
        choice[i] = value[i] + (bias ? (double)((const float *)(const void *)bias->data)[i] : 0);
    if (rule->n_group > 1) close_groups(rule, choice, taken);
    for (int k = 0; k < rule->n_used; k++) {
        ids[k] = best_of(choice, taken, rule->n_expert);
        taken[ids[k]] = true;
        sum += value[ids[k]];
    }
    for (int k = 0; k < rule->n_used; k++) {
        double weight = value[ids[k]] * (double)rule->scale;
        if (rule->normalize) weight /= sum + (double)rule->floor;
        add_scaled(out, weight, mlp(m, roles, layer, ids[k], x), m->hp.n_embd);
    }
    free(logits);
    free(value);
    free(choice);
    free(taken);
    free(ids);
}

double *ref64_moe(const struct model *m, int layer, const double *x, int n) {
    static const enum role_id shared[3] = {ROLE_SHEXP_GATE, ROLE_SHEXP_UP, ROLE_SHEXP_DOWN};
    const struct weight *gate = model_weight(m, ROLE_SHEXP_SWITCH, layer);
    int width = m->hp.n_embd;
    double *out = calloc((size_t)n * (size_t)width, sizeof *out);
    for (int t = 0; t < n; t++) {
        const double *row = x + (size_t)t * (size_t)width;
        double *y = out + (size_t)t * (size_t)width, open = 1;
        routed(m, layer, row, y);
        if (!model_weight(m, ROLE_SHEXP_UP, layer)) continue;
        if (gate) {
            double *logit = ref64_matrix(m, gate, gate->data, NULL, row, 1);
            open = 1 / (1 + exp(-logit[0]));
            free(logit);
        }
        add_scaled(y, open, mlp(m, shared, layer, -1, row), width);
    }
    return out;
}
