#include "grammar/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/charset.h"
#include "grammar/expr.h"
#include "text/utf8.h"

struct grammar_builder *grammar_builder_new(void) {
    struct grammar_builder *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->exprs = calloc(64, sizeof *b->exprs); // number 0 is there
    b->cap_expr = 64;
    b->n_expr = 1;
    b->pool = calloc(64, sizeof *b->pool);
    b->cap_pool = 64;
    if (b->exprs && b->pool) return b;
    grammar_builder_free(b);
    return NULL;
}

void grammar_builder_free(struct grammar_builder *b) {
    if (!b) return;
    free(b->exprs);
    free(b->pool);
    free(b->rules);
    arena_free(&b->arena);
    free(b);
}

grammar_expr expr_fail(struct grammar_builder *b, enum jl_status status, const char *fmt, ...) {
    if (b->error.status != JL_OK) return 0;
    va_list args;
    va_start(args, fmt);
    vsnprintf(b->error.message, sizeof b->error.message, fmt, args);
    va_end(args);
    b->error.status = status;
    return 0;
}

static bool grow(struct grammar_builder *b, void **data, size_t *cap, size_t need, size_t size) {
    if (need <= *cap) return true;
    size_t wanted = *cap ? *cap : 64;
    while (wanted < need)
        wanted *= 2;
    void *more = realloc(*data, wanted * size);
    if (!more) {
        expr_fail(b, JL_ERR_MEMORY, "out of memory for a grammar");
        return false;
    }
    *data = more;
    *cap = wanted;
    return true;
}

bool expr_pool(struct grammar_builder *b, size_t n, uint32_t *at) {
    if (b->n_pool + n > 4u * GRAMMAR_MAX_EXPRS) {
        expr_fail(b, JL_ERR_LIMIT, "the grammar is too large: more than %d parts",
                  4 * GRAMMAR_MAX_EXPRS);
        return false;
    }
    if (!grow(b, (void **)&b->pool, &b->cap_pool, b->n_pool + n, sizeof *b->pool)) return false;
    *at = (uint32_t)b->n_pool;
    b->n_pool += n;
    return true;
}

static grammar_expr add(struct grammar_builder *b, struct expr expr) {
    if (b->error.status != JL_OK) return 0;
    if (b->n_expr >= GRAMMAR_MAX_EXPRS)
        return expr_fail(b, JL_ERR_LIMIT, "the grammar is too large: more than %d expressions",
                         GRAMMAR_MAX_EXPRS);
    if (expr.depth > 4 * GRAMMAR_MAX_DEPTH)
        return expr_fail(b, JL_ERR_LIMIT, "the grammar is nested too deep: more than %d levels",
                         4 * GRAMMAR_MAX_DEPTH);
    if (!grow(b, (void **)&b->exprs, &b->cap_expr, b->n_expr + 1, sizeof *b->exprs)) return 0;
    b->exprs[b->n_expr] = expr;
    return (grammar_expr)b->n_expr++;
}

static bool known(struct grammar_builder *b, grammar_expr part) {
    if (b->error.status != JL_OK) return false;
    if (part != 0 && part < b->n_expr) return true;
    expr_fail(b, JL_ERR_USAGE, "a part of a grammar is no expression of its builder");
    return false;
}

grammar_expr grammar_empty(struct grammar_builder *b) {
    return add(b, (struct expr){.kind = EXPR_EMPTY});
}

grammar_expr grammar_never(struct grammar_builder *b) {
    return add(b, (struct expr){.kind = EXPR_NEVER});
}

static grammar_expr add_bytes(struct grammar_builder *b, struct expr expr, const char *bytes,
                              size_t len) {
    if (!expr_pool(b, len, &expr.at)) return 0;
    for (size_t i = 0; i < len; i++)
        b->pool[expr.at + i] = (uint8_t)bytes[i];
    expr.n = (uint32_t)len;
    return add(b, expr);
}

grammar_expr grammar_literal(struct grammar_builder *b, const char *bytes, size_t len) {
    return len ? add_bytes(b, (struct expr){.kind = EXPR_BYTES}, bytes, len) : grammar_empty(b);
}

grammar_expr grammar_text(struct grammar_builder *b, const char *literal) {
    return grammar_literal(b, literal, strlen(literal));
}

grammar_expr grammar_bytes(struct grammar_builder *b, uint8_t low, uint8_t high) {
    if (low > high) return grammar_never(b);
    return add(b, (struct expr){.kind = EXPR_RANGE, .low = low, .high = high});
}

grammar_expr grammar_chars(struct grammar_builder *b, const uint32_t (*ranges)[2], size_t n) {
    struct charset set = {0};
    struct expr expr = {.kind = EXPR_CHARS};
    bool fits = true;
    for (size_t i = 0; i < n; i++)
        fits = fits && charset_add(&set, ranges[i][0], ranges[i][1]);
    fits = fits && charset_remove(&set, 0xD800, 0xDFFF);
    grammar_expr made = 0;
    if (!fits) {
        expr_fail(b, JL_ERR_MEMORY, "out of memory for a grammar");
    } else if (set.n == 0) {
        made = grammar_never(b);
    } else if (expr_pool(b, 2 * set.n, &expr.at)) {
        memcpy(b->pool + expr.at, set.ranges, set.n * sizeof *set.ranges);
        expr.n = 2 * (uint32_t)set.n;
        made = add(b, expr);
    }
    charset_free(&set);
    return made;
}

/* The number of words that parts stand for: literals that follow each other become one. */
static bool all_bytes(const struct grammar_builder *b, const grammar_expr *parts, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (b->exprs[parts[i]].kind != EXPR_BYTES) return false;
    return true;
}

static grammar_expr join_bytes(struct grammar_builder *b, const grammar_expr *parts, size_t n) {
    struct expr expr = {.kind = EXPR_BYTES};
    for (size_t i = 0; i < n; i++)
        expr.n += b->exprs[parts[i]].n;
    if (!expr_pool(b, expr.n, &expr.at)) return 0;
    uint32_t at = expr.at;
    for (size_t i = 0; i < n; i++) {
        const struct expr *part = &b->exprs[parts[i]];
        memcpy(b->pool + at, b->pool + part->at, part->n * sizeof *b->pool);
        at += part->n;
    }
    return add(b, expr);
}

static grammar_expr add_parts(struct grammar_builder *b, enum expr_kind kind,
                              const grammar_expr *parts, size_t n) {
    struct expr expr = {.kind = (uint8_t)kind, .n = (uint32_t)n};
    for (size_t i = 0; i < n; i++) {
        if (!known(b, parts[i])) return 0;
        if (b->exprs[parts[i]].depth >= expr.depth)
            expr.depth = (uint16_t)(b->exprs[parts[i]].depth + 1);
    }
    if (n == 1) return parts[0];
    if (kind == EXPR_SEQ && n > 1 && all_bytes(b, parts, n)) return join_bytes(b, parts, n);
    if (!expr_pool(b, n, &expr.at)) return 0;
    memcpy(b->pool + expr.at, parts, n * sizeof *parts);
    return add(b, expr);
}

grammar_expr grammar_seq(struct grammar_builder *b, const grammar_expr *parts, size_t n) {
    return n ? add_parts(b, EXPR_SEQ, parts, n) : grammar_empty(b);
}

grammar_expr grammar_alt(struct grammar_builder *b, const grammar_expr *parts, size_t n) {
    return n ? add_parts(b, EXPR_ALT, parts, n) : grammar_never(b);
}

static grammar_expr add_one(struct grammar_builder *b, enum expr_kind kind, grammar_expr part,
                            uint32_t low, uint32_t high) {
    if (!known(b, part)) return 0;
    struct expr expr = {.kind = (uint8_t)kind, .at = part, .low = low, .high = high};
    expr.depth = (uint16_t)(b->exprs[part].depth + 1);
    return add(b, expr);
}

grammar_expr grammar_repeat(struct grammar_builder *b, grammar_expr part, uint32_t low,
                            uint32_t high) {
    if (high > GRAMMAR_MAX_REPEAT) high = GRAMMAR_UNBOUNDED;
    if (low > GRAMMAR_MAX_REPEAT)
        return expr_fail(b, JL_ERR_LIMIT, "a least count of %u is more than the %d possible", low,
                         GRAMMAR_MAX_REPEAT);
    if (low > high)
        return expr_fail(b, JL_ERR_USAGE, "a repetition of %u to %u times: the least is more", low,
                         high);
    if (low == 1 && high == 1) return part;
    return add_one(b, EXPR_REPEAT, part, low, high);
}

grammar_expr grammar_optional(struct grammar_builder *b, grammar_expr part) {
    return grammar_repeat(b, part, 0, 1);
}

grammar_expr expr_unit(struct grammar_builder *b, grammar_expr part) {
    return add_one(b, EXPR_UNIT, part, 0, 0);
}

grammar_expr expr_counted(struct grammar_builder *b, grammar_expr part, uint32_t low,
                          uint32_t high) {
    if (high > GRAMMAR_MAX_REPEAT) high = GRAMMAR_UNBOUNDED;
    return add_one(b, EXPR_COUNTED, part, low, high);
}

grammar_expr grammar_token(struct grammar_builder *b, int32_t id) {
    if (id < 0) return expr_fail(b, JL_ERR_USAGE, "%d is no token", (int)id);
    return add(b, (struct expr){.kind = EXPR_TOKEN, .at = (uint32_t)id});
}

static grammar_expr marked(struct grammar_builder *b, const char *mark, size_t len, bool until,
                           int32_t id) {
    struct expr expr = {
        .kind = EXPR_MARKED, .low = until, .high = id < 0 ? UINT32_MAX : (uint32_t)id};
    if (len == 0 || len > GRAMMAR_MAX_NAME || utf8_valid_length(mark, len) != len)
        return expr_fail(b, JL_ERR_USAGE, "the mark of a text must be UTF-8 of 1 to %d bytes",
                         GRAMMAR_MAX_NAME);
    if (!expr_pool(b, len, &expr.at)) return 0;
    for (size_t at = 0; at < len;)
        at += (size_t)utf8_decode(mark + at, len - at, &b->pool[expr.at + expr.n++]);
    return add(b, expr);
}

grammar_expr grammar_text_without(struct grammar_builder *b, const char *mark, size_t len) {
    return marked(b, mark, len, false, -1);
}

grammar_expr grammar_text_until(struct grammar_builder *b, const char *mark, size_t len,
                                int32_t id) {
    return marked(b, mark, len, true, id);
}

grammar_expr grammar_list(struct grammar_builder *b, const struct grammar_item *items, size_t n,
                          grammar_expr separator) {
    struct expr expr = {.kind = EXPR_LIST, .n = (uint32_t)(1 + 2 * n)};
    if (!known(b, separator) || !expr_pool(b, expr.n, &expr.at)) return 0;
    b->pool[expr.at] = separator;
    uint16_t depth = b->exprs[separator].depth;
    for (size_t i = 0; i < n; i++) {
        if (!known(b, items[i].expr)) return 0;
        b->pool[expr.at + 1 + 2 * i] = items[i].expr;
        b->pool[expr.at + 2 + 2 * i] =
            (items[i].required ? EXPR_REQUIRED : 0u) | (items[i].many ? EXPR_MANY : 0u);
        if (b->exprs[items[i].expr].depth > depth) depth = b->exprs[items[i].expr].depth;
    }
    expr.depth = (uint16_t)(depth + 1);
    return add(b, expr);
}

grammar_rule grammar_declare(struct grammar_builder *b, const char *name, size_t len) {
    if (b->error.status != JL_OK) return 0;
    if (b->n_rule >= GRAMMAR_MAX_RULES)
        return expr_fail(b, JL_ERR_LIMIT, "the grammar has more than %d rules", GRAMMAR_MAX_RULES);
    if (!grow(b, (void **)&b->rules, &b->cap_rule, b->n_rule + 1, sizeof *b->rules)) return 0;
    char *copy = arena_strndup(&b->arena, name, len < GRAMMAR_MAX_NAME ? len : GRAMMAR_MAX_NAME);
    if (!copy) return expr_fail(b, JL_ERR_MEMORY, "out of memory for a grammar");
    b->rules[b->n_rule] = (struct expr_rule){copy, 0, false};
    return (grammar_rule)b->n_rule++;
}

void grammar_define(struct grammar_builder *b, grammar_rule rule, grammar_expr expr) {
    if (!known(b, expr)) return;
    if (rule >= b->n_rule || b->rules[rule].expr)
        expr_fail(b, JL_ERR_USAGE, "a rule is defined twice, or was never declared");
    else
        b->rules[rule].expr = expr;
}

grammar_expr grammar_ref(struct grammar_builder *b, grammar_rule rule) {
    if (b->error.status != JL_OK) return 0;
    if (rule >= b->n_rule) return expr_fail(b, JL_ERR_USAGE, "a rule was never declared");
    return add(b, (struct expr){.kind = EXPR_RULE, .at = rule});
}

grammar_expr expr_seq2(struct grammar_builder *b, grammar_expr x, grammar_expr y) {
    return grammar_seq(b, (grammar_expr[]){x, y}, 2);
}

grammar_expr expr_seq3(struct grammar_builder *b, grammar_expr x, grammar_expr y, grammar_expr z) {
    return grammar_seq(b, (grammar_expr[]){x, y, z}, 3);
}

grammar_expr expr_alt2(struct grammar_builder *b, grammar_expr x, grammar_expr y) {
    return grammar_alt(b, (grammar_expr[]){x, y}, 2);
}

void expr_push(struct grammar_builder *b, struct expr_list *list, grammar_expr part) {
    if (grow(b, (void **)&list->data, &list->cap, list->n + 1, sizeof *list->data))
        list->data[list->n++] = part;
}

grammar_expr expr_alt_of(struct grammar_builder *b, struct expr_list *list) {
    grammar_expr made = grammar_alt(b, list->data, list->n);
    free(list->data);
    *list = (struct expr_list){0};
    return made;
}

grammar_expr expr_seq_of(struct grammar_builder *b, struct expr_list *list) {
    grammar_expr made = grammar_seq(b, list->data, list->n);
    free(list->data);
    *list = (struct expr_list){0};
    return made;
}
