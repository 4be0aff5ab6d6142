#include "grammar/sets.h"

#include <stdlib.h>
#include <string.h>

#define HARD_FACTOR 8 // times state_bytes: more states are an error

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the states of a grammar");
}

enum jl_status sets_spend(struct grammar_matcher *m, size_t work, struct jl_error *err) {
    m->work += work;
    if (m->work <= GRAMMAR_MAX_WORK) return JL_OK;
    return jl_fail(err, JL_ERR_LIMIT,
                   "the grammar is too ambiguous here: following it takes more than %d steps; make "
                   "its alternatives differ where they begin",
                   GRAMMAR_MAX_WORK);
}

static enum jl_status add_item(struct item_list *list, struct set_item item, struct jl_error *err) {
    if (list->n >= GRAMMAR_MAX_ITEMS)
        return jl_fail(err, JL_ERR_LIMIT,
                       "the grammar is too ambiguous here: more than %d ways to read one text; "
                       "make its alternatives differ where they begin",
                       GRAMMAR_MAX_ITEMS);
    return items_add(list, item) ? JL_OK : no_memory(err);
}

size_t sets_bytes(const struct grammar_matcher *m) {
    return m->n_set * (sizeof *m->sets + 2 * sizeof *m->slots) + m->n_item * sizeof *m->items +
           m->n_range * sizeof *m->ranges + m->n_token * sizeof *m->tokens +
           m->n_group * sizeof *m->groups;
}

/* Does the free edge lead anywhere with this counter, and with which one? */
static bool passes(const struct grammar *g, const struct edge *e, uint32_t *count) {
    if (e->op == OP_NONE) return true;
    const struct program_loop *loop = &g->loops[e->arg];
    switch (e->op) {
    case OP_ENTER: *count = 1; return true;
    case OP_AGAIN:
        if (loop->high != GRAMMAR_UNBOUNDED) return ++*count <= loop->high;
        if (*count < loop->low) ++*count;
        return true;
    case OP_CHAR: return ++*count + e->low + 256u * e->high <= loop->high;
    case OP_LEAVE: {
        bool enough = *count >= loop->low;
        *count = 0;
        return enough;
    }
    default: return true;
    }
}

/* Can the rule of the item end here? */
static enum jl_status may_end(struct grammar_matcher *m, struct set_item item, bool *out,
                              struct jl_error *err) {
    const struct grammar *g = m->g;
    *out = false;
    items_clear(&m->ends);
    JL_TRY(add_item(&m->ends, item, err));
    for (size_t i = 0; i < m->ends.n && !*out; i++) {
        struct set_item at = m->ends.items[i];
        *out = g->first[at.pos] == g->first[at.pos + 1];
        for (uint32_t k = g->first[at.pos]; k < g->first[at.pos + 1]; k++) {
            const struct edge *e = &g->edges[k];
            struct set_item next = {e->target, at.count, 0};
            if (!(g->flags[e->target] & POSITION_MAY_END)) continue;
            bool free_edge = e->kind == EDGE_FREE && passes(g, e, &next.count);
            if (free_edge || (e->kind == EDGE_CALL && g->rules[e->arg].empty))
                JL_TRY(add_item(&m->ends, next, err));
        }
    }
    return sets_spend(m, m->ends.n, err);
}

/* Into m->normal: the items, and what follows those that may end; without those that only end. */
static enum jl_status normalize(struct grammar_matcher *m, const struct set_item *items, size_t n,
                                struct jl_error *err) {
    struct item_list *list = &m->normal;
    items_clear(list);
    for (size_t i = 0; i < n; i++)
        JL_TRY(add_item(list, items[i], err));
    for (size_t i = 0; i < list->n; i++) {
        struct set_item item = list->items[i];
        if (item.pos == SETS_DONE || !(m->g->flags[item.pos] & POSITION_MAY_END)) continue;
        bool ends = true;
        item.node = 0;
        JL_TRY(may_end(m, item, &ends, err));
        if (!ends) continue;
        const struct set *next = &m->sets[list->items[i].node];
        for (uint32_t k = 0; k < next->n_item; k++)
            JL_TRY(add_item(list, m->items[next->item + k], err));
    }
    return sets_spend(m, list->n, err);
}

static int compare_items(const void *a, const void *b) {
    const struct set_item *x = a, *y = b;
    if (x->node != y->node) return x->node < y->node ? -1 : 1; // groups lie together
    if (x->pos != y->pos) return x->pos < y->pos ? -1 : 1;
    return x->count < y->count ? -1 : x->count > y->count;
}

static uint32_t hash_items(const struct set_item *items, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ items[i].pos) * UINT64_C(0x9E3779B97F4A7C15);
        h = (h ^ (h >> 29) ^ items[i].count) * UINT64_C(0xC2B2AE3D27D4EB4F);
        h = (h ^ (h >> 31) ^ items[i].node) * UINT64_C(0x9E3779B97F4A7C15);
    }
    return (uint32_t)(h >> 32);
}

void sets_index(struct grammar_matcher *m) {
    memset(m->slots, 0, m->n_slot * sizeof *m->slots);
    for (size_t i = 0; i < m->n_set; i++) {
        struct set *s = &m->sets[i];
        s->hash = hash_items(m->items + s->item, s->n_item);
        size_t slot = s->hash & (m->n_slot - 1);
        while (m->slots[slot])
            slot = (slot + 1) & (m->n_slot - 1);
        m->slots[slot] = (uint32_t)i + 1;
    }
}

static bool widen(struct grammar_matcher *m) {
    if (2 * (m->n_set + 1) <= m->n_slot) return true;
    size_t n_slot = m->n_slot ? 2 * m->n_slot : 256;
    uint32_t *slots = malloc(n_slot * sizeof *slots);
    if (!slots) return false;
    free(m->slots);
    m->slots = slots;
    m->n_slot = n_slot;
    sets_index(m);
    return true;
}

/* The set of these sorted items, new or old. */
static enum jl_status find_or_add(struct grammar_matcher *m, const struct set_item *items, size_t n,
                                  uint32_t *out, struct jl_error *err) {
    uint32_t hash = hash_items(items, n);
    if (!widen(m)) return no_memory(err);
    size_t slot = hash & (m->n_slot - 1);
    for (; m->slots[slot]; slot = (slot + 1) & (m->n_slot - 1)) {
        const struct set *other = &m->sets[m->slots[slot] - 1];
        if (other->hash != hash || other->n_item != n) continue;
        if (memcmp(m->items + other->item, items, n * sizeof *items) != 0) continue;
        *out = m->slots[slot] - 1;
        return JL_OK;
    }
    if (sets_bytes(m) > HARD_FACTOR * m->state_bytes)
        return jl_fail(err, JL_ERR_LIMIT,
                       "the states of a grammar take more than %zu bytes: the text is nested too "
                       "deep, or the grammar is too large",
                       HARD_FACTOR * m->state_bytes);
    if (!sets_grow((void **)&m->sets, &m->cap_set, m->n_set + 1, sizeof *m->sets) ||
        !sets_grow((void **)&m->items, &m->cap_item, m->n_item + n, sizeof *m->items))
        return no_memory(err);
    struct set set = {.item = (uint32_t)m->n_item, .n_item = (uint32_t)n, .hash = hash};
    memcpy(m->items + m->n_item, items, n * sizeof *items);
    for (size_t i = 0; i < n; i++)
        set.complete = set.complete || items[i].pos == SETS_DONE;
    m->n_item += n;
    m->sets[m->n_set] = set;
    m->slots[slot] = (uint32_t)++m->n_set;
    *out = (uint32_t)m->n_set - 1;
    return JL_OK;
}

enum jl_status sets_intern(struct grammar_matcher *m, const struct set_item *items, size_t n,
                           uint32_t *out, struct jl_error *err) {
    JL_TRY(normalize(m, items, n, err));
    struct item_list *list = &m->normal;
    size_t kept = 0; // sorting spoils the list's index, which is cleared before it is used again
    for (size_t i = 0; i < list->n; i++) {
        uint32_t pos = list->items[i].pos;
        if (pos == SETS_DONE || (m->g->flags[pos] & POSITION_WAITS))
            list->items[kept++] = list->items[i];
    }
    list->n = kept;
    if (kept > 1) qsort(list->items, kept, sizeof *list->items, compare_items);
    return find_or_add(m, list->items, kept, out, err);
}

/* ---- what leads out of a set ---- */

static enum jl_status follow_edges(struct grammar_matcher *m, struct set_item at,
                                   struct jl_error *err) {
    const struct grammar *g = m->g;
    for (uint32_t k = g->first[at.pos]; k < g->first[at.pos + 1]; k++) {
        const struct edge *e = &g->edges[k];
        struct set_item to = {e->target, at.count, at.node};
        switch (e->kind) {
        case EDGE_FREE:
            if (passes(g, e, &to.count)) JL_TRY(add_item(&m->closure, to, err));
            break;
        case EDGE_BYTE:
            if (!sets_grow((void **)&m->hits, &m->cap_hit, m->n_hit + 1, sizeof *m->hits))
                return no_memory(err);
            m->hits[m->n_hit++] = (struct set_hit){to, e->low, e->high};
            break;
        case EDGE_CALL:
            if (!sets_grow((void **)&m->calls, &m->cap_call, m->n_call + 1, sizeof *m->calls))
                return no_memory(err);
            m->calls[m->n_call++] = (struct set_call){e->arg, to};
            if (g->rules[e->arg].empty) JL_TRY(add_item(&m->closure, to, err));
            break;
        default: // tokens are gathered when all is found
            break;
        }
    }
    return JL_OK;
}

/* Enters the waiting rule of the lowest rank: nothing that is still to come can call it. */
static enum jl_status enter_rule(struct grammar_matcher *m, struct jl_error *err) {
    uint32_t rule = m->calls[0].rule;
    for (size_t i = 1; i < m->n_call; i++)
        if (m->g->rules[m->calls[i].rule].rank < m->g->rules[rule].rank) rule = m->calls[i].rule;
    size_t n = 0, rest = 0;
    if (!sets_grow((void **)&m->picked, &m->cap_picked, m->n_call, sizeof *m->picked))
        return no_memory(err);
    for (size_t i = 0; i < m->n_call; i++) {
        if (m->calls[i].rule == rule)
            m->picked[n++] = m->calls[i].back;
        else
            m->calls[rest++] = m->calls[i];
    }
    JL_TRY(sets_spend(m, m->n_call, err));
    m->n_call = rest;
    uint32_t node;
    JL_TRY(sets_intern(m, m->picked, n, &node, err));
    return add_item(&m->closure, (struct set_item){m->g->rules[rule].start, 0, node}, err);
}

static enum jl_status close_set(struct grammar_matcher *m, uint32_t set, struct jl_error *err) {
    items_clear(&m->closure);
    m->n_hit = m->n_call = 0;
    for (uint32_t i = 0; i < m->sets[set].n_item; i++) {
        struct set_item item = m->items[m->sets[set].item + i];
        if (item.pos != SETS_DONE) JL_TRY(add_item(&m->closure, item, err));
    }
    for (size_t i = 0;;) {
        for (; i < m->closure.n; i++)
            JL_TRY(follow_edges(m, m->closure.items[i], err));
        if (m->n_call == 0) break;
        JL_TRY(enter_rule(m, err));
    }
    return sets_spend(m, m->closure.n + m->n_hit, err);
}

/* Bytes at which some edge begins or has just ended. */
static void find_cuts(const struct grammar_matcher *m, bool cuts[257]) {
    memset(cuts, 0, 257);
    for (size_t i = 0; i < m->n_hit; i++) {
        cuts[m->hits[i].low] = true;
        cuts[m->hits[i].high + 1] = true;
    }
}

static enum jl_status add_range(struct grammar_matcher *m, uint32_t first, uint32_t target, int low,
                                int high, struct jl_error *err) {
    struct set_range *last = m->n_range > first ? &m->ranges[m->n_range - 1] : NULL;
    if (last && last->target == target && last->high + 1 == low) {
        last->high = (uint8_t)high;
        return JL_OK;
    }
    if (!sets_grow((void **)&m->ranges, &m->cap_range, m->n_range + 1, sizeof *m->ranges))
        return no_memory(err);
    m->ranges[m->n_range++] = (struct set_range){target, (uint8_t)low, (uint8_t)high};
    return JL_OK;
}

static enum jl_status expand_bytes(struct grammar_matcher *m, uint32_t first,
                                   struct jl_error *err) {
    bool cuts[257];
    find_cuts(m, cuts);
    if (!sets_grow((void **)&m->picked, &m->cap_picked, m->n_hit, sizeof *m->picked))
        return no_memory(err);
    for (int low = 0, high; low < 256; low = high + 1) {
        size_t n = 0;
        for (high = low; high < 255 && !cuts[high + 1];)
            high++;
        for (size_t i = 0; i < m->n_hit; i++)
            if (m->hits[i].low <= low && m->hits[i].high >= low) m->picked[n++] = m->hits[i].to;
        JL_TRY(sets_spend(m, m->n_hit / 8, err));
        if (n == 0) continue;
        uint32_t target;
        JL_TRY(sets_intern(m, m->picked, n, &target, err));
        JL_TRY(add_range(m, first, target, low, high, err));
    }
    return JL_OK;
}

static int compare_tokens(const void *a, const void *b) {
    const struct set_token *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Token edges of the closure. `target` holds the item's place until all with one id are joined. */
static enum jl_status expand_tokens(struct grammar_matcher *m, struct jl_error *err) {
    const struct grammar *g = m->g;
    size_t first = m->n_token, n = 0, kept = 0;
    for (size_t i = 0; i < m->closure.n; i++) {
        uint32_t p = m->closure.items[i].pos;
        for (uint32_t k = g->first[p]; k < g->first[p + 1]; k++) {
            if (g->edges[k].kind != EDGE_TOKEN) continue;
            if (!sets_grow((void **)&m->tokens, &m->cap_token, first + n + 1, sizeof *m->tokens) ||
                !sets_grow((void **)&m->picked, &m->cap_picked, n + 1, sizeof *m->picked))
                return no_memory(err);
            m->picked[n] = m->closure.items[i];
            m->picked[n].pos = g->edges[k].target;
            m->tokens[first + n] = (struct set_token){(uint32_t)n, (int32_t)g->edges[k].arg};
            n++;
        }
    }
    if (n == 0) return JL_OK;
    if (!sets_grow((void **)&m->picked, &m->cap_picked, 2 * n, sizeof *m->picked))
        return no_memory(err);
    qsort(m->tokens + first, n, sizeof *m->tokens, compare_tokens);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && m->tokens[first + end].id == m->tokens[first + i].id; end++)
            m->picked[n + end - i] = m->picked[m->tokens[first + end].target];
        uint32_t target;
        JL_TRY(sets_intern(m, m->picked + n, end - i, &target, err));
        m->tokens[first + kept++] = (struct set_token){target, m->tokens[first + i].id};
    }
    m->n_token = first + kept;
    return JL_OK;
}

enum jl_status sets_expand(struct grammar_matcher *m, uint32_t set, struct jl_error *err) {
    if (m->sets[set].expanded) return JL_OK;
    size_t range = m->n_range, token = m->n_token;
    enum jl_status status = close_set(m, set, err);
    if (status == JL_OK) status = expand_bytes(m, (uint32_t)range, err);
    if (status == JL_OK) status = expand_tokens(m, err);
    if (status != JL_OK) {
        m->n_range = range;
        m->n_token = token;
        return status;
    }
    struct set *s = &m->sets[set];
    s->range = (uint32_t)range;
    s->n_range = (uint16_t)(m->n_range - range);
    s->token = (uint32_t)token;
    s->n_token = (uint32_t)(m->n_token - token);
    s->expanded = true;
    return JL_OK;
}

enum jl_status sets_step(struct grammar_matcher *m, uint32_t set, uint8_t byte, uint32_t *out,
                         struct jl_error *err) {
    JL_TRY(sets_expand(m, set, err));
    const struct set *s = &m->sets[set];
    *out = SETS_NONE;
    for (uint32_t i = 0; i < s->n_range && m->ranges[s->range + i].low <= byte; i++)
        if (byte <= m->ranges[s->range + i].high) *out = m->ranges[s->range + i].target;
    return JL_OK;
}

/* ---- groups ---- */

/* A counter that is as good as `count` for tokens of less than `far` bytes: what is left until the
 * least and the greatest count is far away then stays far away. */
static uint32_t near_count(const struct program_loop *loop, uint32_t count, uint32_t far) {
    bool high_far = loop->high == GRAMMAR_UNBOUNDED || loop->high - count > far + loop->slack;
    if (count >= loop->low && high_far) return loop->low ? loop->low : 1;
    if (count < loop->low && loop->low - count > far) return 1; // so is the greatest count, then
    return count;
}

/* Items of one node as a set of their own, with counters for tokens of less than `far` bytes. */
static enum jl_status local_set(struct grammar_matcher *m, uint32_t first, uint32_t n, uint32_t far,
                                uint32_t *out, struct jl_error *err) {
    if (!sets_grow((void **)&m->picked, &m->cap_picked, n, sizeof *m->picked))
        return no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        struct set_item item = m->items[first + i];
        uint32_t loop = item.count ? m->g->loop_of[item.pos] : SETS_NONE;
        if (loop != SETS_NONE) item.count = near_count(&m->g->loops[loop], item.count, far);
        item.node = 0;
        m->picked[i] = item;
    }
    return sets_intern(m, m->picked, n, out, err);
}

enum jl_status sets_group(struct grammar_matcher *m, uint32_t set, struct jl_error *err) {
    if (m->sets[set].grouped) return JL_OK;
    size_t first = m->n_group;
    for (uint32_t i = 0, end, n = m->sets[set].n_item; i < n; i = end) {
        uint32_t item = m->sets[set].item;
        struct set_group group = {.node = m->items[item + i].node};
        for (end = i; end < n && m->items[item + end].node == group.node;)
            end++;
        // The item behind the whole text is the last of the first group: nothing can follow it.
        uint32_t n_item = end - i - (m->items[item + end - 1].pos == SETS_DONE);
        if (n_item == 0) continue;
        for (int k = 0; k < TRIE_COUNT; k++) {
            uint32_t most = trie_most[k] < m->v->longest ? trie_most[k] : m->v->longest;
            JL_TRY(local_set(m, item + i, n_item, most + 1, &group.local[k], err));
        }
        if (!sets_grow((void **)&m->groups, &m->cap_group, m->n_group + 1, sizeof *m->groups))
            return no_memory(err);
        m->groups[m->n_group++] = group;
    }
    m->sets[set].group = (uint32_t)first;
    m->sets[set].n_group = (uint32_t)(m->n_group - first);
    m->sets[set].grouped = true;
    return JL_OK;
}
