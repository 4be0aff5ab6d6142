/* str() and repr() as Python prints them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "text/number_text.h"
#include "text/template/ops.h"
#include "text/utf8.h"

/* Python's str.isprintable for one character. */
static bool printable(uint32_t code) {
    if (code < 0x80) return code >= 0x20 && code != 0x7F;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
    }
}

static void repr_char(struct strbuf *b, struct str c, uint32_t code, char quote) {
    static const char plain[] = "\n\r\t\\", letters[] = "nrt\\";
    unsigned char mark = str_mark(c, 0);
    const char *at = code && code < 0x80 ? strchr(plain, (int)code) : NULL;
    char text[12];
    if (at) {
        text[0] = '\\';
        text[1] = letters[at - plain];
        strbuf_put(b, text, 2, mark);
    } else if (code == (uint32_t)quote) {
        text[0] = '\\';
        text[1] = quote;
        strbuf_put(b, text, 2, mark);
    } else if (printable(code)) {
        strbuf_str(b, c);
    } else {
        int n = snprintf(text, sizeof text,
                         code < 0x100     ? "\\x%02x"
                         : code < 0x10000 ? "\\u%04x"
                                          : "\\U%08x",
                         code);
        strbuf_put(b, text, (size_t)n, mark);
    }
}

static void repr_str(struct strbuf *b, struct str s) {
    bool single = memchr(s.data, '\'', s.len), twice = memchr(s.data, '"', s.len);
    char quote = single && !twice ? '"' : '\'';
    uint32_t code;
    if (s.markup) strbuf_text(b, "Markup(");
    strbuf_put(b, &quote, 1, 0);
    for (size_t at = 0; at < s.len;) {
        size_t n = (size_t)utf8_step(s.data + at, s.len - at, &code);
        repr_char(b, str_part(s, at, at + n), code, quote);
        at += n;
    }
    strbuf_put(b, &quote, 1, 0);
    if (s.markup) strbuf_text(b, ")");
}

static void repr_items(struct render *r, struct strbuf *b, struct list list, const char *open,
                       const char *close) {
    strbuf_text(b, open);
    for (size_t i = 0; i < list.count && !r->failed; i++) {
        if (i) strbuf_text(b, ", ");
        ops_repr(r, b, list.items[i]);
    }
    strbuf_text(b, close);
}

static void repr_dict(struct render *r, struct strbuf *b, const struct dict *d) {
    strbuf_text(b, "{");
    for (size_t i = 0; i < d->count && !r->failed; i++) {
        if (i) strbuf_text(b, ", ");
        ops_repr(r, b, d->entries[i].key);
        strbuf_text(b, ": ");
        ops_repr(r, b, d->entries[i].value);
    }
    strbuf_text(b, "}");
}

static void repr_view(struct render *r, struct strbuf *b, struct value *v) {
    struct list items;
    const char *name = v->as.view.which == 'k'   ? "dict_keys(["
                       : v->as.view.which == 'v' ? "dict_values(["
                                                 : "dict_items([";
    if (ops_items(r, v, &items)) repr_items(r, b, items, name, "])");
}

static void repr_range(struct strbuf *b, const struct range *range) {
    char text[80];
    int n = snprintf(text, sizeof text, "range(%" PRId64 ", %" PRId64, range->start, range->stop);
    strbuf_put(b, text, (size_t)n, 0);
    if (range->step != 1) {
        n = snprintf(text, sizeof text, ", %" PRId64, range->step);
        strbuf_put(b, text, (size_t)n, 0);
    }
    strbuf_text(b, ")");
}

static void repr_kind(struct render *r, struct strbuf *b, struct value *v) {
    char text[NUMBER_TEXT_BYTES];
    switch (v->kind) {
    case VALUE_UNDEFINED: strbuf_text(b, "Undefined"); break;
    case VALUE_NONE: strbuf_text(b, "None"); break;
    case VALUE_BOOL: strbuf_text(b, v->as.b ? "True" : "False"); break;
    case VALUE_INT:
        snprintf(text, sizeof text, "%" PRId64, v->as.i);
        strbuf_text(b, text);
        break;
    case VALUE_FLOAT:
        if (!render_work(r, 20)) break; // exact digits are dear
        number_text_repr(v->as.f, text);
        strbuf_text(b, text);
        break;
    case VALUE_STR: repr_str(b, v->as.s); break;
    case VALUE_LIST: repr_items(r, b, v->as.list, "[", "]"); break;
    case VALUE_TUPLE: repr_items(r, b, v->as.list, "(", v->as.list.count == 1 ? ",)" : ")"); break;
    case VALUE_DICT: repr_dict(r, b, v->as.dict); break;
    case VALUE_VIEW: repr_view(r, b, v); break;
    case VALUE_RANGE: repr_range(b, v->as.range); break;
    case VALUE_NAMESPACE:
        strbuf_text(b, "<Namespace ");
        repr_dict(r, b, v->as.dict);
        strbuf_text(b, ">");
        break;
    default: // Python prints an address
        render_unsupported(r, "a %s cannot be printed", value_type(v));
    }
}

void ops_repr(struct render *r, struct strbuf *b, struct value *v) {
    if (render_enter(r)) repr_kind(r, b, v);
    render_leave(r);
}

void ops_write(struct render *r, struct strbuf *b, struct value *v) {
    if (v->kind == VALUE_STR)
        strbuf_str(b, v->as.s);
    else if (v->kind != VALUE_UNDEFINED)
        ops_repr(r, b, v);
}

bool ops_str(struct render *r, struct value *v, struct str *out) {
    if (v->kind == VALUE_STR) {
        *out = v->as.s;
        return true;
    }
    struct strbuf text = {.r = r};
    ops_write(r, &text, v);
    if (r->failed || text.failed) return false;
    *out = strbuf_view(&text);
    return true;
}
