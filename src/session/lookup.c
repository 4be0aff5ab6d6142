#include "session/lookup.h"

#include <stdlib.h>

#define CANDIDATES 64 // places that are compared, the latest first
#define MATCH_MAX 32  // tokens back that a place is compared
#define HEADS_MAX (1 << 20)

/* Places by their last two tokens: the latest of each hash, and from each place the one before. */
struct lookup {
    int n;          // tokens known
    int n_max;      // tokens it has room for
    uint32_t heads; // a power of two
    int32_t *head;  // (heads): 1 + the latest place, 0: none
    int32_t *prev;  // (n_max): the same of the place before
};

enum jl_status lookup_create(int n_max, struct lookup **out, struct jl_error *err) {
    struct lookup *lookup = calloc(1, sizeof *lookup);
    *out = lookup;
    if (!lookup) return jl_fail(err, JL_ERR_MEMORY, "out of memory for drafts");
    lookup->n_max = n_max;
    lookup->heads = 256;
    while (lookup->heads < HEADS_MAX && lookup->heads < (uint32_t)n_max)
        lookup->heads *= 2;
    lookup->head = calloc(lookup->heads, sizeof *lookup->head);
    lookup->prev = calloc((size_t)n_max + 1, sizeof *lookup->prev);
    if (lookup->head && lookup->prev) return JL_OK;
    lookup_free(lookup);
    *out = NULL;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for drafts of %d tokens", n_max);
}

void lookup_free(struct lookup *lookup) {
    if (!lookup) return;
    free(lookup->head);
    free(lookup->prev);
    free(lookup);
}

/* Of the pair that ends at ids[at]. */
static int32_t *slot(const struct lookup *lookup, const int32_t *ids, int at) {
    uint64_t pair = (uint64_t)(uint32_t)ids[at - 1] << 32 | (uint32_t)ids[at];
    uint32_t hash = (uint32_t)(pair * 0x9e3779b97f4a7c15u >> 40);
    return &lookup->head[hash & (lookup->heads - 1)];
}

void lookup_add(struct lookup *lookup, const int32_t *ids, int n) {
    if (n > lookup->n_max) n = lookup->n_max;
    for (; lookup->n < n; lookup->n++) {
        if (lookup->n == 0) continue;
        int32_t *head = slot(lookup, ids, lookup->n);
        lookup->prev[lookup->n] = *head;
        *head = 1 + lookup->n;
    }
}

static int match_length(const int32_t *ids, int n, int place) {
    int length = 0;
    while (length < MATCH_MAX && length <= place && ids[place - length] == ids[n - 1 - length])
        length++;
    return length;
}

int lookup_find(const struct lookup *lookup, const int32_t *ids, int n, int32_t *out, int n_out,
                int *matched) {
    int best = 0;
    *matched = 1; // fewer than two say nothing
    if (n < 2 || n != lookup->n) return 0;
    int32_t link = lookup->prev[n - 1];
    for (int i = 0; i < CANDIDATES && link && *matched < MATCH_MAX; i++) {
        int place = link - 1, length = match_length(ids, n, place);
        if (length > *matched) {
            *matched = length;
            best = place;
        }
        link = lookup->prev[place];
    }
    if (*matched < 2) return 0;
    for (int i = 0; i < n_out; i++) // past the end it goes round in what it has just said
        out[i] = best + 1 + i < n ? ids[best + 1 + i] : out[best + 1 + i - n];
    return n_out;
}
