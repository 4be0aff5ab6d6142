#include "grammar/tools.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/expr.h"
#include "grammar/json_parts.h"
#include "text/call_form.h"
#include "text/dialect.h"
#include "text/tokenizer.h"

#define NAME_MOST 256 // bytes; dialects read no longer ones

struct turn {
    struct grammar_builder *b;
    const struct tokenizer *tokenizer;
    const struct grammar_tools *tools;
    struct call_form form;
    struct json_parts parts;
};

/* ---- marks ---- */

static grammar_expr marked_up(struct grammar_builder *b, const struct tokenizer *tokenizer,
                              const char *text, size_t len) {
    struct tokenizer_text whole = {text, len, NULL, 0};
    struct token_ids ids = {0};
    struct token_places places = {0};
    struct expr_list parts = {0};
    struct jl_error err;
    size_t at = 0;
    if (!tokenizer || len == 0) return grammar_literal(b, text, len);
    if (tokenizer_encode_marked(tokenizer, &whole, ENCODE_SPECIAL, &ids, &places, &err) != JL_OK)
        expr_fail(b, err.status, "%s", err.message);
    for (size_t i = 0; i < places.len; i++) {
        const struct token_place *place = &places.data[i];
        if (place->bytes.stop == place->bytes.start || place->bytes.start < at) continue;
        expr_push(b, &parts, grammar_literal(b, text + at, place->bytes.start - at));
        expr_push(b, &parts, grammar_token(b, ids.data[place->at]));
        at = place->bytes.stop;
    }
    expr_push(b, &parts, grammar_literal(b, text + at, len - at));
    free(ids.data);
    free(places.data);
    return expr_seq_of(b, &parts);
}

grammar_expr grammar_markup(struct grammar_builder *b, const struct tokenizer *tokenizer,
                            const char *text) {
    return marked_up(b, tokenizer, text, strlen(text));
}

static grammar_expr mark(const struct turn *t, const char *text) {
    return grammar_markup(t->b, t->tokenizer, text);
}

/* The mark that begins the calls, without white space that may follow. */
static size_t first_mark(const struct turn *t, const char **text) {
    *text = t->form.section_open[0] ? t->form.section_open : t->form.open;
    return strcspn(*text, " \n");
}

/* Text before the calls, and the first mark. Its special tokens may also be spelled: what reads the
 * turn looks at text. */
static grammar_expr lead(const struct turn *t) {
    struct grammar_builder *b = t->b;
    const char *text;
    size_t n = first_mark(t, &text);
    grammar_expr by_token = marked_up(b, t->tokenizer, text, n);
    grammar_expr rest = mark(t, text + n);
    grammar_expr spelled = grammar_literal(b, text, n);
    if (!t->tools->no_text) {
        by_token = expr_seq2(b, grammar_text_without(b, text, n), by_token);
        spelled = grammar_text_until(b, text, n, -1);
    }
    return expr_seq2(b, t->tokenizer ? expr_alt2(b, by_token, spelled) : spelled, rest);
}

/* ---- one call ---- */

static grammar_expr arguments(const struct turn *t, const struct grammar_tool *tool) {
    const struct call_form *f = &t->form;
    const char *schema = tool->parameters ? tool->parameters : "{\"type\":\"object\"}";
    if (f->body != CALL_FORM_PARAMS)
        return grammar_json_schema(t->b, schema, strlen(schema), &t->tools->json);
    struct grammar_marks marks = {f->key_open,  f->key_end,   f->value_open,
                                  f->value_end, f->value_pad, f->typed};
    return grammar_json_members(t->b, schema, strlen(schema), &t->tools->json, &marks);
}

static grammar_expr id_of(struct grammar_builder *b) {
    static const char pattern[] = "[A-Za-z0-9]{9}";
    return grammar_regex(b, pattern, sizeof pattern - 1);
}

/* "key": value */
static grammar_expr field(const struct turn *t, const char *key, grammar_expr value) {
    return json_parts_member(&t->parts, json_parts_key(&t->parts, key, strlen(key)), value);
}

static grammar_expr object_call(const struct turn *t, const struct grammar_tool *tool) {
    struct grammar_item items[] = {
        {field(t, "name", json_parts_key(&t->parts, tool->name, strlen(tool->name))), 1, 0},
        {field(t, t->form.arguments, arguments(t, tool)), 1, 0},
        {field(t, "id", json_parts_quoted(&t->parts, id_of(t->b))), 1, 0}};
    grammar_expr list =
        grammar_list(t->b, items, t->form.list_ids ? 3 : 2, json_parts_comma(&t->parts));
    return json_parts_enclosed(&t->parts, '{', list, '}');
}

static grammar_expr named_call(const struct turn *t, const struct grammar_tool *tool) {
    struct grammar_builder *b = t->b;
    struct expr_list parts = {0};
    if (t->form.numbered) expr_push(b, &parts, grammar_text(b, "functions."));
    expr_push(b, &parts, grammar_text(b, tool->name));
    if (t->form.numbered) expr_push(b, &parts, grammar_regex(b, ":(?:0|[1-9][0-9]?)", 18));
    if (t->form.id_open[0]) {
        expr_push(b, &parts, mark(t, t->form.id_open));
        expr_push(b, &parts, id_of(b));
    }
    expr_push(b, &parts, mark(t, t->form.name_end));
    expr_push(b, &parts, arguments(t, tool));
    return expr_seq_of(b, &parts);
}

/* Names stand bare in most formats: what could be taken for a mark is refused. */
static bool name_fits(const struct turn *t, const char *name) {
    bool object = t->form.body >= CALL_FORM_OBJECT;
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MOST && (object || !name[strcspn(name, "<>[]{}\"' \t\n:|")]);
}

/* A call of any of the tools, behind `open` and without `close`, as a rule: it is used twice. */
static grammar_expr any_call(const struct turn *t) {
    struct expr_list parts = {0};
    for (size_t i = 0; i < t->tools->n; i++) {
        const struct grammar_tool *tool = &t->tools->tools[i];
        if (!name_fits(t, tool->name))
            expr_fail(t->b, JL_ERR_UNSUPPORTED,
                      "a tool named \"%.64s\" cannot be called in this model's format", tool->name);
        expr_push(t->b, &parts,
                  t->form.body >= CALL_FORM_OBJECT ? object_call(t, tool) : named_call(t, tool));
    }
    grammar_rule rule = grammar_declare(t->b, "call", 4);
    grammar_define(t->b, rule, expr_alt_of(t->b, &parts));
    return grammar_ref(t->b, rule);
}

/* ---- the turn ---- */

/* What may follow `first`: any number of `more`, where more than one call is allowed. */
static grammar_expr several(const struct turn *t, grammar_expr first, grammar_expr more) {
    if (t->tools->one) return first;
    return expr_seq2(t->b, first, grammar_repeat(t->b, more, 0, GRAMMAR_UNBOUNDED));
}

static grammar_expr list_of_calls(const struct turn *t, grammar_expr call) {
    struct grammar_builder *b = t->b;
    grammar_expr more = expr_seq2(b, json_parts_comma(&t->parts), call);
    return expr_seq3(b, lead(t), json_parts_enclosed(&t->parts, '[', several(t, call, more), ']'),
                     mark(t, t->form.close));
}

static grammar_expr marked_calls(const struct turn *t, grammar_expr call) {
    struct grammar_builder *b = t->b;
    const struct call_form *f = &t->form;
    bool section = f->section_open[0];
    grammar_expr closed = expr_seq2(b, call, mark(t, f->close));
    grammar_expr open = expr_seq2(b, mark(t, f->open), closed);
    grammar_expr between = mark(t, f->between), end = mark(t, f->section_close);
    grammar_expr first = expr_seq2(b, lead(t), section ? open : closed);
    if (section && f->section_each) {
        grammar_expr again[] = {between, mark(t, f->section_open), open, end};
        return several(t, expr_seq2(b, first, end), grammar_seq(b, again, 4));
    }
    return expr_seq2(b, several(t, first, expr_seq2(b, between, open)), end);
}

/* Text that cannot be taken for a call without a mark, and has no mark. */
static grammar_expr plain_text(const struct turn *t) {
    static const uint32_t first[][2] = {{'!', ';'}, {'=', 'z'}, {'|', 0x10FFFF}}; // no '<', '{'
    struct grammar_builder *b = t->b;
    const char *text;
    size_t n = first_mark(t, &text);
    grammar_expr rest = grammar_text_without(b, text, n);
    if (t->form.body != CALL_FORM_BARE) return rest;
    return grammar_optional(b, expr_seq2(b, grammar_chars(b, first, 3), rest));
}

grammar_expr grammar_tool_calls(struct grammar_builder *b, const struct dialect *dialect,
                                const struct tokenizer *tokenizer,
                                const struct grammar_tools *tools) {
    struct turn t = {.b = b, .tokenizer = tokenizer, .tools = tools};
    if (!call_form_of(dialect, &t.form))
        return expr_fail(b, JL_ERR_UNSUPPORTED, "the model's dialect, %s, has no tool calls",
                         dialect->name);
    if (tools->n == 0) return expr_fail(b, JL_ERR_USAGE, "no tools to call");
    t.parts = (struct json_parts){.b = b, .space = tools->json.space};
    grammar_expr call = any_call(&t), calls;
    if (t.form.body == CALL_FORM_LIST)
        calls = list_of_calls(&t, call);
    else if (t.form.body == CALL_FORM_BARE)
        calls = several(&t, call, expr_seq2(b, grammar_text(b, t.form.between), call));
    else
        calls = marked_calls(&t, call);
    return tools->must ? calls : expr_alt2(b, calls, plain_text(&t));
}
