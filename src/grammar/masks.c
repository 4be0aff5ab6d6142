/* Masks of sets.
 *
 * What a token may do as long as it stays inside a rule depends on the rule's place alone, not on
 * its callers: such a mask is found once by a walk over the whole trie, and kept. With it the nodes
 * of the trie at which the rule has ended: only what lies below them depends on the callers, and
 * only that is walked each time. (The division into tokens that do and do not depend on the stack
 * is XGrammar's, Dong et al. 2024.) */
#include <stdlib.h>
#include <string.h>

#include "grammar/sets.h"

#define KIND_FULL TRIE_COUNT
#define FULL_WALK 4096 // nodes walked below ends; a mask that took more is kept as a whole
#define WALK_STEPS 16  // nodes of the trie that are one step of work
#define MASK_HEAD 256  // bytes beside each mask: its set, and where it is found
#define SPARSE_SHARE 4 // a mask is kept as a list where that takes less than a quarter

struct mask_entry {
    uint32_t set;
    uint8_t kind;   // of the tokens of a trie inside the set's rules, or KIND_FULL: with all that
                    // follows
    uint32_t n_id;  // ids of tokens, where words is NULL
    uint32_t n_pop; // trie nodes at which the rule has ended and that have nodes below
    size_t bytes;   // of the heap block: ids or words, then pops
    int32_t *ids;
    uint64_t *words;
    uint32_t *pops;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the masks of a grammar");
}

static void free_entry(struct grammar_matcher *m, struct mask_entry *entry) {
    m->masks_held -= entry->bytes;
    free(entry->words ? (void *)entry->words : (void *)entry->ids);
}

void masks_clear(struct grammar_matcher *m) {
    for (size_t i = 0; i < m->n_mask; i++)
        free_entry(m, &m->masks[i]);
    m->n_mask = 0;
    if (m->n_mask_slot) memset(m->mask_slots, 0, m->n_mask_slot * sizeof *m->mask_slots);
}

void masks_free(struct grammar_matcher *m) {
    masks_clear(m);
    free(m->masks);
    free(m->mask_slots);
}

static size_t slot_of(const struct grammar_matcher *m, uint32_t set, uint8_t kind) {
    uint64_t h = ((TRIE_COUNT + 1) * (uint64_t)set + kind) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (m->n_mask_slot - 1);
}

static const struct mask_entry *find(const struct grammar_matcher *m, uint32_t set, uint8_t kind) {
    if (!m->n_mask_slot) return NULL;
    size_t slot = slot_of(m, set, kind);
    for (; m->mask_slots[slot]; slot = (slot + 1) & (m->n_mask_slot - 1)) {
        const struct mask_entry *entry = &m->masks[m->mask_slots[slot] - 1];
        if (entry->set == set && entry->kind == kind) return entry;
    }
    return NULL;
}

static void index_entry(struct grammar_matcher *m, size_t i) {
    size_t slot = slot_of(m, m->masks[i].set, m->masks[i].kind);
    while (m->mask_slots[slot])
        slot = (slot + 1) & (m->n_mask_slot - 1);
    m->mask_slots[slot] = (uint32_t)i + 1;
}

static bool widen(struct grammar_matcher *m) {
    if (2 * (m->n_mask + 1) <= m->n_mask_slot) return true;
    size_t n_slot = m->n_mask_slot ? 2 * m->n_mask_slot : 64;
    uint32_t *slots = calloc(n_slot, sizeof *slots);
    if (!slots) return false;
    free(m->mask_slots);
    m->mask_slots = slots;
    m->n_mask_slot = n_slot;
    for (size_t i = 0; i < m->n_mask; i++)
        index_entry(m, i);
    return true;
}

void masks_mark(const struct grammar_matcher *m, uint32_t *numbers) {
    for (size_t i = 0; i < m->n_mask; i++)
        if (m->masks[i].kind != KIND_FULL) numbers[m->masks[i].set] = 1;
}

void masks_renumber(struct grammar_matcher *m, const uint32_t *numbers) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_mask; i++) {
        struct mask_entry entry = m->masks[i];
        entry.set = numbers[entry.set];
        if (entry.kind != KIND_FULL)
            m->masks[n++] = entry;
        else
            free_entry(m, &entry);
    }
    m->n_mask = n;
    if (m->n_mask_slot) memset(m->mask_slots, 0, m->n_mask_slot * sizeof *m->mask_slots);
    for (size_t i = 0; i < n; i++)
        index_entry(m, i);
}

static size_t count_bits(const uint64_t *words, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += (size_t)__builtin_popcountll(words[i]);
    return count;
}

static void list_bits(const uint64_t *words, size_t n, int32_t *ids) {
    for (size_t i = 0; i < n; i++)
        for (uint64_t word = words[i]; word; word &= word - 1)
            *ids++ = (int32_t)(64 * i + (size_t)__builtin_ctzll(word));
}

/* Keeps a mask and the pops that are in the matcher; all others are forgotten where they take too
 * much together. */
static enum jl_status keep(struct grammar_matcher *m, uint32_t set, uint8_t kind,
                           const uint64_t *mask, struct jl_error *err) {
    size_t n_word = grammar_vocab_words(m->v), n_id = count_bits(mask, n_word);
    bool sparse = n_id * sizeof(int32_t) < n_word * sizeof(uint64_t) / SPARSE_SHARE;
    size_t head = sparse ? n_id * sizeof(int32_t) : n_word * sizeof(uint64_t);
    size_t bytes = head + m->n_pop * sizeof(uint32_t), held = bytes + MASK_HEAD;
    if (m->masks_held + held > m->mask_bytes) masks_clear(m);
    if (!widen(m) || !sets_grow((void **)&m->masks, &m->cap_mask, m->n_mask + 1, sizeof *m->masks))
        return no_memory(err);
    char *data = malloc(bytes + 1);
    if (!data) return no_memory(err);
    struct mask_entry entry = {.set = set, .kind = kind, .n_id = (uint32_t)n_id, .bytes = held};
    entry.n_pop = (uint32_t)m->n_pop;
    entry.pops = (uint32_t *)(void *)(data + head);
    if (m->n_pop) memcpy(entry.pops, m->pops, m->n_pop * sizeof *m->pops);
    if (sparse) {
        entry.ids = (int32_t *)(void *)data;
        list_bits(mask, n_word, entry.ids);
    } else {
        entry.words = (uint64_t *)(void *)data;
        memcpy(entry.words, mask, head);
    }
    m->masks[m->n_mask++] = entry;
    index_entry(m, m->n_mask - 1);
    m->masks_held += held;
    return JL_OK;
}

static void join(const struct grammar_matcher *m, const struct mask_entry *entry, uint64_t *mask) {
    size_t n_word = grammar_vocab_words(m->v);
    if (entry->words) {
        for (size_t i = 0; i < n_word; i++)
            mask[i] |= entry->words[i];
        return;
    }
    for (uint32_t i = 0; i < entry->n_id; i++)
        mask[entry->ids[i] >> 6] |= UINT64_C(1) << (entry->ids[i] & 63);
}

/* ---- walks ---- */

/* The set behind a byte: by a table for sets with many ranges, which walks meet often. */
static enum jl_status step(struct grammar_matcher *m, uint32_t set, uint8_t byte, uint32_t *out,
                           struct jl_error *err) {
    uint32_t slot = set % SETS_DENSE;
    if (m->dense_of[slot] == set) {
        *out = m->dense[slot][byte];
        return JL_OK;
    }
    JL_TRY(sets_expand(m, set, err));
    const struct set *s = &m->sets[set];
    if (s->n_range <= 3) return sets_step(m, set, byte, out, err);
    memset(m->dense[slot], 0xFF, sizeof m->dense[slot]); // SETS_NONE
    for (uint32_t i = 0; i < s->n_range; i++)
        for (uint32_t b = m->ranges[s->range + i].low; b <= m->ranges[s->range + i].high; b++)
            m->dense[slot][b] = m->ranges[s->range + i].target;
    m->dense_of[slot] = set;
    *out = m->dense[slot][byte];
    return JL_OK;
}

/* Follows the nodes [from, to), children of one at which the text is in `set`, and adds the tokens
 * that stay in the grammar. With `pops` the nodes at which all may be over are gathered. */
static enum jl_status walk(struct grammar_matcher *m, const struct trie *trie, uint32_t set,
                           const uint32_t range[2], uint64_t *mask, bool pops,
                           struct jl_error *err) {
    const struct trie_node *nodes = trie->nodes;
    if (range[0] == range[1]) return JL_OK;
    size_t visited = 0;
    m->way[nodes[range[0]].depth - 1] = set;
    for (uint32_t i = range[0]; i < range[1];) {
        const struct trie_node *node = &nodes[i];
        uint32_t target;
        JL_TRY(step(m, m->way[node->depth - 1], node->byte, &target, err));
        if (target == SETS_NONE) {
            i = node->next;
            continue;
        }
        for (uint32_t k = node->token; k < nodes[i + 1].token; k++) {
            int32_t id = trie->ids[k];
            mask[id >> 6] |= UINT64_C(1) << (id & 63);
        }
        m->way[node->depth] = target;
        visited++;
        if (pops && m->sets[target].complete && node->next > i + 1) {
            if (!sets_grow((void **)&m->pops, &m->cap_pop, m->n_pop + 1, sizeof *m->pops))
                return no_memory(err);
            m->pops[m->n_pop++] = i;
        }
        i++;
    }
    return sets_spend(m, visited / WALK_STEPS, err);
}

static enum jl_status add_special(struct grammar_matcher *m, uint32_t set, uint64_t *mask,
                                  struct jl_error *err) {
    JL_TRY(sets_expand(m, set, err));
    const struct set *s = &m->sets[set];
    for (uint32_t i = 0; i < s->n_token; i++) {
        int32_t id = m->tokens[s->token + i].id;
        if (id < m->v->n_token) mask[id >> 6] |= UINT64_C(1) << (id & 63);
    }
    return JL_OK;
}

/* The mask of the tokens of trie `kind` inside the rules of a set. */
static enum jl_status local_mask(struct grammar_matcher *m, uint32_t set, uint8_t kind,
                                 const struct mask_entry **out, struct jl_error *err) {
    const struct trie *trie = &m->v->tries[kind];
    *out = find(m, set, kind);
    if (*out) return JL_OK;
    memset(m->scratch_mask, 0, grammar_vocab_words(m->v) * sizeof *m->scratch_mask);
    m->n_pop = 0;
    JL_TRY(walk(m, trie, set, (uint32_t[]){0, trie->n_node}, m->scratch_mask, true, err));
    if (kind == 0) JL_TRY(add_special(m, set, m->scratch_mask, err));
    JL_TRY(keep(m, set, kind, m->scratch_mask, err));
    *out = find(m, set, kind);
    return JL_OK;
}

/* Adds what a group allows; *walked: how many nodes had to be looked at. */
static enum jl_status add_group(struct grammar_matcher *m, struct set_group group, uint64_t *mask,
                                size_t *walked, struct jl_error *err) {
    for (uint8_t kind = 0; kind < TRIE_COUNT; kind++) {
        const struct trie *trie = &m->v->tries[kind];
        const struct mask_entry *entry;
        JL_TRY(local_mask(m, group.local[kind], kind, &entry, err));
        join(m, entry, mask);
        for (uint32_t k = 0; group.node && k < entry->n_pop; k++) { // nothing follows node 0
            uint32_t node = entry->pops[k], below[2] = {node + 1, trie->nodes[node].next};
            JL_TRY(walk(m, trie, group.node, below, mask, false, err));
            *walked += below[1] - below[0];
        }
    }
    return JL_OK;
}

enum jl_status masks_allowed(struct grammar_matcher *m, uint32_t set, uint64_t *mask,
                             struct jl_error *err) {
    memset(mask, 0, grammar_vocab_words(m->v) * sizeof *mask);
    const struct mask_entry *entry = find(m, set, KIND_FULL);
    if (entry) {
        join(m, entry, mask);
        return JL_OK;
    }
    JL_TRY(sets_group(m, set, err));
    size_t walked = 0;
    for (uint32_t i = 0; i < m->sets[set].n_group; i++)
        JL_TRY(add_group(m, m->groups[m->sets[set].group + i], mask, &walked, err));
    if (walked <= FULL_WALK) return JL_OK;
    m->n_pop = 0;
    return keep(m, set, KIND_FULL, mask, err);
}
