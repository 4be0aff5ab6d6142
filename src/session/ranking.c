#include "session/ranking.h"

#include <math.h>

#include "session/softmax.h"

static int before(const struct ranked *a, const struct ranked *b) {
    return a->key < b->key || (a->key == b->key && a->id < b->id);
}

static void sift_down(struct ranked *heap, int32_t n, int32_t at) {
    struct ranked item = heap[at];
    for (;;) {
        int64_t child = 2 * (int64_t)at + 1;
        if (child >= n) break;
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &item)) break;
        heap[at] = heap[child];
        at = (int32_t)child;
    }
    heap[at] = item;
}

void ranking_build(struct ranked *heap, int32_t n) {
    for (int32_t at = n / 2; at-- > 0;)
        sift_down(heap, n, at);
}

struct ranked ranking_take(struct ranked *heap, int32_t *n) {
    struct ranked first = heap[0];
    heap[0] = heap[--*n];
    if (*n) sift_down(heap, *n, 0);
    return first;
}

/* A logit that at least k of them reach: the k-th largest of the blocks' largest. With fewer blocks
 * than k there is no such bound. `heap` has room for all blocks. */
static float reached_by(const float *maxima, int32_t n_block, int32_t k, struct ranked *heap) {
    if (k > n_block) return -INFINITY;
    for (int32_t b = 0; b < n_block; b++)
        heap[b] = (struct ranked){-(double)maxima[b], b};
    ranking_build(heap, n_block);
    struct ranked last = heap[0];
    for (int32_t i = 0, left = n_block; i < k; i++)
        last = ranking_take(heap, &left);
    return (float)-last.key;
}

int32_t ranking_largest(const float *logits, int32_t n, int32_t k, struct ranked *out,
                        float *maxima) {
    int32_t n_block = RANKING_BLOCKS(n), found = 0;
    for (int32_t b = 0; b < n_block; b++) {
        int32_t at = b * RANKING_BLOCK, left = n - at;
        maxima[b] = softmax_top(logits + at, left < RANKING_BLOCK ? left : RANKING_BLOCK);
    }
    float bound = reached_by(maxima, n_block, k, out);
    for (int32_t b = 0; b < n_block; b++) {
        if (!(maxima[b] >= bound)) continue;
        int32_t at = b * RANKING_BLOCK, end = at + RANKING_BLOCK < n ? at + RANKING_BLOCK : n;
        for (int32_t i = at; i < end; i++)
            if (logits[i] >= bound && logits[i] > -INFINITY)
                out[found++] = (struct ranked){-(double)logits[i], i};
    }
    ranking_build(out, found);
    int32_t taken = 0, left = found;
    // The heap shrinks from its end: what is taken goes there, and is turned round afterwards.
    while (left && taken < k) {
        struct ranked first = ranking_take(out, &left);
        out[left] = first;
        taken++;
    }
    for (int32_t i = 0; i < taken; i++) {
        int32_t from = found - 1 - i;
        if (from <= i) break;
        struct ranked swap = out[i];
        out[i] = out[from];
        out[from] = swap;
    }
    return taken;
}
