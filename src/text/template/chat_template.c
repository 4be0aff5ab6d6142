/* The public face: parse once, render often. */
#include "text/chat_template.h"

#include <stdlib.h>
#include <string.h>

#include "text/template/exec.h"
#include "text/template/globals.h"
#include "text/template/parser.h"

struct chat_template {
    struct ast ast;
};

enum jl_status chat_template_parse(const char *source, size_t len, struct chat_template **out,
                                   struct jl_error *err) {
    struct jl_error ignored;
    *out = NULL;
    struct chat_template *tmpl = calloc(1, sizeof *tmpl);
    if (!tmpl) return jl_fail(err, JL_ERR_MEMORY, "out of memory reading a chat template");
    enum jl_status status = parser_read(&tmpl->ast, source, len, err ? err : &ignored);
    if (status != JL_OK) {
        chat_template_free(tmpl);
        return status;
    }
    *out = tmpl;
    return JL_OK;
}

void chat_template_free(struct chat_template *tmpl) {
    if (!tmpl) return;
    arena_free(&tmpl->ast.arena);
    free(tmpl);
}

bool chat_template_uses(const struct chat_template *tmpl, const char *name) {
    for (int i = 0; i < tmpl->ast.n_symbol; i++) {
        if (str_equal(tmpl->ast.symbols[i], str_of(name))) return true;
    }
    return false;
}

/* ---- variables ---- */

static struct value *convert(struct render *r, const json_t *json, unsigned char mark);

static struct value *convert_array(struct render *r, const json_t *json, unsigned char mark) {
    struct listbuf items = {.r = r};
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (!listbuf_add(&items, convert(r, json_array_get(json, i), mark))) return NULL;
    }
    return value_list(r, VALUE_LIST, listbuf_list(&items));
}

static struct value *convert_object(struct render *r, const json_t *json, unsigned char mark) {
    struct dict *d = dict_new(r);
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach((json_t *)json, key, len, value) {
        struct str name = {.data = key, .len = len, .mark = mark};
        if (!d || !dict_set(r, d, value_str(r, name), convert(r, value, mark))) return NULL;
    }
    return value_dict(r, d);
}

static struct value *convert_kind(struct render *r, const json_t *json, unsigned char mark) {
    switch (json_typeof(json)) {
    case JSON_OBJECT: return convert_object(r, json, mark);
    case JSON_ARRAY: return convert_array(r, json, mark);
    case JSON_STRING:
        return value_str(r, (struct str){.data = json_string_value(json),
                                         .len = json_string_length(json),
                                         .mark = mark});
    case JSON_INTEGER: return value_int(r, json_integer_value(json));
    case JSON_REAL: return value_float(r, json_real_value(json));
    case JSON_NULL: return value_none();
    default: return value_bool(json_is_true(json));
    }
}

static struct value *convert(struct render *r, const json_t *json, unsigned char mark) {
    struct value *v = render_enter(r) ? convert_kind(r, json, mark) : NULL;
    render_leave(r);
    return v;
}

static bool is_token(struct str name) {
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_equal(name, str_of(names[i]))) return true;
    }
    return false;
}

/* What each name of the template means before it assigns anything. */
static bool find_globals(struct render *r, const json_t *variables) {
    r->globals = render_array(r, (size_t)r->ast->n_symbol + 1, sizeof *r->globals);
    if (!r->globals) return false;
    for (int i = 0; i < r->ast->n_symbol; i++) {
        struct str name = r->ast->symbols[i];
        const json_t *value = json_object_getn(variables, name.data, name.len);
        if (!value) {
            if (!globals_find(r, name, &r->globals[i])) return false;
            continue;
        }
        bool trusted = is_token(name) && json_is_string(value);
        r->globals[i] = convert(r, value, trusted ? 0 : MARK_USER);
        if (!r->globals[i]) return false;
    }
    return true;
}

/* ---- the result ---- */

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory rendering a chat template");
}

/* The stretches of bytes that carry a mark. */
static bool collect_spans(struct str text, unsigned char mark, struct text_span **out,
                          size_t *count) {
    size_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (size_t at = 0; at < text.len;) {
            size_t start = at;
            bool has = str_mark(text, at) & mark;
            if (!text.marks)
                at = text.len;
            else
                while (at < text.len && (bool)(text.marks[at] & mark) == has)
                    at++;
            if (!has) continue;
            if (pass) (*out)[n] = (struct text_span){start, at};
            n++;
        }
        if (pass == 0) {
            *out = calloc(n + 1, sizeof **out);
            if (!*out) return false;
        }
    }
    *count = n;
    return true;
}

static enum jl_status take_result(struct str text, struct chat_rendered *out,
                                  struct jl_error *err) {
    out->text = malloc(text.len + 1);
    if (!out->text) return no_memory(err);
    memcpy(out->text, text.data, text.len);
    out->text[text.len] = '\0';
    out->len = text.len;
    if (collect_spans(text, MARK_USER, &out->user, &out->n_user) &&
        collect_spans(text, MARK_GENERATION, &out->generation, &out->n_generation))
        return JL_OK;
    chat_rendered_free(out);
    return no_memory(err);
}

enum jl_status chat_template_render(const struct chat_template *tmpl, const json_t *variables,
                                    const struct chat_render_options *options,
                                    struct chat_rendered *out, struct jl_error *err) {
    static const struct chat_render_options none = {0};
    const struct chat_render_options *o = options ? options : &none;
    struct jl_error inner = {0};
    struct render r = {.ast = &tmpl->ast, .err = &inner, .now = o->now, .has_now = o->has_now};
    struct strbuf text = {.r = &r};
    enum jl_status status = JL_OK;
    r.max_steps = o->max_steps ? o->max_steps : CHAT_RENDER_STEPS;
    r.max_output = o->max_output ? o->max_output : CHAT_RENDER_OUTPUT;
    r.max_memory = o->max_memory ? o->max_memory : CHAT_RENDER_MEMORY;
    r.out = &text;
    r.line = 1;
    *out = (struct chat_rendered){0};
    if (!json_is_object(variables))
        return jl_fail(err, JL_ERR_USAGE, "the variables of a chat template must be an object");
    r.root = eval_scope(&r, NULL);
    bool ok = r.root && find_globals(&r, variables) &&
              exec_body(&r, r.root, &tmpl->ast.body) == EXEC_OK && !text.failed && !r.failed;
    if (ok)
        status = take_result(strbuf_view(&text), out, err);
    else
        status =
            jl_fail(err, inner.status == JL_OK ? JL_ERR_MEMORY : inner.status, "%s", inner.message);
    arena_free(&r.blocks);
    return status;
}

void chat_rendered_free(struct chat_rendered *rendered) {
    free(rendered->text);
    free(rendered->user);
    free(rendered->generation);
    *rendered = (struct chat_rendered){0};
}
