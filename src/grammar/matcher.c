#include "grammar/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/sets.h"

#define STATE_BYTES ((size_t)16 << 20)
#define MASK_BYTES ((size_t)32 << 20)

static const struct set_item done = {SETS_DONE, 0, 0}; // is set 0

void grammar_matcher_free(struct grammar_matcher *m) {
    if (!m) return;
    free(m->sets);
    free(m->items);
    free(m->ranges);
    free(m->tokens);
    free(m->groups);
    free(m->slots);
    items_free(&m->closure);
    items_free(&m->normal);
    items_free(&m->ends);
    free(m->picked);
    free(m->hits);
    free(m->calls);
    free(m->way);
    free(m->dense);
    masks_free(m);
    free(m->scratch_mask);
    free(m->pops);
    free(m);
}

static void forget_tables(struct grammar_matcher *m) {
    for (int i = 0; i < SETS_DENSE; i++)
        m->dense_of[i] = SETS_NONE;
}

static enum jl_status prepare(struct grammar_matcher *m, struct jl_error *err) {
    m->way = calloc(m->v->longest + 1, sizeof *m->way);
    m->dense = malloc(SETS_DENSE * sizeof *m->dense);
    m->scratch_mask = calloc(grammar_vocab_words(m->v) + 1, sizeof *m->scratch_mask);
    if (!m->way || !m->dense || !m->scratch_mask)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a matcher");
    forget_tables(m);
    uint32_t zero;
    JL_TRY(sets_intern(m, &done, 1, &zero, err));
    struct set_item first = {m->g->rules[0].start, 0, zero};
    return sets_intern(m, &first, 1, &m->start, err);
}

enum jl_status grammar_matcher_new(const struct grammar *grammar, const struct grammar_vocab *vocab,
                                   const struct grammar_matcher_options *options,
                                   struct grammar_matcher **out, struct jl_error *err) {
    *out = NULL;
    struct grammar_matcher *m = calloc(1, sizeof *m);
    if (!m) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a matcher");
    m->g = grammar;
    m->v = vocab;
    m->state_bytes = options && options->state_bytes ? options->state_bytes : STATE_BYTES;
    m->keep_bytes = m->state_bytes;
    m->mask_bytes = options && options->mask_bytes ? options->mask_bytes : MASK_BYTES;
    enum jl_status status = prepare(m, err);
    if (status == JL_OK)
        *out = m;
    else
        grammar_matcher_free(m);
    return status;
}

struct grammar_state grammar_start(const struct grammar_matcher *m) {
    return (struct grammar_state){m->start};
}

bool grammar_is_complete(const struct grammar_matcher *m, struct grammar_state state) {
    return state.id < m->n_set && m->sets[state.id].complete;
}

static enum jl_status check(const struct grammar_matcher *m, struct grammar_state state,
                            struct jl_error *err) {
    if (state.id < m->n_set) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "a state of a grammar is not of this matcher");
}

enum jl_status grammar_allowed(struct grammar_matcher *m, struct grammar_state state,
                               uint64_t *mask, struct jl_error *err) {
    JL_TRY(check(m, state, err));
    m->work = 0;
    JL_TRY(masks_allowed(m, state.id, mask, err));
    if (m->sets[state.id].complete) return JL_OK;
    for (size_t i = 0; i < grammar_vocab_words(m->v); i++)
        if (mask[i]) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "no token of the vocabulary can go on with the text that the grammar asks for");
}

static enum jl_status take_bytes(struct grammar_matcher *m, uint32_t *set, const char *bytes,
                                 size_t len, struct jl_error *err) {
    for (size_t i = 0; i < len && *set != SETS_NONE; i++)
        JL_TRY(sets_step(m, *set, (uint8_t)bytes[i], set, err));
    return JL_OK;
}

enum jl_status grammar_accept_bytes(struct grammar_matcher *m, struct grammar_state *state,
                                    const char *bytes, size_t len, struct jl_error *err) {
    JL_TRY(check(m, *state, err));
    uint32_t set = state->id;
    m->work = 0;
    JL_TRY(take_bytes(m, &set, bytes, len, err));
    if (set == SETS_NONE)
        return jl_fail(err, JL_ERR_USAGE, "the grammar does not allow these bytes");
    state->id = set;
    return JL_OK;
}

/* The set behind a special token, and SETS_NONE. */
static uint32_t behind_token(const struct grammar_matcher *m, uint32_t set, int32_t id) {
    const struct set *s = &m->sets[set];
    for (uint32_t i = 0; i < s->n_token; i++)
        if (m->tokens[s->token + i].id == id) return m->tokens[s->token + i].target;
    return SETS_NONE;
}

/* A token that has bytes and is named by the grammar, too, goes both ways. */
enum jl_status grammar_accept(struct grammar_matcher *m, struct grammar_state *state, int32_t id,
                              struct jl_error *err) {
    JL_TRY(check(m, *state, err));
    m->work = 0;
    JL_TRY(sets_expand(m, state->id, err));
    struct grammar_token_bytes token = grammar_vocab_bytes(m->v, id);
    uint32_t named = behind_token(m, state->id, id), spelled = token.len ? state->id : SETS_NONE;
    JL_TRY(take_bytes(m, &spelled, token.bytes, token.len, err));
    uint32_t set = spelled == SETS_NONE ? named : spelled;
    if (set == SETS_NONE)
        return jl_fail(err, JL_ERR_USAGE, "the grammar does not allow token %d", (int)id);
    if (named != SETS_NONE && spelled != SETS_NONE && named != spelled) {
        uint32_t n = m->sets[named].n_item, k = m->sets[spelled].n_item;
        if (!sets_grow((void **)&m->picked, &m->cap_picked, n + k, sizeof *m->picked))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for the states of a grammar");
        memcpy(m->picked, m->items + m->sets[named].item, n * sizeof *m->picked);
        memcpy(m->picked + n, m->items + m->sets[spelled].item, k * sizeof *m->picked);
        JL_TRY(sets_intern(m, m->picked, n + k, &set, err));
    }
    state->id = set;
    return JL_OK;
}

enum jl_status grammar_forced(struct grammar_matcher *m, struct grammar_state state, char *bytes,
                              size_t cap, size_t *len, struct jl_error *err) {
    *len = 0;
    JL_TRY(check(m, state, err));
    m->work = 0;
    for (uint32_t set = state.id; *len < cap;) {
        JL_TRY(sets_expand(m, set, err));
        const struct set *s = &m->sets[set];
        if (s->complete || s->n_token || s->n_range != 1) return JL_OK;
        const struct set_range *range = &m->ranges[s->range];
        if (range->low != range->high) return JL_OK;
        bytes[(*len)++] = (char)range->low;
        set = range->target;
    }
    return JL_OK;
}

size_t grammar_matcher_bytes(const struct grammar_matcher *m) {
    return sets_bytes(m) + m->masks_held;
}

/* ---- keeping some states ---- */

/* Marks what the marked sets refer to: always sets of a lower number. */
static void mark_nodes(const struct grammar_matcher *m, uint32_t *numbers) {
    for (size_t i = m->n_set; i-- > 0;) {
        const struct set *s = &m->sets[i];
        for (uint32_t k = 0; numbers[i] && k < s->n_item; k++)
            if (m->items[s->item + k].pos != SETS_DONE) numbers[m->items[s->item + k].node] = 1;
    }
}

/* Moves the marked sets together; numbers become theirs. Their order, and that of items, stays. */
static void compact(struct grammar_matcher *m, uint32_t *numbers) {
    size_t n = 0, n_item = 0;
    for (size_t i = 0; i < m->n_set; i++) {
        if (!numbers[i]) continue;
        struct set s = m->sets[i];
        for (uint32_t k = 0; k < s.n_item; k++) {
            struct set_item item = m->items[s.item + k];
            if (item.pos != SETS_DONE) item.node = numbers[item.node];
            m->items[n_item + k] = item;
        }
        numbers[i] = (uint32_t)n;
        m->sets[n++] =
            (struct set){.item = (uint32_t)n_item, .n_item = s.n_item, .complete = s.complete};
        n_item += s.n_item;
    }
    m->n_set = n;
    m->n_item = n_item;
    m->n_range = m->n_token = m->n_group = 0;
}

/* Drops all sets but those of the wanted states and, with `masks`, those that have one. */
static void drop(struct grammar_matcher *m, struct grammar_state **states, size_t n, bool masks,
                 uint32_t *numbers) {
    memset(numbers, 0, m->n_set * sizeof *numbers);
    numbers[0] = numbers[m->start] = 1;
    for (size_t i = 0; i < n; i++)
        numbers[states[i]->id] = 1;
    if (masks)
        masks_mark(m, numbers);
    else
        masks_clear(m);
    mark_nodes(m, numbers);
    compact(m, numbers);
    sets_index(m);
    masks_renumber(m, numbers);
    m->start = numbers[m->start];
    for (size_t i = 0; i < n; i++)
        states[i]->id = numbers[states[i]->id];
    forget_tables(m);
}

enum jl_status grammar_keep(struct grammar_matcher *m, struct grammar_state **states, size_t n,
                            struct jl_error *err) {
    for (size_t i = 0; i < n; i++)
        JL_TRY(check(m, *states[i], err));
    if (sets_bytes(m) <= m->keep_bytes) return JL_OK;
    uint32_t *numbers = malloc(m->n_set * sizeof *numbers);
    if (!numbers) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the states of a grammar");
    drop(m, states, n, true, numbers);
    if (sets_bytes(m) > m->state_bytes / 2) drop(m, states, n, false, numbers);
    free(numbers);
    // Where that many are wanted, dropping is not tried again before there are twice as many.
    m->keep_bytes = m->state_bytes;
    if (2 * sets_bytes(m) > m->keep_bytes) m->keep_bytes = 2 * sets_bytes(m);
    return JL_OK;
}
