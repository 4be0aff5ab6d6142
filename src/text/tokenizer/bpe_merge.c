#include "text/tokenizer/bpe_merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define NO_PAIR BPE_MERGE_NONE // higher than every rank
#define SCAN_MAX 32            // symbols; above, the heap is faster

static uint32_t rank_of(uint64_t value) { return (uint32_t)(value >> 32); }

/* ---- short pieces ---- */

static size_t merge_by_scan(const struct bpe_pairs *pairs, int32_t *symbols, size_t n,
                            uint64_t *first) {
    uint64_t own[SCAN_MAX], *pair = first ? first : own; // pair[i]: symbols i and i + 1
    for (size_t i = 0; !first && i + 1 < n; i++)
        pair[i] = bpe_pairs_get(pairs, symbols[i], symbols[i + 1]);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            if (rank_of(pair[i]) < rank_of(pair[best])) best = i;
        }
        if (pair[best] == NO_PAIR) break;
        symbols[best] = (int32_t)(uint32_t)pair[best];
        n--;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 1) * sizeof *symbols);
        if (best + 1 < n) {
            memmove(pair + best, pair + best + 1, (n - best - 1) * sizeof *pair);
            pair[best] = bpe_pairs_get(pairs, symbols[best], symbols[best + 1]);
        }
        if (best > 0) pair[best - 1] = bpe_pairs_get(pairs, symbols[best - 1], symbols[best]);
    }
    return n;
}

/* ---- long pieces ---- */

struct bpe_merge_node {
    uint64_t pair; // with the next symbol: rank and result
    int32_t symbol;
    int32_t prev, next; // positions, -1 at the ends
};

/* A min-heap of (rank, position). Entries are never removed early: one is stale when the rank at
 * its position has changed since. An entry that is equal to the current pair's is as good as the
 * one that belongs to it, so no generation count is needed. */
static void heap_push(uint64_t *heap, size_t *n, uint64_t entry) {
    size_t i = (*n)++;
    for (; i > 0 && heap[(i - 1) / 2] > entry; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = entry;
}

static uint64_t heap_pop(uint64_t *heap, size_t *n) {
    uint64_t top = heap[0], last = heap[--*n];
    size_t i = 0;
    for (size_t child = 1; child < *n; child = 2 * i + 1) {
        if (child + 1 < *n && heap[child + 1] < heap[child]) child++;
        if (last <= heap[child]) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static bool reserve(struct bpe_merge_scratch *scratch, size_t n) {
    if (n <= scratch->cap) return true;
    size_t node_bytes, heap_bytes;
    // Each merge takes one entry out and puts at most two in: never more than 2 n.
    if (!size_mul(n, sizeof *scratch->nodes, &node_bytes)) return false;
    if (!size_mul(n, 2 * sizeof *scratch->heap, &heap_bytes)) return false;
    bpe_merge_scratch_free(scratch);
    scratch->nodes = malloc(node_bytes);
    scratch->heap = malloc(heap_bytes);
    if (!scratch->nodes || !scratch->heap) {
        bpe_merge_scratch_free(scratch);
        return false;
    }
    scratch->cap = n;
    return true;
}

void bpe_merge_scratch_free(struct bpe_merge_scratch *scratch) {
    free(scratch->nodes);
    free(scratch->heap);
    *scratch = (struct bpe_merge_scratch){0};
}

/* Sets the pair of `at` with its right neighbour, and queues it if the two can merge. */
static void renew_pair(const struct bpe_pairs *pairs, struct bpe_merge_scratch *scratch, int32_t at,
                       size_t *n_heap) {
    struct bpe_merge_node *node = &scratch->nodes[at];
    node->pair = node->next < 0
                     ? NO_PAIR
                     : bpe_pairs_get(pairs, node->symbol, scratch->nodes[node->next].symbol);
    if (node->pair == NO_PAIR) return;
    heap_push(scratch->heap, n_heap, (uint64_t)rank_of(node->pair) << 32 | (uint32_t)at);
}

static size_t merge_by_heap(const struct bpe_pairs *pairs, int32_t *symbols, size_t n,
                            struct bpe_merge_scratch *scratch) {
    struct bpe_merge_node *nodes = scratch->nodes;
    size_t n_heap = 0;
    for (size_t i = 0; i < n; i++) {
        nodes[i] = (struct bpe_merge_node){
            .symbol = symbols[i], .prev = (int32_t)i - 1, .next = i + 1 < n ? (int32_t)i + 1 : -1};
    }
    for (size_t i = 0; i < n; i++)
        renew_pair(pairs, scratch, (int32_t)i, &n_heap);
    while (n_heap) {
        uint64_t entry = heap_pop(scratch->heap, &n_heap);
        int32_t at = (int32_t)(uint32_t)entry;
        struct bpe_merge_node *node = &nodes[at];
        if (node->pair == NO_PAIR || rank_of(node->pair) != rank_of(entry)) continue;
        struct bpe_merge_node *gone = &nodes[node->next];
        node->symbol = (int32_t)(uint32_t)node->pair;
        node->next = gone->next;
        gone->pair = NO_PAIR;
        if (node->next >= 0) nodes[node->next].prev = at;
        renew_pair(pairs, scratch, at, &n_heap);
        if (node->prev >= 0) renew_pair(pairs, scratch, node->prev, &n_heap);
    }
    size_t out = 0;
    for (int32_t at = 0; at >= 0; at = nodes[at].next)
        symbols[out++] = nodes[at].symbol;
    return out;
}

bool bpe_merge(const struct bpe_pairs *pairs, int32_t *symbols, size_t *n, uint64_t *first,
               struct bpe_merge_scratch *scratch) {
    if (*n > BPE_MERGE_MAX) return false;
    if (*n <= SCAN_MAX) {
        *n = merge_by_scan(pairs, symbols, *n, first);
        return true;
    }
    if (!reserve(scratch, *n)) return false;
    *n = merge_by_heap(pairs, symbols, *n, scratch);
    return true;
}
