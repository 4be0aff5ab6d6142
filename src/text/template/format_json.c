/* json.dumps: what the filter tojson prints. Generators become lists. */
#include <string.h>

#include "text/json_escape.h"
#include "text/number_text.h"
#include "text/template/format.h"
#include "text/template/ops.h"
#include "text/utf8.h"

struct writer {
    struct render *r;
    struct strbuf *out;
    const struct format_json *options;
    struct str indent, item_separator, key_separator;
    bool lines;
    int level;
};

static void put_string(struct writer *w, struct str s) {
    char text[JSON_ESCAPE_BYTES];
    uint32_t code;
    strbuf_text(w->out, "\"");
    for (size_t at = 0; at < s.len;) {
        size_t from = at; // a run of bytes that need no escape
        while (at < s.len && s.data[at] >= 0x20 && s.data[at] != '"' && s.data[at] != '\\' &&
               s.data[at] != 0x7F)
            at++;
        strbuf_str(w->out, str_part(s, from, at));
        if (at == s.len) break;
        int n = utf8_step(s.data + at, s.len - at, &code);
        int len = json_escape_char(code, w->options->ensure_ascii, text);
        strbuf_put(w->out, text, (size_t)len, str_mark(s, at));
        at += (size_t)n;
    }
    strbuf_text(w->out, "\"");
}

static void put_line(struct writer *w) {
    if (!w->lines) return;
    strbuf_text(w->out, "\n");
    for (int i = 0; i < w->level && !w->out->failed; i++)
        strbuf_str(w->out, w->indent);
}

static bool put_value(struct writer *w, struct value *v);

static bool put_array(struct writer *w, struct value *v) {
    struct list items;
    if (!ops_items(w->r, v, &items)) return false;
    strbuf_text(w->out, "[");
    w->level++;
    for (size_t i = 0; i < items.count; i++) {
        if (i) strbuf_str(w->out, w->item_separator);
        put_line(w);
        if (!put_value(w, items.items[i])) return false;
    }
    w->level--;
    if (items.count) put_line(w);
    strbuf_text(w->out, "]");
    return true;
}

/* Keys that are numbers, booleans or None become strings. */
static bool put_key(struct writer *w, struct value *key) {
    char text[NUMBER_TEXT_BYTES];
    switch (key->kind) {
    case VALUE_STR: put_string(w, key->as.s); return true;
    case VALUE_NONE: strbuf_text(w->out, "\"null\""); return true;
    case VALUE_BOOL: strbuf_text(w->out, key->as.b ? "\"true\"" : "\"false\""); return true;
    case VALUE_INT:
        strbuf_text(w->out, "\"");
        ops_repr(w->r, w->out, key);
        strbuf_text(w->out, "\"");
        return true;
    case VALUE_FLOAT:
        number_text_repr(key->as.f, text);
        if (key->as.f - key->as.f != 0)
            strcpy(text, key->as.f != key->as.f ? "NaN" : key->as.f > 0 ? "Infinity" : "-Infinity");
        strbuf_text(w->out, "\"");
        strbuf_text(w->out, text);
        strbuf_text(w->out, "\"");
        return true;
    default: return RENDER_NO(render_fail(w->r, "a %s is no key of JSON", value_type(key)));
    }
}

static bool sorted_entries(struct writer *w, const struct dict *d, struct dict_entry **out) {
    struct value **keys = render_array(w->r, d->count + 1, sizeof *keys);
    struct value **order = render_array(w->r, d->count + 1, sizeof *order);
    *out = render_array(w->r, d->count + 1, sizeof **out);
    if (!keys || !order || !*out) return false;
    for (size_t i = 0; i < d->count; i++)
        keys[i] = order[i] = d->entries[i].key;
    if (!ops_sort(w->r, (struct list){order, d->count}, keys, false)) return false;
    for (size_t i = 0; i < d->count; i++) {
        (*out)[i].key = order[i];
        if (!dict_get(w->r, d, order[i], &(*out)[i].value)) return false;
    }
    return true;
}

static bool put_object(struct writer *w, const struct dict *d) {
    struct dict_entry *entries = d->entries;
    if (w->options->sort_keys && !sorted_entries(w, d, &entries)) return false;
    strbuf_text(w->out, "{");
    w->level++;
    for (size_t i = 0; i < d->count; i++) {
        if (i) strbuf_str(w->out, w->item_separator);
        put_line(w);
        if (!put_key(w, entries[i].key)) return false;
        strbuf_str(w->out, w->key_separator);
        if (!put_value(w, entries[i].value)) return false;
    }
    w->level--;
    if (d->count) put_line(w);
    strbuf_text(w->out, "}");
    return true;
}

static bool put_kind(struct writer *w, struct value *v) {
    switch (v->kind) {
    case VALUE_NONE: strbuf_text(w->out, "null"); return true;
    case VALUE_BOOL: strbuf_text(w->out, v->as.b ? "true" : "false"); return true;
    case VALUE_FLOAT:
        if (v->as.f - v->as.f != 0) {
            strbuf_text(w->out, v->as.f != v->as.f ? "NaN"
                                : v->as.f > 0      ? "Infinity"
                                                   : "-Infinity");
            return true;
        }
        ops_repr(w->r, w->out, v);
        return true;
    case VALUE_INT: ops_repr(w->r, w->out, v); return true;
    case VALUE_STR: put_string(w, v->as.s); return true;
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_ITER: return put_array(w, v);
    case VALUE_DICT: return put_object(w, v->as.dict);
    default: return RENDER_NO(render_fail(w->r, "a %s cannot be written as JSON", value_type(v)));
    }
}

static bool put_value(struct writer *w, struct value *v) {
    bool ok = render_enter(w->r) && put_kind(w, v) && !w->out->failed;
    render_leave(w->r);
    return ok && !w->r->failed;
}

static bool separator(struct render *r, struct value *v, const char *fallback, struct str *out) {
    *out = str_of(fallback);
    if (!v) return true;
    if (v->kind != VALUE_STR)
        return RENDER_NO(render_fail(r, "a separator must be a string, not a %s", value_type(v)));
    *out = v->as.s;
    return true;
}

bool format_json_write(struct render *r, struct strbuf *out, struct value *v,
                       const struct format_json *options) {
    struct writer w = {.r = r, .out = out, .options = options};
    struct strbuf indent = {.r = r};
    int64_t n;
    w.lines = options->indent != NULL;
    if (options->indent && options->indent->kind == VALUE_STR) {
        w.indent = options->indent->as.s;
    } else if (options->indent) {
        if (!ops_need_int(r, options->indent, "the indent", &n)) return false;
        if (n > 1000) return RENDER_NO(render_limit(r, "the indent is too wide"));
        for (; n > 0; n--)
            strbuf_text(&indent, " ");
        w.indent = strbuf_view(&indent);
    }
    return separator(r, options->item_separator, w.lines ? "," : ", ", &w.item_separator) &&
           separator(r, options->key_separator, ": ", &w.key_separator) && put_value(&w, v);
}
