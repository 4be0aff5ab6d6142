/* First a tree of items, then nodes, from the end of the pattern to its start: each item is given
 * the node that follows it. */
#include <string.h>

#include "text/tokenizer/automaton_build.h"

#define MAX_ITEMS 1024
#define MAX_DEPTH 80
#define MAX_REPEAT 1000
#define ENDLESS UINT16_MAX

enum item_kind {
    ITEM_EMPTY,
    ITEM_SET,
    ITEM_ASSERTION,
    ITEM_SEQUENCE,
    ITEM_CHOICE,
    ITEM_REPEAT,
};
enum greed { GREEDY, LAZY, POSSESSIVE };

struct item {
    enum item_kind kind;
    enum greed greed;
    struct automaton_node node; // of a set or an assertion
    uint16_t min, max;
    int last, before; // items: the last part, and the part that stands before this one; 0: none
    bool nullable;    // may match the empty text
};

struct parser {
    const char *at, *end;
    bool multiline;
    struct automaton_program *program;
    struct item items[MAX_ITEMS]; // 0 is none
    int n_item;
    bool fits;
};

/* ---- items ---- */

static int give_up(struct parser *p) {
    p->fits = false;
    return 0;
}

static int new_item(struct parser *p, struct item item) {
    if (p->n_item == MAX_ITEMS) return give_up(p);
    p->items[p->n_item] = item;
    return p->n_item++;
}

static bool skip_text(struct parser *p, const char *text) {
    size_t len = strlen(text);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, text, len) != 0) return false;
    p->at += len;
    return true;
}

static uint8_t set_index(struct parser *p, const char *text, size_t len, bool caseless) {
    struct automaton_program *program = p->program;
    for (int i = 0; i < program->n_set; i++) {
        const struct automaton_set *set = &program->sets[i];
        if (set->len == len && set->caseless == caseless && memcmp(set->text, text, len) == 0)
            return (uint8_t)i;
    }
    if (program->n_set == AUTOMATON_MAX_SETS) return (uint8_t)give_up(p);
    program->sets[program->n_set] = (struct automaton_set){text, len, caseless};
    return (uint8_t)program->n_set++;
}

/* From p->at up to and with the first `last`. */
static int read_set(struct parser *p, char last, bool caseless) {
    const char *start = p->at, *close = memchr(start, last, (size_t)(p->end - start));
    if (!close) return give_up(p);
    p->at = close + 1;
    uint8_t set = set_index(p, start, (size_t)(p->at - start), caseless);
    return new_item(p, (struct item){.kind = ITEM_SET,
                                     .node = {.kind = NODE_CHAR, .set = set, .wanted = true}});
}

static int assertion(struct parser *p, struct automaton_node node) {
    if (node.kind == NODE_BEHIND) p->program->looks_back = true;
    return new_item(p, (struct item){.kind = ITEM_ASSERTION, .node = node, .nullable = true});
}

static int read_alternatives(struct parser *p, bool caseless, int depth);

static int read_look(struct parser *p, struct automaton_node node, bool caseless, int depth) {
    int inner = read_alternatives(p, caseless, depth);
    if (!skip_text(p, ")") || p->items[inner].kind != ITEM_SET) return give_up(p);
    node.set = p->items[inner].node.set;
    node.at_edge = !node.wanted;
    return assertion(p, node);
}

/* Behind '('. */
static int read_group(struct parser *p, bool *caseless, int depth) {
    static const struct {
        const char *opening;
        struct automaton_node node;
    } looks[] = {
        {"?=", {.kind = NODE_AHEAD, .wanted = true}},
        {"?!", {.kind = NODE_AHEAD}},
        {"?<=", {.kind = NODE_BEHIND, .wanted = true}},
        {"?<!", {.kind = NODE_BEHIND}},
    };
    if (depth == MAX_DEPTH) return give_up(p);
    if (skip_text(p, "?i)")) {
        *caseless = true;
        return new_item(p, (struct item){.kind = ITEM_EMPTY, .nullable = true});
    }
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (skip_text(p, looks[i].opening))
            return read_look(p, looks[i].node, *caseless, depth + 1);
    }
    bool inner = *caseless;
    if (skip_text(p, "?i:"))
        inner = true;
    else if (skip_text(p, "?-i:"))
        inner = false;
    else if (!skip_text(p, "?:"))
        return give_up(p);
    int item = read_alternatives(p, inner, depth + 1);
    return skip_text(p, ")") ? item : give_up(p);
}

static int read_atom(struct parser *p, bool *caseless, int depth) {
    struct automaton_node edge = {
        .kind = NODE_AHEAD, .wanted = true, .at_edge = true, .set = AUTOMATON_NO_SET};
    if (skip_text(p, "(")) return read_group(p, caseless, depth);
    if (*p->at == '[') return read_set(p, ']', *caseless);
    if (*p->at == '.') return read_set(p, '.', *caseless);
    if (skip_text(p, "$")) {
        if (p->multiline) edge.set = set_index(p, "\\x{A}", 5, false);
        return assertion(p, edge);
    }
    if (skip_text(p, "\\z")) return assertion(p, edge);
    edge.kind = NODE_BEHIND;
    if (skip_text(p, "\\A")) return assertion(p, edge);
    if (!p->multiline && skip_text(p, "^")) return assertion(p, edge);
    if (p->end - p->at > 2 && memcmp(p->at, "\\x{", 3) == 0) return read_set(p, '}', *caseless);
    return give_up(p);
}

static int read_number(struct parser *p) {
    int value = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        value = value * 10 + (*p->at - '0');
        if (value > MAX_REPEAT) return give_up(p);
    }
    return value;
}

/* Behind '{'. */
static void read_interval(struct parser *p, struct item *repeat) {
    repeat->min = repeat->max = (uint16_t)read_number(p);
    if (skip_text(p, ",")) {
        bool open = p->at < p->end && *p->at == '}';
        repeat->max = open ? ENDLESS : (uint16_t)read_number(p);
    }
    if (!skip_text(p, "}") || repeat->max < repeat->min) give_up(p);
}

/* The atom, or its repetition. Many of something that may be empty go by rules of their own in
 * PCRE2; a possessive repetition is one that no character of the set may follow. */
static int read_quantifier(struct parser *p, int atom) {
    struct item repeat = {.kind = ITEM_REPEAT, .max = ENDLESS, .last = atom};
    if (skip_text(p, "+"))
        repeat.min = 1;
    else if (skip_text(p, "?"))
        repeat.max = 1;
    else if (skip_text(p, "{"))
        read_interval(p, &repeat);
    else if (!skip_text(p, "*"))
        return atom;
    if (skip_text(p, "?")) repeat.greed = LAZY;
    if (skip_text(p, "+")) repeat.greed = POSSESSIVE;
    const struct item *body = &p->items[atom];
    repeat.nullable = body->nullable || repeat.min == 0;
    if (body->kind == ITEM_ASSERTION || body->kind == ITEM_EMPTY) return give_up(p);
    if (body->nullable && repeat.max > 1) return give_up(p);
    if (body->kind != ITEM_SET && repeat.greed == POSSESSIVE) return give_up(p);
    return new_item(p, repeat);
}

/* Puts a part behind those of a sequence or a choice. */
static void add_part(struct parser *p, struct item *whole, int part) {
    p->items[part].before = whole->last;
    whole->last = part;
}

/* A sequence or a choice of one part is the part. */
static int finish_parts(struct parser *p, const struct item *whole) {
    if (whole->last && !p->items[whole->last].before) return whole->last;
    return new_item(p, *whole);
}

/* Up to the end or a ')'. */
static int read_alternatives(struct parser *p, bool caseless, int depth) {
    struct item choice = {.kind = ITEM_CHOICE};
    do {
        struct item sequence = {.kind = ITEM_SEQUENCE, .nullable = true};
        while (p->fits && p->at < p->end && *p->at != ')' && *p->at != '|') {
            int part = read_quantifier(p, read_atom(p, &caseless, depth));
            if (!p->fits) return 0;
            if (!p->items[part].nullable) sequence.nullable = false;
            add_part(p, &sequence, part);
        }
        int alternative = finish_parts(p, &sequence);
        if (!p->fits) return 0;
        if (p->items[alternative].nullable) choice.nullable = true;
        add_part(p, &choice, alternative);
    } while (skip_text(p, "|"));
    return finish_parts(p, &choice);
}

/* ---- nodes ---- */

static uint16_t new_node(struct parser *p, struct automaton_node node) {
    struct automaton_program *program = p->program;
    if (program->n_node == AUTOMATON_MAX_NODES) return (uint16_t)give_up(p);
    program->nodes[program->n_node] = node;
    return (uint16_t)program->n_node++;
}

static uint16_t emit(struct parser *p, int index, uint16_t next);

static struct automaton_node split(const struct item *repeat, uint16_t body, uint16_t exit) {
    bool lazy = repeat->greed == LAZY;
    return (struct automaton_node){
        .kind = NODE_SPLIT, .next = lazy ? exit : body, .other = lazy ? body : exit};
}

static uint16_t emit_repeat(struct parser *p, const struct item *repeat, uint16_t next) {
    uint16_t exit = next, at = next;
    if (repeat->greed == POSSESSIVE) {
        exit = new_node(p, (struct automaton_node){.kind = NODE_AHEAD,
                                                   .set = p->items[repeat->last].node.set,
                                                   .at_edge = true,
                                                   .next = next});
    }
    if (repeat->max == ENDLESS) {
        at = new_node(p, (struct automaton_node){.kind = NODE_SPLIT});
        uint16_t body = emit(p, repeat->last, at);
        p->program->nodes[at] = split(repeat, body, exit);
    } else {
        for (int i = repeat->min; p->fits && i < repeat->max; i++)
            at = new_node(p, split(repeat, emit(p, repeat->last, at), exit));
    }
    for (int i = 0; p->fits && i < repeat->min; i++)
        at = emit(p, repeat->last, at);
    return at;
}

static uint16_t emit(struct parser *p, int index, uint16_t next) {
    const struct item *item = &p->items[index];
    struct automaton_node node = item->node;
    uint16_t at = next;
    if (!p->fits) return 0;
    switch (item->kind) {
    case ITEM_EMPTY: return next;
    case ITEM_SET:
    case ITEM_ASSERTION: node.next = next; return new_node(p, node);
    case ITEM_REPEAT: return emit_repeat(p, item, next);
    case ITEM_SEQUENCE:
        for (int part = item->last; part; part = p->items[part].before)
            at = emit(p, part, at);
        return at;
    case ITEM_CHOICE: break;
    }
    at = emit(p, item->last, next);
    for (int part = p->items[item->last].before; part; part = p->items[part].before) {
        uint16_t preferred = emit(p, part, next);
        at = new_node(p,
                      (struct automaton_node){.kind = NODE_SPLIT, .next = preferred, .other = at});
    }
    return at;
}

bool automaton_parse(const char *pattern, size_t len, bool multiline,
                     struct automaton_program *program) {
    struct parser p = {.at = pattern,
                       .end = pattern + len,
                       .multiline = multiline,
                       .program = program,
                       .n_item = 1,
                       .fits = true};
    int root = read_alternatives(&p, false, 0);
    if (!p.fits || p.at != p.end) return false;
    uint16_t match = new_node(&p, (struct automaton_node){.kind = NODE_MATCH});
    program->start = emit(&p, root, match);
    return p.fits;
}
