#include "session/candidates.h"

#include <math.h>
#include <string.h>

#include "base/fmath.h"
#include "session/softmax.h"

/* ---- weights ---- */

/* Weights of items [at, at + n). */
static void block_weights(const struct candidates *list, int32_t at, int n, double scale,
                          double *out) {
    float logits[SOFTMAX_BLOCK];
    for (int i = 0; i < n; i++)
        logits[i] = list->items[at + i].logit;
    softmax_weights(logits, n, list->top, scale, out);
}

static int block_size(const struct candidates *list, int32_t at) {
    return list->n - at < SOFTMAX_BLOCK ? list->n - at : SOFTMAX_BLOCK;
}

static double total_weight(const struct candidates *list, double scale) {
    double block[SOFTMAX_BLOCK], sum = 0;
    for (int32_t at = 0; at < list->n; at += SOFTMAX_BLOCK) {
        int n = block_size(list, at);
        block_weights(list, at, n, scale, block);
        for (int i = 0; i < n; i++)
            sum += block[i];
    }
    return sum;
}

static double weight_of(const struct candidates *list, float logit) {
    double weight;
    softmax_weights(&logit, 1, list->top, 1, &weight);
    return weight;
}

static void find_top(struct candidates *list) {
    list->top = -INFINITY;
    for (int32_t i = 0; i < list->n; i++)
        if (list->items[i].logit > list->top) list->top = list->items[i].logit;
}

/* ---- the list ---- */

void candidates_all(struct candidates *list, const float *logits, int32_t n_vocab) {
    list->n = 0;
    list->ranked = false;
    for (int32_t i = 0; i < n_vocab; i++)
        if (logits[i] > -INFINITY) list->items[list->n++] = (struct candidate){logits[i], i};
    find_top(list);
}

/* ---- order ---- */

/* A number that grows as the logit falls; both zeros are one. */
static uint32_t falling(float logit) {
    float x = logit + 0.0f; // -0 becomes +0
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFFu;
}

/* From the order of the vocabulary into that of rank: by 11 bits of the logit at a time, the lowest
 * first; what is equal keeps its order. */
static void sort_by_rank(struct candidates *list) {
    enum { BITS = 11, BUCKETS = 1 << BITS, PASSES = 3 };
    struct candidate *from = list->items, *to = list->spare;
    for (int pass = 0; pass < PASSES; pass++) {
        int shift = pass * BITS;
        int32_t start[BUCKETS + 1] = {0};
        for (int32_t i = 0; i < list->n; i++)
            start[(falling(from[i].logit) >> shift & (BUCKETS - 1)) + 1]++;
        for (int b = 0; b < BUCKETS; b++)
            start[b + 1] += start[b];
        for (int32_t i = 0; i < list->n; i++)
            to[start[falling(from[i].logit) >> shift & (BUCKETS - 1)]++] = from[i];
        struct candidate *swap = from;
        from = to;
        to = swap;
    }
    // An odd number of passes: the result is in the spare array.
    list->spare = to;
    list->items = from;
    list->ranked = true;
}

/* Above so many a sort of all is quicker than taking them one by one from a heap. */
#define HEAP_MOST 2048

void candidates_top_k(struct candidates *list, const float *logits, int32_t n_vocab, int32_t k) {
    if (k > HEAP_MOST) {
        candidates_all(list, logits, n_vocab);
        sort_by_rank(list);
        if (list->n > k) list->n = k;
        return;
    }
    list->n = ranking_largest(logits, n_vocab, k, list->heap, list->maxima);
    list->ranked = true;
    for (int32_t i = 0; i < list->n; i++)
        list->items[i] = (struct candidate){(float)-list->heap[i].key, list->heap[i].id};
    list->top = list->n ? list->items[0].logit : -INFINITY;
}

/* ---- stages ---- */

static void cut_ranked(struct candidates *list, double wanted) {
    double block[SOFTMAX_BLOCK], sum = 0;
    for (int32_t at = 0; at < list->n; at += SOFTMAX_BLOCK) {
        int n = block_size(list, at);
        block_weights(list, at, n, 1, block);
        for (int i = 0; i < n; i++) {
            sum += block[i];
            if (sum < wanted) continue;
            list->n = at + i + 1;
            return;
        }
    }
}

/* What lies below (1 - p) / 2n of the total each has less than (1 - p) / 2 of it together: the
 * nucleus ends before that. The list's weights stay relative to the same top. */
static void drop_the_unlikely(struct candidates *list, double p, double total) {
    double bound = (double)list->top + fmath_log64((1 - p) / 2 * total / list->n);
    int32_t kept = 0;
    for (int32_t i = 0; i < list->n; i++)
        if ((double)list->items[i].logit >= bound) list->items[kept++] = list->items[i];
    list->n = kept;
}

static void take_from_heap(struct candidates *list, double wanted) {
    int32_t left = list->n, kept = 0;
    double sum = 0;
    for (int32_t i = 0; i < left; i++)
        list->heap[i] = (struct ranked){-(double)list->items[i].logit, list->items[i].id};
    ranking_build(list->heap, left);
    do {
        struct ranked next = ranking_take(list->heap, &left);
        list->items[kept++] = (struct candidate){(float)-next.key, next.id};
        sum += weight_of(list, (float)-next.key);
    } while (sum < wanted && left);
    list->n = kept;
    list->ranked = true;
}

void candidates_top_p(struct candidates *list, double p) {
    if (p >= 1) return;
    double total = total_weight(list, 1), wanted = p * total;
    if (!list->ranked) drop_the_unlikely(list, p, total);
    if (!list->ranked && list->n <= HEAP_MOST) {
        take_from_heap(list, wanted);
        return;
    }
    if (!list->ranked) sort_by_rank(list);
    cut_ranked(list, wanted);
}

void candidates_min_p(struct candidates *list, double p) {
    double bound = fmath_log64(p);
    int32_t kept = 0;
    for (int32_t i = 0; i < list->n; i++)
        if ((double)list->items[i].logit - (double)list->top >= bound)
            list->items[kept++] = list->items[i];
    list->n = kept;
}

/* The total of the weights, and -sum p log p - log Z = -sum w (logit - top) / Z. */
static double total_and_middle(const struct candidates *list, double *middle) {
    double block[SOFTMAX_BLOCK], sum = 0, moment = 0;
    for (int32_t at = 0; at < list->n; at += SOFTMAX_BLOCK) {
        int n = block_size(list, at);
        block_weights(list, at, n, 1, block);
        for (int i = 0; i < n; i++) {
            sum += block[i];
            moment += block[i] * ((double)list->items[at + i].logit - (double)list->top);
        }
    }
    *middle = -moment / sum;
    return sum;
}

/* How far a token's -log p is from the entropy. */
static double distance(const struct candidates *list, int32_t i, double middle) {
    return fabs(((double)list->top - (double)list->items[i].logit) - middle);
}

/* Distances by bins of 1/128 nat, the last one for all that is further: only the tokens of the bin
 * in which the sum reaches its goal must be put in order. */
#define BINS 4096
#define BINS_A_NAT 128

static int bin_of(double distance) {
    double bin = distance * BINS_A_NAT;
    return bin < BINS - 1 ? (int)bin : BINS - 1;
}

/* The bin in which the sum of the weights, bin by bin, reaches `wanted`, and no empty
 * one; *sum: of those before. */
static int find_bin(const struct candidates *list, double middle, double wanted, double *sum) {
    double block[SOFTMAX_BLOCK], mass[BINS] = {0};
    bool used[BINS] = {false}, any = false;
    int bin = 0;
    for (int32_t at = 0; at < list->n; at += SOFTMAX_BLOCK) {
        int n = block_size(list, at);
        block_weights(list, at, n, 1, block);
        for (int i = 0; i < n; i++) {
            int b = bin_of(distance(list, at + i, middle));
            mass[b] += block[i];
            used[b] = true;
        }
    }
    for (*sum = 0; bin < BINS - 1; bin++) {
        any = any || used[bin];
        if (any && *sum + mass[bin] >= wanted) break;
        *sum += mass[bin];
    }
    return bin;
}

void candidates_typical(struct candidates *list, double p) {
    if (p >= 1) return;
    double middle, sum, wanted = p * total_and_middle(list, &middle);
    int border = find_bin(list, middle, wanted, &sum);
    int32_t left = 0, kept = 0;
    for (int32_t i = 0; i < list->n; i++) {
        double key = distance(list, i, middle);
        int bin = bin_of(key);
        if (bin == border) list->heap[left++] = (struct ranked){key, list->items[i].id};
        list->marks[list->items[i].id] = bin < border ? -1 : i; // -1: stays
    }
    ranking_build(list->heap, left);
    while (left && (sum < wanted || kept == 0)) {
        int32_t at = list->marks[ranking_take(list->heap, &left).id];
        sum += weight_of(list, list->items[at].logit);
        list->marks[list->items[at].id] = -1;
        kept++;
    }
    kept = 0;
    for (int32_t i = 0; i < list->n; i++) {
        struct candidate item = list->items[i];
        if (list->marks[item.id] < 0) list->items[kept++] = item;
        list->marks[item.id] = 0;
    }
    list->n = kept;
    find_top(list);
}

void candidates_xtc(struct candidates *list, double threshold) {
    double wanted = threshold * total_weight(list, 1);
    int32_t above = 0, kept = 0;
    struct candidate least = {0};
    for (int32_t i = 0; i < list->n; i++) {
        struct candidate item = list->items[i];
        if (weight_of(list, item.logit) < wanted) continue;
        if (above++ == 0 || item.logit < least.logit ||
            (item.logit == least.logit && item.id > least.id))
            least = item;
    }
    if (above < 2) return;
    for (int32_t i = 0; i < list->n; i++) {
        struct candidate item = list->items[i];
        if (item.id == least.id || weight_of(list, item.logit) < wanted) list->items[kept++] = item;
    }
    list->n = kept;
    find_top(list);
}

int32_t candidates_draw(const struct candidates *list, double temperature, double unit) {
    double block[SOFTMAX_BLOCK], scale = 1 / temperature, sum = 0;
    int32_t n_block = (list->n + SOFTMAX_BLOCK - 1) / SOFTMAX_BLOCK, b = 0;
    for (; b < n_block; b++) { // what the chain has come to before each block is kept
        list->heap[b].key = sum;
        int n = block_size(list, b * SOFTMAX_BLOCK);
        block_weights(list, b * SOFTMAX_BLOCK, n, scale, block);
        for (int i = 0; i < n; i++)
            sum += block[i];
    }
    double wanted = unit * sum;
    for (b = n_block - 1; b > 0 && list->heap[b].key > wanted;) // it is exceeded before that one
        b--;
    sum = list->heap[b].key;
    int n = block_size(list, b * SOFTMAX_BLOCK);
    block_weights(list, b * SOFTMAX_BLOCK, n, scale, block);
    for (int i = 0; i < n; i++) {
        sum += block[i];
        if (sum > wanted) return list->items[b * SOFTMAX_BLOCK + i].id;
    }
    int32_t best = 0; // the product above may round up to the total
    while (list->items[best].logit != list->top)
        best++;
    return list->items[best].id;
}
