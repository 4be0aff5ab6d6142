/* Expressions become positions and edges, after Thompson (1968): each has one place where it begins
 * and one where it ends. Small rules are copied to where they are used, others are called. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/builder.h"
#include "grammar/charset.h"
#include "grammar/expr.h"
#include "grammar/program.h"
#include "grammar/utf8_ranges.h"

#define NO_RULE UINT32_MAX
#define INLINE_ROUNDS 8
#define MAX_VISITS (1u << 22) // parts of shared expressions count once a use

struct job { // a rule to compile
    grammar_expr expr;
    const char *name;
};

struct compile {
    struct grammar_builder *b;
    struct program_link *links;
    size_t n_link, cap_link;
    struct program_loop *loops;
    size_t n_loop, cap_loop;
    struct job *jobs; // in the order of the program's rules
    size_t n_job, cap_job;
    uint32_t *sizes;   // (n_expr) positions, about
    uint32_t *numbers; // (n_rule) which job a rule of the builder is, or NO_RULE
    bool *copied;      // (n_rule) is the rule copied to its uses?
    uint32_t n_position, visits;
    bool in_loop, in_counted;
    struct jl_error error;
};

static void fail(struct compile *c, enum jl_status status, const char *message) {
    if (c->error.status == JL_OK) jl_fail(&c->error, status, "%s", message);
}

static bool failed(const struct compile *c) { return c->error.status != JL_OK; }

static bool room(struct compile *c, void **data, size_t *cap, size_t n, size_t size) {
    if (n < *cap) return true;
    size_t more = *cap ? *cap * 2 : 256;
    void *grown = realloc(*data, more * size);
    if (!grown) {
        fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
        return false;
    }
    *data = grown;
    *cap = more;
    return true;
}

static uint32_t place(void *ctx) {
    struct compile *c = ctx;
    if (c->n_position >= GRAMMAR_MAX_POSITIONS) {
        fail(c, JL_ERR_LIMIT,
             "the grammar is too large: lower its counts or the number of its alternatives");
        return 0;
    }
    return c->n_position++;
}

static void link_edge(struct compile *c, uint32_t from, struct edge edge) {
    if (failed(c) || !room(c, (void **)&c->links, &c->cap_link, c->n_link, sizeof *c->links))
        return;
    if (c->n_link >= GRAMMAR_MAX_EDGES) {
        fail(c, JL_ERR_LIMIT,
             "the grammar is too large: lower its counts or the number of its alternatives");
        return;
    }
    c->links[c->n_link++] = (struct program_link){from, edge};
}

static void link_free(struct compile *c, uint32_t from, uint32_t to) {
    if (from != to) link_edge(c, from, (struct edge){.target = to});
}

static void link_op(struct compile *c, uint32_t from, uint32_t to, enum edge_op op, uint32_t loop) {
    link_edge(c, from, (struct edge){.target = to, .arg = loop, .op = (uint8_t)op});
}

static void link_byte(void *ctx, uint32_t from, uint32_t to, uint8_t low, uint8_t high) {
    link_edge(ctx, from, (struct edge){.target = to, .kind = EDGE_BYTE, .low = low, .high = high});
}

/* ---- how large expressions are, and which rules are copied ---- */

static uint32_t plus(uint32_t a, uint32_t b) { return a > UINT32_MAX - b ? UINT32_MAX : a + b; }

static uint32_t times(uint32_t a, uint32_t b) {
    uint64_t product = (uint64_t)a * b;
    return product > UINT32_MAX ? UINT32_MAX : (uint32_t)product;
}

static uint32_t repeat_size(uint32_t size, const struct expr *e) {
    uint32_t all = times(size, e->high == GRAMMAR_UNBOUNDED ? plus(e->low, 1) : e->high);
    return all <= GRAMMAR_EXPAND_REPEAT ? plus(all, 2) : plus(size, 3);
}

static uint32_t size_of(const struct compile *c, const struct expr *e) {
    const uint32_t *pool = c->b->pool + e->at;
    uint32_t size = 1;
    switch (e->kind) {
    case EXPR_BYTES: return e->n;
    case EXPR_CHARS: return plus(3, e->n);
    case EXPR_SEQ:
    case EXPR_ALT:
        for (uint32_t i = 0; i < e->n; i++)
            size = plus(size, c->sizes[pool[i]]);
        return size;
    case EXPR_LIST:
        size = c->sizes[pool[0]];
        for (uint32_t i = 1; i < e->n; i += 2)
            size = plus(size, plus(3, c->sizes[pool[i]]));
        return size;
    case EXPR_REPEAT: return repeat_size(c->sizes[e->at], e);
    case EXPR_UNIT: return plus(1, c->sizes[e->at]);
    case EXPR_COUNTED:
        return times(c->sizes[e->at], plus(1, e->high == GRAMMAR_UNBOUNDED ? e->low : e->high));
    case EXPR_MARKED: return times(30, e->n);
    case EXPR_RULE:
        return c->copied[e->at] && c->b->rules[e->at].expr
                   ? plus(1, c->sizes[c->b->rules[e->at].expr])
                   : 1;
    default: return 1;
    }
}

/* Does the expression call a rule that is not copied? As flags beside the sizes. */
static bool calls(const struct compile *c, const struct expr *e, const bool *calling) {
    const uint32_t *pool = c->b->pool + e->at;
    switch (e->kind) {
    case EXPR_SEQ:
    case EXPR_ALT:
        for (uint32_t i = 0; i < e->n; i++)
            if (calling[pool[i]]) return true;
        return false;
    case EXPR_LIST:
        for (uint32_t i = 1; i < e->n; i += 2)
            if (calling[pool[i]]) return true;
        return calling[pool[0]];
    case EXPR_REPEAT:
    case EXPR_UNIT:
    case EXPR_COUNTED: return calling[e->at];
    case EXPR_RULE: return !c->copied[e->at];
    default: return false;
    }
}

/* A rule is copied if it is small and calls none that is not copied: so none that is recursive. */
static void choose_copied(struct compile *c) {
    bool *calling = calloc(c->b->n_expr, sizeof *calling);
    if (!calling) {
        fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
        return;
    }
    bool changed = true;
    for (int round = 0; round <= INLINE_ROUNDS && changed; round++) {
        changed = false;
        for (size_t i = 1; i < c->b->n_expr; i++) {
            c->sizes[i] = size_of(c, &c->b->exprs[i]);
            calling[i] = calls(c, &c->b->exprs[i], calling);
        }
        for (size_t i = 0; i < c->b->n_rule && round < INLINE_ROUNDS; i++) {
            grammar_expr expr = c->b->rules[i].expr;
            if (c->copied[i] || !expr || calling[expr] || c->b->rules[i].shared) continue;
            if (c->sizes[expr] > GRAMMAR_INLINE_RULE) continue;
            changed = c->copied[i] = true;
        }
    }
    free(calling);
}

/* ---- one expression ---- */

static void build(struct compile *c, grammar_expr expr, uint32_t from, uint32_t to);

static uint32_t add_job(struct compile *c, grammar_expr expr, const char *name) {
    if (!room(c, (void **)&c->jobs, &c->cap_job, c->n_job, sizeof *c->jobs)) return 0;
    c->jobs[c->n_job] = (struct job){expr, name};
    return (uint32_t)c->n_job++;
}

static void link_call(struct compile *c, uint32_t from, uint32_t to, uint32_t job) {
    link_edge(c, from, (struct edge){.target = to, .arg = job, .kind = EDGE_CALL});
}

static void build_rule(struct compile *c, uint32_t rule, uint32_t from, uint32_t to) {
    const struct expr_rule *r = &c->b->rules[rule];
    if (!r->expr) {
        if (!failed(c))
            jl_fail(&c->error, JL_ERR_FORMAT, "rule \"%s\" is used but not defined", r->name);
        return;
    }
    if (c->copied[rule]) {
        build(c, r->expr, from, to);
        return;
    }
    if (c->numbers[rule] == NO_RULE) c->numbers[rule] = add_job(c, r->expr, r->name);
    link_call(c, from, to, c->numbers[rule]);
}

static void build_bytes(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < e->n && !failed(c); i++) {
        uint8_t byte = (uint8_t)c->b->pool[e->at + i];
        uint32_t next = i + 1 == e->n ? to : place(c);
        link_byte(c, from, next, byte, byte);
        from = next;
    }
}

static void build_chars(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    struct utf8_ranges out = {.ctx = c, .byte = link_byte, .place = place, .to = to};
    const uint32_t *ranges = c->b->pool + e->at;
    for (uint32_t i = 0; i < e->n && !failed(c); i += 2)
        utf8_ranges_add(&out, from, ranges[i], ranges[i + 1]);
}

static int compare_literals(const void *a, const void *b, void *ctx) {
    const struct compile *c = ctx;
    const struct expr *x = &c->b->exprs[*(const grammar_expr *)a];
    const struct expr *y = &c->b->exprs[*(const grammar_expr *)b];
    for (uint32_t i = 0; i < x->n && i < y->n; i++) {
        uint32_t p = c->b->pool[x->at + i], q = c->b->pool[y->at + i];
        if (p != q) return p < q ? -1 : 1;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

/* Literals share what they begin with, so that a long list of them is one way at each byte. */
static void build_literals(struct compile *c, const grammar_expr *sorted, size_t n, uint32_t from,
                           uint32_t to) {
    uint32_t longest = 0, before = 0; // bytes of the literal before this one
    for (size_t i = 0; i < n; i++)
        if (c->b->exprs[sorted[i]].n > longest) longest = c->b->exprs[sorted[i]].n;
    uint32_t *way = malloc((longest + 1) * sizeof *way); // places along it
    if (!way) {
        fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
        return;
    }
    way[0] = from;
    const uint32_t *last = NULL;
    for (size_t i = 0; i < n && !failed(c); i++) {
        const struct expr *e = &c->b->exprs[sorted[i]];
        const uint32_t *bytes = c->b->pool + e->at;
        uint32_t same = 0;
        while (last && same < before && same < e->n && bytes[same] == last[same])
            same++;
        if (last && same == e->n && same == before) continue; // the same once more
        for (uint32_t k = same; k < e->n && !failed(c); k++) {
            way[k + 1] = place(c);
            link_byte(c, way[k], way[k + 1], (uint8_t)bytes[k], (uint8_t)bytes[k]);
        }
        link_free(c, way[e->n], to);
        last = bytes;
        before = e->n;
    }
    free(way);
}

static void build_alt(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    grammar_expr *literals = malloc((e->n + 1) * sizeof *literals);
    if (!literals) {
        fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
        return;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < e->n && !failed(c); i++) {
        grammar_expr part = c->b->pool[e->at + i];
        if (c->b->exprs[part].kind == EXPR_BYTES)
            literals[n++] = part;
        else
            build(c, part, from, to);
    }
    qsort_r(literals, n, sizeof *literals, compare_literals, c);
    build_literals(c, literals, n, from, to);
    free(literals);
}

static void build_star(struct compile *c, grammar_expr part, uint32_t from, uint32_t to) {
    uint32_t loop = place(c);
    link_free(c, from, loop);
    build(c, part, loop, loop);
    link_free(c, loop, to);
}

/* Every repetition of the loop's body is written out. */
static void build_copies(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    uint32_t at = from;
    bool unbounded = e->high == GRAMMAR_UNBOUNDED;
    for (uint32_t i = 0; i < e->low && !failed(c); i++) {
        uint32_t next = !unbounded && i + 1 == e->high ? to : place(c);
        build(c, e->at, at, next);
        at = next;
    }
    if (unbounded) {
        build_star(c, e->at, at, to);
        return;
    }
    if (at == from && e->low < e->high) { // others may loop through `from`
        at = place(c);
        link_free(c, from, at);
    }
    for (uint32_t i = e->low; i < e->high && !failed(c); i++) {
        uint32_t next = i + 1 == e->high ? to : place(c);
        link_free(c, at, to);
        build(c, e->at, at, next);
        at = next;
    }
}

static void build_loop(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    if (!room(c, (void **)&c->loops, &c->cap_loop, c->n_loop, sizeof *c->loops)) return;
    uint32_t loop = (uint32_t)c->n_loop++, body = place(c), back = place(c);
    c->loops[loop] = (struct program_loop){e->low, e->high, body, back, 0, false, 0};
    if (e->low == 0) link_free(c, from, to);
    link_op(c, from, body, OP_ENTER, loop);
    link_op(c, back, body, OP_AGAIN, loop);
    link_op(c, back, to, OP_LEAVE, loop);
    c->in_loop = true;
    build(c, e->at, body, back);
    c->in_loop = false;
    c->loops[loop].stop = c->n_position;
}

static void build_repeat(struct compile *c, grammar_expr expr, uint32_t from, uint32_t to) {
    struct expr e = c->b->exprs[expr];
    uint32_t copies = e.high == GRAMMAR_UNBOUNDED ? e.low : e.high;
    if (e.high == 0) {
        link_free(c, from, to);
    } else if (copies <= 1 || c->in_counted ||
               times(c->sizes[e.at], copies) <= GRAMMAR_EXPAND_REPEAT) {
        build_copies(c, &e, from, to);
    } else if (c->in_loop) { // the counter of this call is taken
        link_call(c, from, to, add_job(c, expr, NULL));
    } else {
        build_loop(c, &e, from, to);
    }
}

/* a_i: nothing of the list is there yet, and item i is next; b_i: something is. */
static void build_list(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    uint32_t a = place(c), b = place(c);
    link_free(c, from, a);
    for (uint32_t i = 1; i < e->n && !failed(c); i += 2) {
        const uint32_t item = c->b->pool[e->at + i], flags = c->b->pool[e->at + i + 1];
        uint32_t begin = place(c), next_a = place(c), next_b = place(c);
        link_free(c, a, begin);
        build(c, c->b->pool[e->at], b, begin);
        if (flags & EXPR_MANY) {
            uint32_t end = place(c);
            build(c, item, begin, end);
            build(c, c->b->pool[e->at], end, begin);
            link_free(c, end, next_b);
        } else {
            build(c, item, begin, next_b);
        }
        if (!(flags & EXPR_REQUIRED)) {
            link_free(c, a, next_a);
            link_free(c, b, next_b);
        }
        a = next_a;
        b = next_b;
    }
    link_free(c, a, to);
    link_free(c, b, to);
}

/* The characters from first to last lead from one place to another. */
static void link_chars(struct compile *c, uint32_t from, uint32_t to, uint32_t first,
                       uint32_t last) {
    struct utf8_ranges out = {.ctx = c, .byte = link_byte, .place = place, .to = to};
    if (first < 0xD800 && last > 0xDFFF) {
        utf8_ranges_add(&out, from, first, 0xD7FF);
        first = 0xE000;
    }
    if (first <= last) utf8_ranges_add(&out, from, first, last);
}

/* The automaton of Knuth, Morris and Pratt over characters: place i has seen i of the mark.
 * next: (n, n_letter) where each letter of the mark leads; all others lead to place 0. */
static void link_marked(struct compile *c, const struct expr *e, const struct charset *letters,
                        const uint32_t *next, uint32_t from, uint32_t to) {
    uint32_t first = c->n_position, n = e->n;
    for (uint32_t i = 0; i < n; i++)
        place(c);
    for (uint32_t i = 0; i < n && !failed(c); i++) {
        const uint32_t *row = next + (size_t)i * n;
        uint32_t below = 1, k = 0; // characters that are done (never NUL); letters
        for (size_t r = 0; r < letters->n && !failed(c); r++) {
            for (uint32_t code = letters->ranges[r][0]; code <= letters->ranges[r][1]; code++) {
                uint32_t target = row[k++];
                if (below < code) link_chars(c, first + i, first, below, code - 1);
                below = code + 1;
                if (target < n)
                    link_chars(c, first + i, first + target, code, code);
                else if (e->low)
                    link_chars(c, first + i, to, code, code);
            }
        }
        link_chars(c, first + i, first, below, CHARSET_END - 1);
        if (!e->low) link_free(c, first + i, to);
        if (e->low && e->high != UINT32_MAX)
            link_edge(c, first + i,
                      (struct edge){.target = to, .arg = e->high, .kind = EDGE_TOKEN});
    }
    if (!failed(c)) link_free(c, from, first);
}

static uint32_t letter_index(const struct charset *letters, uint32_t code) {
    uint32_t index = 0;
    for (size_t r = 0; r < letters->n; r++) {
        if (code <= letters->ranges[r][1]) return index + code - letters->ranges[r][0];
        index += letters->ranges[r][1] - letters->ranges[r][0] + 1;
    }
    return index;
}

static void build_marked(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    const uint32_t *mark = c->b->pool + e->at;
    uint32_t n = e->n, fallback = 0; // n letters at most
    struct charset letters = {0};
    uint32_t *next = calloc((size_t)n * n, sizeof *next);
    bool fits = next != NULL;
    for (uint32_t i = 0; i < n && fits; i++)
        fits = charset_add(&letters, mark[i], mark[i]);
    for (uint32_t i = 0; i < n && fits; i++) {
        uint32_t *row = next + (size_t)i * n, letter = letter_index(&letters, mark[i]);
        if (i) memcpy(row, next + (size_t)fallback * n, n * sizeof *row);
        if (i) fallback = row[letter];
        row[letter] = i + 1;
    }
    if (fits)
        link_marked(c, e, &letters, next, from, to);
    else
        fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
    charset_free(&letters);
    free(next);
}

/* A counted expression: positions from `base` on, links from `first` on. */
struct counted {
    uint32_t base, begin, end;
    size_t first, n_link;
};

/* One copy of the part for every number of characters; an OP_COUNT edge leads to the next. */
static void copy_counted(struct compile *c, const struct counted *part, const struct expr *e,
                         uint32_t to) {
    bool unbounded = e->high == GRAMMAR_UNBOUNDED;
    uint32_t copies = unbounded ? e->low : e->high, n = c->n_position - part->base;
    for (uint32_t copy = copies + 1; copy-- > 0 && !failed(c);) { // the one copied from is last
        uint32_t shift = copy * n;
        for (size_t i = 0; i < part->n_link && !failed(c); i++) {
            struct program_link l = c->links[part->first + i];
            bool counts = l.edge.op == OP_COUNT;
            l.from += shift;
            l.edge.target += shift + (counts && copy < copies ? n : 0);
            l.edge.op = OP_NONE;
            if (counts && copy == copies && !unbounded)
                l.edge = (struct edge){.target = l.from}; // leads nowhere
            if (copy == 0)
                c->links[part->first + i] = l;
            else
                link_edge(c, l.from, l.edge);
        }
        if (copy >= e->low) link_free(c, part->end + shift, to);
    }
    c->n_position = part->base + n * (copies + 1);
}

/* need: for each position of the part the fewest characters from there to its end. */
static void fewest_characters(struct compile *c, const struct counted *part, uint32_t *need) {
    uint32_t n = c->n_position - part->base;
    for (uint32_t i = 0; i < n; i++)
        need[i] = UINT32_MAX - 1;
    need[part->end - part->base] = 0;
    uint64_t work = 0;
    for (bool changed = true; changed && !failed(c);) {
        changed = false;
        work += part->n_link; // a round more for each time that ways lead back
        if (work > GRAMMAR_MAX_WORK)
            fail(c, JL_ERR_LIMIT, "a pattern with bounds of the length is too large");
        for (size_t i = part->n_link; i-- > 0;) { // most links lead forward
            const struct program_link *l = &c->links[part->first + i];
            uint32_t least = need[l->edge.target - part->base] + (l->edge.op == OP_COUNT);
            if (least >= need[l->from - part->base]) continue;
            need[l->from - part->base] = least;
            changed = true;
        }
    }
}

/* A counter, and at each character the question whether what must follow still fits. That says all
 * as long as the least number is none of the part's own. */
static void loop_counted(struct compile *c, const struct counted *part, const struct expr *e,
                         const uint32_t *need, uint32_t to) {
    if (!room(c, (void **)&c->loops, &c->cap_loop, c->n_loop, sizeof *c->loops)) return;
    uint32_t number = (uint32_t)c->n_loop++;
    struct program_loop *loop = &c->loops[number];
    *loop = (struct program_loop){0, e->high, part->base, part->end, c->n_position, true, 0};
    for (size_t i = 0; i < part->n_link; i++) {
        struct program_link *l = &c->links[part->first + i];
        if (l->edge.op != OP_COUNT) continue;
        uint32_t ahead = need[l->edge.target - part->base];
        bool dead = ahead >= e->high || ahead > UINT16_MAX;
        l->edge.arg = number;
        l->edge.op = OP_CHAR;
        l->edge.low = (uint8_t)ahead;
        l->edge.high = (uint8_t)(ahead >> 8);
        if (dead)
            l->edge = (struct edge){.target = l->from}; // leads nowhere
        else if (ahead > loop->slack)
            loop->slack = ahead;
    }
    link_op(c, part->end, to, OP_LEAVE, number);
}

static void build_counted(struct compile *c, grammar_expr expr, uint32_t from, uint32_t to) {
    struct expr e = c->b->exprs[expr];
    bool outer = c->in_counted, unbounded = e.high == GRAMMAR_UNBOUNDED;
    struct counted part = {.base = c->n_position, .begin = place(c), .end = place(c)};
    part.first = c->n_link;
    c->in_counted = true;
    build(c, e.at, part.begin, part.end);
    c->in_counted = outer;
    part.n_link = c->n_link - part.first;
    uint64_t n = c->n_position - part.base, copies = unbounded ? e.low : e.high;
    uint32_t *need = malloc(n * sizeof *need);
    if (!need) fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
    if (failed(c)) {
        free(need);
        return;
    }
    fewest_characters(c, &part, need);
    if (failed(c)) {
        free(need);
        return;
    }
    bool small = n * (copies + 1) <= GRAMMAR_COPY_COUNTED;
    bool only_upper = !unbounded && e.low <= need[part.begin - part.base];
    if (!small && only_upper && c->in_loop) { // the counter of this call is taken
        c->n_position = part.base;
        c->n_link = part.first;
        link_call(c, from, to, add_job(c, expr, NULL));
    } else {
        if (!small && only_upper)
            loop_counted(c, &part, &e, need, to);
        else if (n * (copies + 1) + part.base <= GRAMMAR_MAX_POSITIONS)
            copy_counted(c, &part, &e, to);
        else
            fail(c, JL_ERR_LIMIT,
                 "a pattern together with bounds of the length is too large: lower "
                 "the bounds, or write them into the pattern");
        link_free(c, from, part.begin);
    }
    free(need);
}

static void build_unit(struct compile *c, const struct expr *e, uint32_t from, uint32_t to) {
    if (c->in_counted) {
        uint32_t counted = place(c);
        link_op(c, from, counted, OP_COUNT, 0);
        from = counted;
    }
    build(c, e->at, from, to);
}

static void build(struct compile *c, grammar_expr expr, uint32_t from, uint32_t to) {
    if (failed(c)) return;
    if (++c->visits > MAX_VISITS) {
        fail(c, JL_ERR_LIMIT, "the grammar is too large: its parts are used too often");
        return;
    }
    const struct expr *e = &c->b->exprs[expr];
    switch (e->kind) {
    case EXPR_EMPTY: link_free(c, from, to); break;
    case EXPR_BYTES: build_bytes(c, e, from, to); break;
    case EXPR_RANGE: link_byte(c, from, to, (uint8_t)e->low, (uint8_t)e->high); break;
    case EXPR_CHARS: build_chars(c, e, from, to); break;
    case EXPR_SEQ:
        for (uint32_t i = 0; i < e->n && !failed(c); i++) {
            uint32_t next = i + 1 == e->n ? to : place(c);
            build(c, c->b->pool[e->at + i], from, next);
            from = next;
        }
        break;
    case EXPR_ALT: build_alt(c, e, from, to); break;
    case EXPR_REPEAT: build_repeat(c, expr, from, to); break;
    case EXPR_RULE: build_rule(c, e->at, from, to); break;
    case EXPR_TOKEN:
        link_edge(c, from, (struct edge){.target = to, .arg = e->at, .kind = EDGE_TOKEN});
        break;
    case EXPR_LIST: build_list(c, e, from, to); break;
    case EXPR_UNIT: build_unit(c, e, from, to); break;
    case EXPR_COUNTED: build_counted(c, expr, from, to); break;
    case EXPR_MARKED: build_marked(c, e, from, to); break;
    default: // nothing matches EXPR_NEVER
        break;
    }
}

/* ---- all of it ---- */

static void build_jobs(struct compile *c, struct grammar *g) {
    size_t cap = 0;
    for (uint32_t i = 0; i < c->n_job && !failed(c); i++) { // grows meanwhile
        if (!room(c, (void **)&g->rules, &cap, i, sizeof *g->rules)) return;
        struct program_rule *rule = &g->rules[i];
        *rule = (struct program_rule){.start = place(c), .end = place(c)};
        g->n_rule = i + 1;
        if (c->jobs[i].name && !(rule->name = strdup(c->jobs[i].name))) {
            fail(c, JL_ERR_MEMORY, "out of memory for a grammar");
            return;
        }
        c->in_loop = c->in_counted = false;
        grammar_expr expr = c->jobs[i].expr;
        // A repetition that got a rule of its own because a counter was taken finds it free.
        build(c, expr, rule->start, rule->end);
    }
}

static enum jl_status compile_into(struct compile *c, grammar_expr root, struct grammar *g) {
    size_t n_rule = c->b->n_rule;
    c->sizes = calloc(c->b->n_expr, sizeof *c->sizes);
    c->numbers = malloc((n_rule + 1) * sizeof *c->numbers);
    c->copied = calloc(n_rule + 1, sizeof *c->copied);
    if (!c->sizes || !c->numbers || !c->copied)
        return jl_fail(&c->error, JL_ERR_MEMORY, "out of memory for a grammar");
    for (size_t i = 0; i < n_rule; i++)
        c->numbers[i] = NO_RULE;
    choose_copied(c);
    add_job(c, root, "root");
    build_jobs(c, g);
    if (failed(c)) return c->error.status;
    g->loops = c->loops;
    g->n_loop = (uint32_t)c->n_loop;
    g->n_position = c->n_position;
    c->loops = NULL;
    return program_finish(g, c->links, c->n_link, &c->error);
}

enum jl_status grammar_compile(struct grammar_builder *b, grammar_expr root, struct grammar **out,
                               struct jl_error *err) {
    *out = NULL;
    if (b->error.status != JL_OK) return jl_fail(err, b->error.status, "%s", b->error.message);
    if (root == 0 || root >= b->n_expr)
        return jl_fail(err, JL_ERR_USAGE, "the root of a grammar is no expression of its builder");
    struct grammar *g = calloc(1, sizeof *g);
    if (!g) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a grammar");
    struct compile c = {.b = b};
    enum jl_status status = compile_into(&c, root, g);
    free(c.links);
    free(c.loops);
    free(c.jobs);
    free(c.sizes);
    free(c.numbers);
    free(c.copied);
    if (status == JL_OK) {
        *out = g;
        return JL_OK;
    }
    grammar_free(g);
    return jl_fail(err, status, "%s", c.error.message);
}

void grammar_free(struct grammar *grammar) {
    if (!grammar) return;
    for (uint32_t i = 0; i < grammar->n_rule; i++)
        free((char *)grammar->rules[i].name);
    free(grammar->rules);
    free(grammar->loops);
    free(grammar->first);
    free(grammar->edges);
    free(grammar->flags);
    free(grammar->loop_of);
    free(grammar);
}

size_t grammar_positions(const struct grammar *grammar) { return grammar->n_position; }
