/* str: finding, replacing, joining, and the frame in which methods are called. Splitting and
 * stripping are in methods_str_cut.c, questions about characters in methods_str_test.c. */
#include <string.h>

#include "text/template/format.h"
#include "text/template/lexer.h"
#include "text/template/methods.h"
#include "text/template/methods_args.h"
#include "text/utf8.h"

/* ---- calling ---- */

/* Methods of Markup give Markup, and escape what goes in. */
static struct value *as_markup(struct render *r, struct value *v) {
    if (!v || (v->kind != VALUE_STR && v->kind != VALUE_LIST && v->kind != VALUE_TUPLE)) return v;
    struct value *copy = value_new(r, v->kind);
    if (!copy) return NULL;
    *copy = *v;
    if (v->kind == VALUE_STR) {
        copy->as.s.markup = true;
        return copy;
    }
    struct listbuf items = {.r = r};
    for (size_t i = 0; i < v->as.list.count; i++) {
        if (!listbuf_add(&items, as_markup(r, v->as.list.items[i]))) return NULL;
    }
    copy->as.list = listbuf_list(&items);
    return copy;
}

static struct value *escaped(struct render *r, struct value *v) {
    struct strbuf text = {.r = r};
    if (!v || v->kind != VALUE_STR || v->as.s.markup) return v;
    format_escape(&text, v->as.s);
    return as_markup(r, strbuf_value(&text));
}

static bool escapes_arguments(const char *name) {
    static const char *const names[] = {"replace", "ljust",  "rjust", "center",
                                        "lstrip",  "rstrip", "strip"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(names[i], name)) return true;
    }
    return false;
}

struct value *methods_call(struct render *r, const struct methods_row *row, struct value *self,
                           const struct call *call) {
    struct value *args[FILTERS_MAX_ARGS];
    bool markup = self && self->kind == VALUE_STR && self->as.s.markup;
    if (row->run_call) return row->run_call(r, self, call);
    if (!filters_bind(r, row->name, row->params, row->required, call, args)) return NULL;
    for (int i = 0; markup && i < FILTERS_MAX_ARGS && escapes_arguments(row->name); i++) {
        args[i] = escaped(r, args[i]);
        if (r->failed) return NULL;
    }
    struct value *result = row->run(r, self, args);
    return markup ? as_markup(r, result) : result;
}

bool methods_find(struct render *r, const struct methods_row *rows, struct value *self,
                  struct str name, struct value **out) {
    *out = NULL;
    for (; rows->name; rows++) {
        if (!str_equal(name, str_of(rows->name))) continue;
        struct value *v = value_new(r, VALUE_METHOD);
        if (!v) return false;
        v->as.function.self = self;
        v->as.function.name = rows->name;
        v->as.function.row = rows;
        *out = v;
        return true;
    }
    return true;
}

/* ---- arguments ---- */

bool methods_args_str(struct render *r, const struct value *v, const char *what, struct str *out) {
    if (v->kind == VALUE_STR) {
        *out = v->as.s;
        return true;
    }
    return RENDER_NO(render_fail(r, "%s must be a string, not a %s", what, value_type(v)));
}

bool methods_args_int(struct render *r, const struct value *v, const char *what, int64_t fallback,
                      int64_t *out) {
    *out = fallback;
    return !v || ops_need_int(r, v, what, out);
}

/* Bytes of the characters [start, stop) as Python counts them; false in *inside: an empty stretch
 * behind the end, where not even '' is found. */
bool methods_args_range(struct render *r, struct str s, struct value *const *args,
                        struct methods_range *out) {
    int64_t len = (int64_t)str_chars(s), start = 0, stop = len;
    if (args[0] && args[0]->kind != VALUE_NONE &&
        !methods_args_int(r, args[0], "the start", 0, &start))
        return false;
    if (args[1] && args[1]->kind != VALUE_NONE &&
        !methods_args_int(r, args[1], "the end", 0, &stop))
        return false;
    if (start < 0) start = start < -len ? 0 : start + len;
    if (stop < 0) stop = stop < -len ? 0 : stop + len;
    if (stop > len) stop = len;
    out->inside = start <= stop;
    out->start = str_offset(s, start > len ? (size_t)len : (size_t)start);
    out->stop = out->inside ? str_offset(s, (size_t)stop) : out->start;
    return render_work(r, s.len / 64);
}

/* ---- finding ---- */

bool methods_find_text(struct str s, struct str what, size_t from, size_t *at) {
    if (from > s.len || s.len - from < what.len) return false;
    const char *found =
        what.len ? memmem(s.data + from, s.len - from, what.data, what.len) : s.data + from;
    if (!found) return false;
    *at = (size_t)(found - s.data);
    return true;
}

static bool find_last(struct str s, struct str what, size_t *at) {
    if (what.len > s.len) return false;
    *at = s.len - what.len;
    if (what.len == 0) return true;
    for (size_t room = *at + 1; room > 0;) { // from the last place at which it could begin
        const char *found = memrchr(s.data, what.data[0], room);
        if (!found) return false;
        *at = (size_t)(found - s.data);
        if (!memcmp(found, what.data, what.len)) return true;
        room = *at;
    }
    return false;
}

/* Character index of the first or last occurrence; -1. False: failed. */
static bool search(struct render *r, struct value *self, struct value **args, bool last,
                   int64_t *out) {
    struct str what, s = self->as.s;
    struct methods_range range;
    size_t at;
    *out = -1;
    if (!methods_args_str(r, args[0], "what is searched for", &what)) return false;
    if (!methods_args_range(r, s, args + 1, &range)) return false;
    struct str part = str_part(s, range.start, range.stop);
    bool found =
        range.inside && (last ? find_last(part, what, &at) : methods_find_text(part, what, 0, &at));
    if (found) *out = (int64_t)str_chars(str_part(s, 0, range.start + at));
    return true;
}

static struct value *str_find(struct render *r, struct value *self, struct value **args) {
    int64_t at;
    return search(r, self, args, false, &at) ? value_int(r, at) : NULL;
}

static struct value *str_rfind(struct render *r, struct value *self, struct value **args) {
    int64_t at;
    return search(r, self, args, true, &at) ? value_int(r, at) : NULL;
}

static struct value *str_index(struct render *r, struct value *self, struct value **args) {
    int64_t at;
    if (!search(r, self, args, false, &at)) return NULL;
    return at < 0 ? render_fail(r, "substring not found") : value_int(r, at);
}

static struct value *str_rindex(struct render *r, struct value *self, struct value **args) {
    int64_t at;
    if (!search(r, self, args, true, &at)) return NULL;
    return at < 0 ? render_fail(r, "substring not found") : value_int(r, at);
}

static struct value *str_count(struct render *r, struct value *self, struct value **args) {
    struct str what;
    struct methods_range range;
    int64_t n = 0;
    if (!methods_args_str(r, args[0], "what is counted", &what)) return NULL;
    if (!methods_args_range(r, self->as.s, args + 1, &range)) return NULL;
    struct str part = str_part(self->as.s, range.start, range.stop);
    if (!range.inside) return value_int(r, 0);
    if (what.len == 0) return value_int(r, (int64_t)str_chars(part) + 1);
    for (size_t at = 0; methods_find_text(part, what, at, &at); at += what.len)
        n++;
    return value_int(r, n);
}

static bool has_affix(struct str s, struct str affix, bool front) {
    if (affix.len > s.len) return false;
    return affix.len == 0 ||
           memcmp(front ? s.data : s.data + s.len - affix.len, affix.data, affix.len) == 0;
}

static struct value *check_affix(struct render *r, struct value *self, struct value **args,
                                 bool front) {
    struct methods_range range;
    struct value *what = args[0];
    bool has = false;
    if (!methods_args_range(r, self->as.s, args + 1, &range)) return NULL;
    struct list one = {&what, 1}, list = what->kind == VALUE_TUPLE ? what->as.list : one;
    struct str part = str_part(self->as.s, range.start, range.stop), affix;
    for (size_t i = 0; i < list.count && !has; i++) {
        if (!methods_args_str(r, list.items[i], "a prefix or suffix", &affix)) return NULL;
        has = range.inside && has_affix(part, affix, front);
    }
    return value_bool(has);
}

static struct value *str_startswith(struct render *r, struct value *self, struct value **args) {
    return check_affix(r, self, args, true);
}

static struct value *str_endswith(struct render *r, struct value *self, struct value **args) {
    return check_affix(r, self, args, false);
}

static struct value *str_removeprefix(struct render *r, struct value *self, struct value **args) {
    struct str affix, s = self->as.s;
    if (!methods_args_str(r, args[0], "the prefix", &affix)) return NULL;
    return value_str(r, has_affix(s, affix, true) ? str_part(s, affix.len, s.len) : s);
}

static struct value *str_removesuffix(struct render *r, struct value *self, struct value **args) {
    struct str affix, s = self->as.s;
    if (!methods_args_str(r, args[0], "the suffix", &affix)) return NULL;
    return value_str(r, has_affix(s, affix, false) ? str_part(s, 0, s.len - affix.len) : s);
}

/* ---- making ---- */

struct value *methods_replace(struct render *r, struct str s, struct str old, struct str with,
                              int64_t count) {
    struct strbuf text = {.r = r};
    size_t from = 0, at = 0;
    if (count < 0) count = INT64_MAX;
    for (; count > 0 && methods_find_text(s, old, at, &at); count--) {
        if (!render_work(r, 1)) return NULL;
        strbuf_str(&text, str_part(s, from, at));
        strbuf_str(&text, with);
        from = at;
        if (old.len) {
            from = at += old.len;
            continue;
        }
        if (at == s.len) break; // between all characters and at both ends
        at += str_offset(str_part(s, at, s.len), 1);
    }
    if (from == 0 && text.len == 0) return value_str(r, s);
    strbuf_str(&text, str_part(s, from, s.len));
    return render_work(r, s.len / 64) ? strbuf_value(&text) : NULL;
}

static struct value *str_replace(struct render *r, struct value *self, struct value **args) {
    struct str old, with;
    int64_t count;
    if (!methods_args_str(r, args[0], "what is replaced", &old) ||
        !methods_args_str(r, args[1], "the replacement", &with) ||
        !methods_args_int(r, args[2], "the count", -1, &count))
        return NULL;
    return methods_replace(r, self->as.s, old, with, count);
}

struct value *methods_join(struct render *r, struct str separator, struct list items) {
    struct strbuf text = {.r = r};
    struct str item;
    for (size_t i = 0; i < items.count; i++) {
        if (!render_work(r, 1)) return NULL;
        if (!methods_args_str(r, items.items[i], "each item of a join", &item)) return NULL;
        if (i) strbuf_str(&text, separator);
        if (separator.markup && !item.markup)
            format_escape(&text, item);
        else
            strbuf_str(&text, item);
    }
    return strbuf_value(&text);
}

static struct value *str_join(struct render *r, struct value *self, struct value **args) {
    struct list items;
    return ops_items(r, args[0], &items) ? methods_join(r, self->as.s, items) : NULL;
}

/* Room to fill up to a width, shared between both sides. */
static struct value *pad(struct render *r, struct value *self, struct value **args, char where) {
    struct strbuf text = {.r = r};
    struct str s = self->as.s, fill = str_of(" ");
    int64_t width, len = (int64_t)str_chars(s);
    if (!methods_args_int(r, args[0], "the width", 0, &width)) return NULL;
    if (args[1] && !methods_args_str(r, args[1], "the fill character", &fill)) return NULL;
    if (str_chars(fill) != 1) return render_fail(r, "the fill must be one character");
    int64_t room = width > len ? width - len : 0;
    int64_t left = where == 'r' ? room : where == 'l' ? 0 : room / 2 + (room & width & 1);
    if (!render_work(r, (size_t)room)) return NULL;
    for (int64_t i = 0; i < left; i++)
        strbuf_str(&text, fill);
    strbuf_str(&text, s);
    for (int64_t i = left; i < room; i++)
        strbuf_str(&text, fill);
    return strbuf_value(&text);
}

static struct value *str_center(struct render *r, struct value *self, struct value **args) {
    return pad(r, self, args, 'c');
}

static struct value *str_ljust(struct render *r, struct value *self, struct value **args) {
    return pad(r, self, args, 'l');
}

static struct value *str_rjust(struct render *r, struct value *self, struct value **args) {
    return pad(r, self, args, 'r');
}

static struct value *str_zfill(struct render *r, struct value *self, struct value **args) {
    struct strbuf text = {.r = r};
    struct str s = self->as.s;
    int64_t width;
    if (!methods_args_int(r, args[0], "the width", 0, &width)) return NULL;
    int64_t room = width - (int64_t)str_chars(s);
    size_t sign = s.len && (s.data[0] == '-' || s.data[0] == '+');
    if (room > 0 && !render_work(r, (size_t)room)) return NULL;
    strbuf_str(&text, str_part(s, 0, sign));
    for (; room > 0; room--)
        strbuf_text(&text, "0");
    strbuf_str(&text, str_part(s, sign, s.len));
    return strbuf_value(&text);
}

static struct value *str_expandtabs(struct render *r, struct value *self, struct value **args) {
    struct strbuf text = {.r = r};
    struct str s = self->as.s;
    int64_t size, column = 0;
    if (!methods_args_int(r, args[0], "the tab size", 8, &size)) return NULL;
    if (!render_work(r, s.len / 8)) return NULL;
    for (size_t at = 0; at < s.len;) {
        size_t n = str_offset(str_part(s, at, s.len), 1);
        struct str c = str_part(s, at, at + n);
        at += n;
        if (c.data[0] != '\t') {
            column = c.data[0] == '\n' || c.data[0] == '\r' ? 0 : column + 1;
            strbuf_str(&text, c);
            continue;
        }
        int64_t room = size > 0 ? size - column % size : 0;
        if (!render_work(r, (size_t)room)) return NULL;
        for (column += room; room > 0; room--)
            strbuf_put(&text, " ", 1, str_mark(c, 0));
    }
    return strbuf_value(&text);
}

static struct value *str_upper(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return methods_case(r, self->as.s, 'u');
}

static struct value *str_lower(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return methods_case(r, self->as.s, 'l');
}

static struct value *str_title(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return methods_case(r, self->as.s, 't');
}

static struct value *str_capitalize(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return methods_case(r, self->as.s, 'c');
}

static struct value *str_swapcase(struct render *r, struct value *self, struct value **args) {
    (void)args;
    return methods_case(r, self->as.s, 's');
}

static struct value *str_format(struct render *r, struct value *self, const struct call *call) {
    return format_braces(r, self->as.s, call);
}

static struct value *str_format_map(struct render *r, struct value *self, const struct call *call) {
    if (call->n_args != 1 || call->kwargs->count || call->args[0]->kind != VALUE_DICT)
        return render_fail(r, "format_map takes one dict");
    struct call inner = {.kwargs = call->args[0]->as.dict};
    return format_braces(r, self->as.s, &inner);
}

const struct methods_row methods_str_rows[] = {
    {"upper", "", 0, str_upper, NULL},
    {"lower", "", 0, str_lower, NULL},
    {"title", "", 0, str_title, NULL},
    {"capitalize", "", 0, str_capitalize, NULL},
    {"swapcase", "", 0, str_swapcase, NULL},
    {"find", "- - -", 1, str_find, NULL},
    {"rfind", "- - -", 1, str_rfind, NULL},
    {"index", "- - -", 1, str_index, NULL},
    {"rindex", "- - -", 1, str_rindex, NULL},
    {"count", "- - -", 1, str_count, NULL},
    {"startswith", "- - -", 1, str_startswith, NULL},
    {"endswith", "- - -", 1, str_endswith, NULL},
    {"removeprefix", "-", 1, str_removeprefix, NULL},
    {"removesuffix", "-", 1, str_removesuffix, NULL},
    {"replace", "- - -", 2, str_replace, NULL},
    {"join", "-", 1, str_join, NULL},
    {"center", "- -", 1, str_center, NULL},
    {"ljust", "- -", 1, str_ljust, NULL},
    {"rjust", "- -", 1, str_rjust, NULL},
    {"zfill", "-", 1, str_zfill, NULL},
    {"expandtabs", "tabsize", 0, str_expandtabs, NULL},
    {"format", "", 0, NULL, str_format},
    {"format_map", "", 0, NULL, str_format_map},
    {NULL, NULL, 0, NULL, NULL},
};
