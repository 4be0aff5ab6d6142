/* str: strip, split, partition, splitlines. */
#include <string.h>

#include "text/template/lexer.h"
#include "text/template/methods.h"
#include "text/template/methods_args.h"
#include "text/utf8.h"

/* The character that ends at `end`. */
static size_t char_before(struct str s, size_t end) {
    size_t start = end - 1;
    while (start > 0 && ((unsigned char)s.data[start] & 0xC0) == 0x80)
        start--;
    return start;
}

static bool in_set(struct str c, const struct str *chars) {
    uint32_t code;
    size_t at;
    utf8_step(c.data, c.len, &code);
    return chars ? methods_find_text(*chars, c, 0, &at) : lexer_is_space(code);
}

struct str methods_strip(struct str s, const struct str *chars, int sides) {
    size_t start = 0, stop = s.len;
    while ((sides & 1) && start < stop) {
        size_t n = str_offset(str_part(s, start, stop), 1);
        if (!in_set(str_part(s, start, start + n), chars)) break;
        start += n;
    }
    while ((sides & 2) && stop > start) {
        size_t before = char_before(s, stop);
        if (!in_set(str_part(s, before, stop), chars)) break;
        stop = before;
    }
    return str_part(s, start, stop);
}

bool methods_strip_work(struct render *r, struct str s, size_t n_chars) {
    return render_work(r, (s.len / 8 + 1) * (n_chars / 16 + 1));
}

static struct value *strip(struct render *r, struct value *self, struct value **args, int sides) {
    struct str chars;
    bool given = args[0] && args[0]->kind != VALUE_NONE;
    if (given && !methods_args_str(r, args[0], "the characters to strip", &chars)) return NULL;
    if (!methods_strip_work(r, self->as.s, given ? chars.len : 0)) return NULL;
    return value_str(r, methods_strip(self->as.s, given ? &chars : NULL, sides));
}

static struct value *str_strip(struct render *r, struct value *self, struct value **args) {
    return strip(r, self, args, 3);
}

static struct value *str_lstrip(struct render *r, struct value *self, struct value **args) {
    return strip(r, self, args, 1);
}

static struct value *str_rstrip(struct render *r, struct value *self, struct value **args) {
    return strip(r, self, args, 2);
}

/* ---- splitting ---- */

static bool add_part(struct render *r, struct listbuf *parts, struct str part) {
    return render_work(r, 1) && listbuf_add(parts, value_str(r, part));
}

/* At white space: runs count once, none at the ends. `limit` negative: all. */
static bool split_space(struct render *r, struct str s, int64_t limit, struct listbuf *parts) {
    size_t at = 0;
    while (at < s.len) {
        struct str rest = methods_strip(str_part(s, at, s.len), NULL, 1);
        at = s.len - rest.len;
        if (at == s.len) break;
        if (limit == 0) return add_part(r, parts, rest);
        size_t stop = at;
        uint32_t code;
        while (stop < s.len) {
            int n = utf8_step(s.data + stop, s.len - stop, &code);
            if (lexer_is_space(code)) break;
            stop += (size_t)n;
        }
        if (!add_part(r, parts, str_part(s, at, stop))) return false;
        at = stop;
        limit--;
    }
    return true;
}

static bool split_at(struct render *r, struct str s, struct str sep, int64_t limit,
                     struct listbuf *parts) {
    size_t from = 0, at = 0;
    for (; limit != 0 && methods_find_text(s, sep, from, &at); limit--) {
        if (!add_part(r, parts, str_part(s, from, at))) return false;
        from = at + sep.len;
    }
    return add_part(r, parts, str_part(s, from, s.len));
}

static bool rsplit_space(struct render *r, struct str s, int64_t limit, struct listbuf *parts) {
    size_t end = s.len;
    while (end > 0) {
        struct str rest = methods_strip(str_part(s, 0, end), NULL, 2);
        end = rest.len;
        if (end == 0) break;
        if (limit == 0) return add_part(r, parts, rest);
        size_t start = end;
        uint32_t code;
        while (start > 0) {
            size_t before = char_before(s, start);
            utf8_step(s.data + before, start - before, &code);
            if (lexer_is_space(code)) break;
            start = before;
        }
        if (!add_part(r, parts, str_part(s, start, end))) return false;
        end = start;
        limit--;
    }
    return true;
}

static bool rsplit_at(struct render *r, struct str s, struct str sep, int64_t limit,
                      struct listbuf *parts) {
    size_t end = s.len;
    for (size_t i = s.len; limit != 0 && i-- > 0;) {
        if (end - i < sep.len || memcmp(s.data + i, sep.data, sep.len) != 0) continue;
        if (!add_part(r, parts, str_part(s, i + sep.len, end))) return false;
        end = i;
        limit--;
    }
    return add_part(r, parts, str_part(s, 0, end));
}

static void turn_around(struct listbuf *parts) {
    for (size_t i = 0; i + i + 1 < parts->count; i++) {
        struct value *swap = parts->items[i];
        parts->items[i] = parts->items[parts->count - 1 - i];
        parts->items[parts->count - 1 - i] = swap;
    }
}

static struct value *split(struct render *r, struct value *self, struct value **args, bool right) {
    struct listbuf parts = {.r = r};
    struct str s = self->as.s, sep;
    int64_t limit;
    bool space = !args[0] || args[0]->kind == VALUE_NONE, ok;
    if (!space && !methods_args_str(r, args[0], "the separator", &sep)) return NULL;
    if (!methods_args_int(r, args[1], "the number of splits", -1, &limit)) return NULL;
    if (!space && sep.len == 0) return render_fail(r, "the separator is empty");
    if (!render_work(r, s.len / 64)) return NULL;
    if (right) {
        ok = space ? rsplit_space(r, s, limit, &parts) : rsplit_at(r, s, sep, limit, &parts);
        turn_around(&parts);
    } else {
        ok = space ? split_space(r, s, limit, &parts) : split_at(r, s, sep, limit, &parts);
    }
    return ok ? value_list(r, VALUE_LIST, listbuf_list(&parts)) : NULL;
}

static struct value *str_split(struct render *r, struct value *self, struct value **args) {
    return split(r, self, args, false);
}

static struct value *str_rsplit(struct render *r, struct value *self, struct value **args) {
    return split(r, self, args, true);
}

/* Bytes of the line end at `at`, 0 where there is none. */
static size_t line_end(struct str s, size_t at) {
    uint32_t code;
    size_t n = (size_t)utf8_step(s.data + at, s.len - at, &code);
    if (code == '\r' && at + 1 < s.len && s.data[at + 1] == '\n') return 2;
    bool ends = (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
                code == 0x2028 || code == 0x2029;
    return ends ? n : 0;
}

bool methods_split_lines(struct render *r, struct str s, bool keep_ends, struct list *out) {
    struct listbuf parts = {.r = r};
    size_t from = 0;
    for (size_t at = 0; at < s.len;) {
        size_t end = line_end(s, at);
        if (!end) {
            at += str_offset(str_part(s, at, s.len), 1);
            continue;
        }
        if (!add_part(r, &parts, str_part(s, from, keep_ends ? at + end : at))) return false;
        from = at += end;
    }
    if (from < s.len && !add_part(r, &parts, str_part(s, from, s.len))) return false;
    *out = listbuf_list(&parts);
    return render_work(r, s.len / 4);
}

static struct value *str_splitlines(struct render *r, struct value *self, struct value **args) {
    struct list lines;
    if (!methods_split_lines(r, self->as.s, args[0] && ops_truth(args[0]), &lines)) return NULL;
    return value_list(r, VALUE_LIST, lines);
}

static struct value *partition(struct render *r, struct value *self, struct value **args,
                               bool right) {
    struct listbuf parts = {.r = r};
    struct str sep, s = self->as.s;
    size_t at = 0, next;
    if (!methods_args_str(r, args[0], "the separator", &sep)) return NULL;
    if (sep.len == 0) return render_fail(r, "the separator is empty");
    if (!render_work(r, s.len / 64)) return NULL;
    bool found = methods_find_text(s, sep, 0, &at);
    while (found && right && methods_find_text(s, sep, at + 1, &next))
        at = next;
    size_t end = found ? at + sep.len : s.len;
    struct str head = str_part(s, 0, found ? at : s.len), tail = str_part(s, end, s.len);
    if (!found && right) {
        tail = s;
        head = str_part(s, 0, 0);
    }
    if (!add_part(r, &parts, head) || !add_part(r, &parts, found ? sep : str_of("")) ||
        !add_part(r, &parts, tail))
        return NULL;
    return value_list(r, VALUE_TUPLE, listbuf_list(&parts));
}

static struct value *str_partition(struct render *r, struct value *self, struct value **args) {
    return partition(r, self, args, false);
}

static struct value *str_rpartition(struct render *r, struct value *self, struct value **args) {
    return partition(r, self, args, true);
}

const struct methods_row methods_str_cut_rows[] = {
    {"strip", "-", 0, str_strip, NULL},
    {"lstrip", "-", 0, str_lstrip, NULL},
    {"rstrip", "-", 0, str_rstrip, NULL},
    {"split", "sep maxsplit", 0, str_split, NULL},
    {"rsplit", "sep maxsplit", 0, str_rsplit, NULL},
    {"splitlines", "keepends", 0, str_splitlines, NULL},
    {"partition", "-", 1, str_partition, NULL},
    {"rpartition", "-", 1, str_rpartition, NULL},
    {NULL, NULL, 0, NULL, NULL},
};
