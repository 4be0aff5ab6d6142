#include "text/bpe_train/candidates.h"

#include <string.h>

#include "text/bpe_train/grow.h"
#include "text/bpe_train/learn.h"

static int compare_bytes(const struct bpe_learn *learn, int32_t a, int32_t b) {
    size_t len_a = learn->tokens[a].len, len_b = learn->tokens[b].len;
    if (a == b) return 0;
    int order =
        memcmp(bpe_learn_bytes(learn, a), bpe_learn_bytes(learn, b), len_a < len_b ? len_a : len_b);
    return order ? order : (len_a > len_b) - (len_a < len_b);
}

/* Whether a comes before b. */
static bool before(const struct bpe_learn *learn, const struct bpe_learn_candidate *a,
                   const struct bpe_learn_candidate *b) {
    if (a->count != b->count) return a->count > b->count;
    const struct bpe_learn_pair *x = &learn->pairs[a->pair], *y = &learn->pairs[b->pair];
    int order = compare_bytes(learn, x->left, y->left);
    return (order ? order : compare_bytes(learn, x->right, y->right)) < 0;
}

static void sink(struct bpe_learn *learn, size_t at) {
    struct bpe_learn_candidate *heap = learn->heap, item = heap[at];
    for (size_t child; (child = 2 * at + 1) < learn->n_heap; at = child) {
        if (child + 1 < learn->n_heap && before(learn, &heap[child + 1], &heap[child])) child++;
        if (!before(learn, &heap[child], &item)) break;
        heap[at] = heap[child];
    }
    heap[at] = item;
}

bool bpe_candidates_put(struct bpe_learn *learn, uint32_t pair) {
    struct bpe_learn_candidate *heap =
        bpe_grow(learn->heap, learn->n_heap, &learn->cap_heap, sizeof *heap);
    if (!heap) return false;
    learn->heap = heap;
    struct bpe_learn_candidate item = {learn->pairs[pair].count, pair};
    size_t at = learn->n_heap++;
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!before(learn, &item, &heap[parent])) break;
        heap[at] = heap[parent];
    }
    heap[at] = item;
    return true;
}

static void drop_top(struct bpe_learn *learn) {
    learn->heap[0] = learn->heap[--learn->n_heap];
    if (learn->n_heap) sink(learn, 0);
}

bool bpe_candidates_take(struct bpe_learn *learn, uint64_t min_count, uint32_t *pair) {
    while (learn->n_heap) {
        struct bpe_learn_candidate *top = &learn->heap[0];
        const struct bpe_learn_pair *found = &learn->pairs[top->pair];
        if (top->count < min_count) return false;
        if (found->merged >= 0 || found->count < min_count) {
            drop_top(learn);
        } else if (found->count < top->count) {
            top->count = found->count;
            sink(learn, 0);
        } else {
            *pair = top->pair;
            drop_top(learn);
            return true;
        }
    }
    return false;
}
