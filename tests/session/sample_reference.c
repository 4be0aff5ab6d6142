#include "sample_reference.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void reference_list_init(struct reference_list *list, const float *logits, int n_vocab) {
    list->items = calloc((size_t)n_vocab, sizeof *list->items);
    list->n = 0;
    if (!list->items) abort();
    for (int32_t i = 0; i < n_vocab; i++)
        if (logits[i] != -INFINITY)
            list->items[list->n++] = (struct reference_token){.id = i, .logit = (double)logits[i]};
}

void reference_list_free(struct reference_list *list) { free(list->items); }

void reference_softmax(struct reference_list *list) {
    double top = -HUGE_VAL;
    list->total = 0;
    for (int i = 0; i < list->n; i++)
        if (list->items[i].logit > top) top = list->items[i].logit;
    for (int i = 0; i < list->n; i++)
        list->total += list->items[i].weight = exp(list->items[i].logit - top);
}

static double p_of(const struct reference_list *list, int i) {
    return list->items[i].weight / list->total;
}

static int compare(const void *a, const void *b) {
    const struct reference_token *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void sort(struct reference_list *list) {
    qsort(list->items, (size_t)list->n, sizeof *list->items, compare);
}

void reference_by_rank(struct reference_list *list) {
    for (int i = 0; i < list->n; i++)
        list->items[i].order = -list->items[i].logit;
    sort(list);
}

void reference_by_id(struct reference_list *list) {
    for (int i = 0; i < list->n; i++)
        list->items[i].order = 0;
    sort(list);
}

void reference_top_k(struct reference_list *list, int k) {
    reference_by_rank(list);
    if (list->n > k) list->n = k;
}

static void cut_at(struct reference_list *list, double p) {
    double sum = 0;
    for (int i = 0; i < list->n; i++) {
        sum += list->items[i].weight;
        if (sum >= p * list->total) {
            list->n = i + 1;
            return;
        }
    }
}

void reference_top_p(struct reference_list *list, double p) {
    reference_softmax(list);
    reference_by_rank(list);
    cut_at(list, p);
}

void reference_min_p(struct reference_list *list, double p) {
    double top = -HUGE_VAL;
    int kept = 0;
    reference_softmax(list);
    for (int i = 0; i < list->n; i++)
        if (list->items[i].weight > top) top = list->items[i].weight;
    for (int i = 0; i < list->n; i++)
        if (list->items[i].weight >= p * top) list->items[kept++] = list->items[i];
    list->n = kept;
}

void reference_typical(struct reference_list *list, double p) {
    double entropy = 0;
    reference_softmax(list);
    for (int i = 0; i < list->n; i++)
        if (p_of(list, i) > 0) entropy -= p_of(list, i) * log(p_of(list, i));
    for (int i = 0; i < list->n; i++)
        list->items[i].order = fabs(-log(p_of(list, i)) - entropy);
    sort(list);
    cut_at(list, p);
}

void reference_xtc(struct reference_list *list, double threshold) {
    int above = 0;
    reference_softmax(list);
    reference_by_rank(list);
    while (above < list->n && list->items[above].weight >= threshold * list->total)
        above++;
    if (above < 2) return;
    memmove(list->items, list->items + above - 1,
            (size_t)(list->n - above + 1) * sizeof *list->items);
    list->n -= above - 1;
}

/* ---- changes ---- */

static float clamped(double x) {
    return x > (double)FLT_MAX ? FLT_MAX : x < -(double)FLT_MAX ? -FLT_MAX : (float)x;
}

/* How many tokens that end at place `at` agree with as many at the end, without a breaker. */
static int agreement(const struct reference_past *past, int first, int at) {
    int length = 0;
    while (at - length >= first && past->ids[at - length] == past->ids[past->n - 1 - length] &&
           !past->breaks[past->n - 1 - length])
        length++;
    return length;
}

static int dry_length(const struct sample_params *params, const struct reference_past *past,
                      int32_t id) {
    int first = 0, most = 0;
    if (params->dry_penalty_last_n >= 0 && past->n > params->dry_penalty_last_n)
        first = past->n - params->dry_penalty_last_n;
    for (int at = first; at < past->n - 1; at++) {
        int length = past->ids[at + 1] == id ? agreement(past, first, at) : 0;
        if (length > most) most = length;
    }
    return most;
}

static void change_one(const struct sample_params *params, const struct reference_past *past,
                       int32_t id, float *logit) {
    int seen = 0, given = 0;
    for (int i = 0; i < past->n; i++) {
        if (past->ids[i] != id) continue;
        seen += params->repeat_last_n < 0 || i >= past->n - params->repeat_last_n;
        given += i >= past->n_prompt;
    }
    if (seen)
        *logit = clamped(*logit > 0 ? (double)*logit / params->repetition_penalty
                                    : (double)*logit * params->repetition_penalty);
    if (given)
        *logit = clamped((double)*logit -
                         (params->frequency_penalty * given + params->presence_penalty));
    int length = params->dry_multiplier > 0 ? dry_length(params, past, id) : 0;
    if (length >= params->dry_allowed_length && !past->single[id])
        *logit = clamped((double)*logit -
                         params->dry_multiplier *
                             pow(params->dry_base, length - params->dry_allowed_length));
}

void reference_change(const struct sample_params *params, const struct reference_past *past,
                      int n_vocab, float *logits) {
    for (int32_t i = 0; i < params->n_bias; i++) {
        float *logit = &logits[params->bias[i].id];
        if (params->bias[i].bias == -INFINITY) *logit = -INFINITY;
        if (*logit != -INFINITY) *logit = clamped((double)*logit + (double)params->bias[i].bias);
    }
    for (int32_t id = 0; id < n_vocab; id++)
        if (logits[id] != -INFINITY) change_one(params, past, id, &logits[id]);
}
