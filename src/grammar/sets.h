/* The inside of a matcher: sets of items, each kept once.
 *
 * An item is a place in the grammar, the counter of the rule it is in, and what follows that rule's
 * end: another set. So a set is both a state (where the text may be) and a stack (where callers go
 * on), of which common parts are shared: the graph-structured stack of Tomita (1987). Sets are
 * normal: where an item's rule may end here, what follows it is in the set, too; an item that can
 * do nothing but end is not. A call in the last place therefore adds nothing to the stack. A set's
 * number is greater than those it refers to. */
#ifndef JL_GRAMMAR_SETS_H
#define JL_GRAMMAR_SETS_H

#include <stdbool.h>

#include "grammar/limits.h"
#include "grammar/matcher.h"
#include "grammar/program.h"
#include "grammar/trie.h"

#define SETS_NONE UINT32_MAX
#define SETS_DONE UINT32_MAX // the position of the item behind the whole text
#define SETS_DENSE 64

struct set_item {
    uint32_t pos, count, node; // node: a set
};

struct set_range { // bytes that lead to one set
    uint32_t target;
    uint8_t low, high;
};

struct set_token {
    uint32_t target;
    int32_t id;
};

struct set_group {              // items that go on alike behind their rules
    uint32_t local[TRIE_COUNT]; // they alone, with nothing behind, for the tokens of each trie
    uint32_t node;
};

struct set {
    uint32_t item, range, token, group; // where they begin in the matcher's arrays
    uint32_t hash;
    uint32_t n_item, n_token, n_group;
    uint16_t n_range;
    bool expanded, grouped, complete;
};

/* Items without repeats, in the order they came. */
struct item_list {
    struct set_item *items;
    uint32_t *slots; // (n_slot) place in items plus 1, stamped
    uint32_t *stamps;
    size_t n, cap, n_slot;
    uint32_t stamp;
};

struct set_hit { // a byte edge out of a set
    struct set_item to;
    uint8_t low, high;
};

struct set_call { // a call edge out of a set, and where it comes back
    uint32_t rule;
    struct set_item back;
};

struct mask_entry;

struct grammar_matcher {
    const struct grammar *g;
    const struct grammar_vocab *v;
    size_t state_bytes, mask_bytes;
    size_t keep_bytes; // of states, from which on grammar_keep drops some
    uint32_t start;

    struct set *sets;
    struct set_item *items;
    struct set_range *ranges;
    struct set_token *tokens;
    struct set_group *groups;
    uint32_t *slots; // (n_slot) set plus 1 by hash, a power of two
    size_t n_set, n_item, n_range, n_token, n_group;
    size_t cap_set, cap_item, cap_range, cap_token, cap_group, n_slot;

    struct item_list closure, normal, ends; // scratch
    struct set_item *picked;
    struct set_hit *hits;
    struct set_call *calls;
    size_t n_hit, n_call, cap_picked, cap_hit, cap_call;
    uint64_t work; // of this call

    uint32_t *way; // (longest token + 1) sets along a way in the trie
    uint32_t dense_of[SETS_DENSE];
    uint32_t (*dense)[256]; // (SETS_DENSE) targets by byte

    struct mask_entry *masks;                         // (n_mask)
    uint32_t *mask_slots;                             // (n_mask_slot) mask plus 1
    size_t n_mask, cap_mask, n_mask_slot, masks_held; // bytes
    uint64_t *scratch_mask;
    uint32_t *pops; // trie nodes
    size_t n_pop, cap_pop;
};

/* Counts work; JL_ERR_LIMIT above GRAMMAR_MAX_WORK in one call. */
enum jl_status sets_spend(struct grammar_matcher *m, size_t work, struct jl_error *err);
/* The normal set of these items, which are not kept. */
enum jl_status sets_intern(struct grammar_matcher *m, const struct set_item *items, size_t n,
                           uint32_t *out, struct jl_error *err);
/* Finds the bytes and tokens that lead out of a set. */
enum jl_status sets_expand(struct grammar_matcher *m, uint32_t set, struct jl_error *err);
/* The set behind a byte, SETS_NONE if there is none. */
enum jl_status sets_step(struct grammar_matcher *m, uint32_t set, uint8_t byte, uint32_t *out,
                         struct jl_error *err);
enum jl_status sets_group(struct grammar_matcher *m, uint32_t set, struct jl_error *err);

/* The hashes anew, after the numbers of sets have changed. */
void sets_index(struct grammar_matcher *m);

/* false: out of memory */
bool sets_grow(void **data, size_t *cap, size_t need, size_t size);
bool items_add(struct item_list *list, struct set_item item);
void items_clear(struct item_list *list);
void items_free(struct item_list *list);
size_t sets_bytes(const struct grammar_matcher *m);

/* Masks of sets, of their inside or with all that follows. */
enum jl_status masks_allowed(struct grammar_matcher *m, uint32_t set, uint64_t *mask,
                             struct jl_error *err);
void masks_clear(struct grammar_matcher *m);
/* Around a change of the sets' numbers: masks of their inside are kept, with their sets. */
void masks_mark(const struct grammar_matcher *m, uint32_t *numbers);
void masks_renumber(struct grammar_matcher *m, const uint32_t *numbers);
void masks_free(struct grammar_matcher *m);

#endif
