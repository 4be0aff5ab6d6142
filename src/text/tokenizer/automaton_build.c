/* Sets of nodes become states. A state is the list of nodes that wait for the next character, the
 * preferred ones first; a list ends where a match is certain, because what stands behind it would
 * only give matches that the pattern prefers less. Assertions about the next character wait too and
 * are answered by it, so a match shows one character late. */
#include "text/tokenizer/automaton_build.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STATES 1024
#define MAX_LISTED 65536 // nodes of all states

struct state {
    int first, n; // in `listed`
    int before;   // class of the character before; 0 unless the pattern looks back
};

struct builder {
    struct automaton_program program;
    struct automaton_classes classes;
    struct state states[MAX_STATES]; // 0 has no nodes
    int n_state;
    uint16_t listed[MAX_LISTED];
    int n_listed;
    uint16_t next[AUTOMATON_MAX_CELLS];
    uint16_t starts[AUTOMATON_MAX_CLASSES + 1];
    uint16_t stack[3 * AUTOMATON_MAX_NODES]; // nodes still to look at, the preferred on top
    int n_stack;
    unsigned seen[AUTOMATON_MAX_NODES]; // by which walk
    unsigned walk;
    bool fits;
};

/* Class `n` stands for the end of the text, and before it for its start. */
static bool passes(const struct builder *b, const struct automaton_node *node, int class) {
    if (class == b->classes.n) return node->at_edge;
    bool in = node->set != AUTOMATON_NO_SET && b->classes.sets[class] >> node->set & 1;
    return in == node->wanted;
}

static void push(struct builder *b, uint16_t node) {
    if (b->seen[node] != b->walk) b->stack[b->n_stack++] = node;
}

/* Takes the next node of a walk at one place of the text; splits and the character before are dealt
 * with. False when none is left. */
static bool pop(struct builder *b, int before, uint16_t *out) {
    while (b->n_stack) {
        uint16_t at = b->stack[--b->n_stack];
        const struct automaton_node *node = &b->program.nodes[at];
        if (b->seen[at] == b->walk) continue;
        b->seen[at] = b->walk;
        *out = at;
        if (node->kind == NODE_SPLIT) {
            push(b, node->other);
            push(b, node->next);
        } else if (node->kind == NODE_BEHIND) {
            if (passes(b, node, before)) push(b, node->next);
        } else {
            return true;
        }
    }
    return false;
}

/* Adds what waits at `from`, reached behind a character of class `before`, to the list that ends
 * `listed`; `walk` is that list's. False when nothing more belongs there. */
static bool list_nodes(struct builder *b, uint16_t from, int before) {
    uint16_t node;
    b->n_stack = 0;
    push(b, from);
    while (pop(b, before, &node)) {
        if (b->n_listed == MAX_LISTED) b->fits = false;
        if (!b->fits) return false;
        b->listed[b->n_listed++] = node;
        if (b->program.nodes[node].kind == NODE_MATCH) return false;
    }
    return true;
}

/* The state of the list that begins at `first` and ends `listed`: an old one, or a new one. */
static uint16_t intern(struct builder *b, int first, int before) {
    const struct state wanted = {first, b->n_listed - first, b->program.looks_back ? before : 0};
    for (int i = 0; i < b->n_state; i++) {
        const struct state *old = &b->states[i];
        if (old->n != wanted.n || (old->n && old->before != wanted.before)) continue;
        if (memcmp(b->listed + old->first, b->listed + first, (size_t)old->n * sizeof *b->listed) !=
            0)
            continue;
        b->n_listed = first;
        return (uint16_t)i;
    }
    if (b->n_state == MAX_STATES) {
        b->fits = false;
        return 0;
    }
    b->states[b->n_state] = wanted;
    return (uint16_t)b->n_state++;
}

/* What a character of `class`, or the end of the text, makes of a state. */
static uint16_t step(struct builder *b, const struct state *state, int class, bool *ends) {
    uint16_t takers[AUTOMATON_MAX_NODES], node;
    int n_taker = 0, first = b->n_listed;
    *ends = false;
    b->walk++;
    b->n_stack = 0;
    for (int i = state->n; i > 0; i--)
        push(b, b->listed[state->first + i - 1]);
    while (!*ends && pop(b, state->before, &node)) {
        const struct automaton_node *at = &b->program.nodes[node];
        if (at->kind == NODE_MATCH) {
            *ends = true;
        } else if (at->kind == NODE_AHEAD) {
            if (passes(b, at, class)) push(b, at->next);
        } else if (class < b->classes.n && passes(b, at, class)) {
            takers[n_taker++] = at->next;
        }
    }
    b->walk++;
    for (int i = 0; i < n_taker && list_nodes(b, takers[i], class); i++)
        ;
    return intern(b, first, class);
}

static uint16_t start_behind(struct builder *b, int before) {
    int first = b->n_listed;
    b->walk++;
    list_nodes(b, b->program.start, before);
    return intern(b, first, before);
}

static void make_table(struct builder *b) {
    int n_cell = b->classes.n + 1;
    b->fits = true;
    b->n_state = 1;
    for (int before = b->program.looks_back ? 0 : b->classes.n; before < n_cell; before++)
        b->starts[before] = (uint16_t)(start_behind(b, before) * n_cell);
    for (int i = 0; b->fits && i < b->n_state; i++) {
        const struct state state = b->states[i];
        for (int class = 0; class < n_cell; class ++) {
            bool ends;
            int row = step(b, &state, class, &ends) * n_cell;
            if ((unsigned)(row + n_cell) > AUTOMATON_MAX_CELLS) b->fits = false;
            if (!b->fits) return;
            b->next[i * n_cell + class] = (uint16_t)(row | (int)(ends ? AUTOMATON_ENDS : 0));
        }
    }
}

static void fill_begins(struct automaton *a) {
    memset(a->begins, 1, sizeof a->begins);
    memset(a->class_begins, 1, sizeof a->class_begins);
    for (unsigned class = 0; class < a->n_class; class ++) {
        bool any = false;
        for (unsigned i = a->looks_back ? 0 : a->n_class; i <= a->n_class; i++)
            any = any || a->next[a->starts[i] + class] != 0;
        a->class_begins[class] = any;
    }
    for (int code = 0; code < 128; code++)
        a->begins[code] = a->class_begins[a->ascii[code]];
}

static struct automaton *finish(const struct builder *b) {
    const struct automaton_classes *classes = &b->classes;
    size_t n_cell = (size_t)classes->n + 1, n_next = (size_t)b->n_state * n_cell;
    size_t block_bytes = (size_t)classes->n_block * AUTOMATON_BLOCK;
    // All bounded above: some hundred KB at most.
    struct automaton *a = malloc(sizeof *a + (n_next + n_cell) * sizeof *a->next + block_bytes);
    if (!a) return NULL;
    a->next = (uint16_t *)(a + 1);
    a->starts = a->next + n_next;
    a->blocks = (uint8_t(*)[AUTOMATON_BLOCK])(a->starts + n_cell);
    a->n_class = (unsigned)classes->n;
    a->looks_back = b->program.looks_back;
    memcpy(a->next, b->next, n_next * sizeof *a->next);
    memcpy(a->starts, b->starts, n_cell * sizeof *a->starts);
    memcpy(a->blocks, classes->blocks, block_bytes);
    memcpy(a->pages, classes->pages, sizeof a->pages);
    for (int code = 0; code < 128; code++)
        a->ascii[code] = a->blocks[a->pages[code / AUTOMATON_BLOCK]][code % AUTOMATON_BLOCK];
    fill_begins(a);
    return a;
}

bool automaton_build(const char *pattern, size_t len, bool multiline, struct automaton **out) {
    struct builder *b = calloc(1, sizeof *b);
    bool ok = b != NULL;
    *out = NULL;
    if (ok && automaton_parse(pattern, len, multiline, &b->program)) {
        ok = automaton_classify(&b->program, &b->classes);
        if (ok && b->classes.n) make_table(b);
        if (ok && b->fits) {
            *out = finish(b);
            ok = *out != NULL;
        }
    }
    free(b);
    return ok;
}

void automaton_free(struct automaton *automaton) { free(automaton); }
