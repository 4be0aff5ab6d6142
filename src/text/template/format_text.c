/* printf-style %, str.format, and HTML escapes. */
#include <string.h>

#include "text/template/format.h"
#include "text/template/lexer.h"
#include "text/template/methods.h"
#include "text/utf8.h"

void format_escape(struct strbuf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        const char *entity = s.data[i] == '&'    ? "&amp;"
                             : s.data[i] == '<'  ? "&lt;"
                             : s.data[i] == '>'  ? "&gt;"
                             : s.data[i] == '\'' ? "&#39;"
                             : s.data[i] == '"'  ? "&#34;"
                                                 : NULL;
        if (entity)
            strbuf_put(out, entity, strlen(entity), str_mark(s, i));
        else
            strbuf_put(out, s.data + i, 1, str_mark(s, i));
    }
}

/* Inside a text that counts as HTML, what is filled in is escaped, unless it counts as HTML too. */
static bool put_escaped(struct render *r, struct strbuf *out, struct value *v, char how) {
    struct strbuf text = {.r = r};
    if (how == 's' && v->kind == VALUE_STR && v->as.s.markup) {
        strbuf_str(out, v->as.s);
        return !out->failed;
    }
    if (how == 's')
        ops_write(r, &text, v);
    else
        ops_repr(r, &text, v);
    format_escape(out, strbuf_view(&text));
    return !r->failed && !text.failed && !out->failed;
}

/* str() or repr() of a value, cut to a precision and padded. */
static bool put_text(struct render *r, struct strbuf *out, struct value *v, char how,
                     struct format_spec *spec, bool markup) {
    struct strbuf text = {.r = r};
    if (markup && !put_escaped(r, &text, v, how)) return false;
    if (!markup && how == 's') ops_write(r, &text, v);
    if (!markup && how != 's') ops_repr(r, &text, v);
    struct str s = strbuf_view(&text);
    if (r->failed || text.failed) return false;
    size_t chars = str_chars(s);
    if (how == 'a') {
        for (size_t i = 0; i < s.len; i++) {
            if ((unsigned char)s.data[i] >= 0x80)
                return RENDER_NO(
                    render_unsupported(r, "ascii() of other characters is not supported"));
        }
    }
    if (spec->precision >= 0 && chars > (size_t)spec->precision) {
        s = str_part(s, 0, str_offset(s, (size_t)spec->precision));
        chars = (size_t)spec->precision;
    }
    if (spec->width > 100000) return RENDER_NO(render_limit(r, "a format's width is too large"));
    format_pad(out, s, chars, spec);
    return !out->failed;
}

/* ---- % ---- */

struct percent {
    struct render *r;
    struct strbuf out;
    struct str format;
    size_t at;
    struct value *all; // the right side
    struct list args;  // its items, or itself
    size_t next;
    bool by_name;
};

static struct value *next_arg(struct percent *p) {
    if (p->next < p->args.count) return p->args.items[p->next++];
    return render_fail(p->r, "not enough values for the format");
}

static bool at_end(const struct percent *p) { return p->at >= p->format.len; }

static char current(const struct percent *p) { return at_end(p) ? '\0' : p->format.data[p->at]; }

/* %(name) */
static struct value *named_arg(struct percent *p) {
    size_t from = ++p->at;
    int depth = 1;
    struct value *v, *key;
    for (; !at_end(p) && depth; p->at++)
        depth += current(p) == '(' ? 1 : current(p) == ')' ? -1 : 0;
    if (depth) return render_fail(p->r, "the format lacks a ')'");
    if (p->all->kind != VALUE_DICT) return render_fail(p->r, "the format needs a mapping");
    key = value_str(p->r, str_part(p->format, from, p->at - 1));
    if (!key || !dict_get(p->r, p->all->as.dict, key, &v)) return NULL;
    p->by_name = true;
    if (v) return v;
    return render_fail(p->r, "the mapping has no '%.*s'", (int)key->as.s.len, key->as.s.data);
}

static bool read_size(struct percent *p, int *out) {
    int64_t n = 0;
    if (current(p) == '*') {
        p->at++;
        struct value *v = next_arg(p);
        if (!v || !ops_need_int(p->r, v, "a width", &n)) return false;
        if (n > 1000000 || n < -1000000) n = n < 0 ? -1000000 : 1000000;
    } else {
        for (; current(p) >= '0' && current(p) <= '9'; p->at++)
            n = n < 1000000 ? n * 10 + (current(p) - '0') : n;
    }
    *out = (int)n;
    return true;
}

static bool read_percent_spec(struct percent *p, struct format_spec *spec) {
    bool left = false;
    for (;; p->at++) {
        char c = current(p);
        if (c == '-')
            left = true;
        else if (c == '+')
            spec->sign = '+';
        else if (c == ' ')
            spec->sign = spec->sign ? spec->sign : ' ';
        else if (c == '#')
            spec->alternate = true;
        else if (c == '0')
            spec->zero = true;
        else
            break;
    }
    if (!read_size(p, &spec->width)) return false;
    if (spec->width < 0) {
        left = true;
        spec->width = -spec->width;
    }
    if (current(p) == '.') {
        p->at++;
        if (!read_size(p, &spec->precision)) return false;
        if (spec->precision < 0) spec->precision = 0;
    }
    while (current(p) == 'l' || current(p) == 'h' || current(p) == 'L')
        p->at++;
    if (left) spec->zero = false;
    spec->align = left ? '<' : spec->zero ? 0 : '>';
    return true;
}

static bool put_integer(struct percent *p, struct value *v, struct format_spec *spec) {
    int64_t i;
    struct value *whole;
    if (ops_as_int(v, &i)) return format_int(p->r, &p->out, i, spec);
    if (v->kind == VALUE_FLOAT && spec->type == 'd') {
        whole = ops_double_to_int(p->r, v->as.f);
        return whole && format_int(p->r, &p->out, whole->as.i, spec);
    }
    if (v->kind == VALUE_UNDEFINED && spec->type == 'd')
        return RENDER_NO(render_fail(p->r, "%s", v->as.why));
    return RENDER_NO(
        render_fail(p->r, "%%%c needs an integer, not a %s", spec->type, value_type(v)));
}

static bool put_char(struct percent *p, struct value *v, struct format_spec *spec) {
    struct strbuf text = {.r = p->r};
    int64_t i;
    spec->precision = -1;
    if (v->kind == VALUE_STR && str_chars(v->as.s) == 1)
        return put_text(p->r, &p->out, v, 's', spec, false);
    if (!ops_as_int(v, &i) || i < 0 || i >= UTF8_CODE_END || (i >= 0xD800 && i < 0xE000))
        return RENDER_NO(render_fail(p->r, "%%c needs a character"));
    strbuf_code(&text, (uint32_t)i, 0);
    struct value *c = strbuf_value(&text);
    return c && put_text(p->r, &p->out, c, 's', spec, false);
}

static bool put_percent(struct percent *p) {
    struct format_spec spec = {.precision = -1};
    struct value *v = NULL;
    double f;
    if (current(p) == '(' && !(v = named_arg(p))) return false;
    if (!read_percent_spec(p, &spec)) return false;
    if (at_end(p)) return RENDER_NO(render_fail(p->r, "the format ends inside a %%"));
    char type = p->format.data[p->at++];
    if (type == '%') {
        strbuf_text(&p->out, "%");
        return true;
    }
    if (!memchr("sradiuoxXeEfFgGc", type, 16))
        return RENDER_NO(render_fail(p->r, "the format has an unknown letter '%c'", type));
    if (!v && !(v = next_arg(p))) return false;
    spec.type = type == 'i' || type == 'u' ? 'd' : type;
    switch (spec.type) {
    case 's':
    case 'r':
    case 'a':
        spec.align = spec.align ? spec.align : '>';
        return put_text(p->r, &p->out, v, type, &spec, p->format.markup);
    case 'c': spec.align = spec.align ? spec.align : '>'; return put_char(p, v, &spec);
    case 'd':
    case 'o':
    case 'x':
    case 'X': return put_integer(p, v, &spec);
    default:
        if (v->kind == VALUE_UNDEFINED) return RENDER_NO(render_fail(p->r, "%s", v->as.why));
        if (!ops_as_double(v, &f))
            return RENDER_NO(
                render_fail(p->r, "%%%c needs a number, not a %s", type, value_type(v)));
        return format_float(p->r, &p->out, f, &spec);
    }
}

struct value *format_percent(struct render *r, struct str format, struct value *args) {
    struct percent p = {.r = r, .out = {.r = r}, .format = format, .all = args};
    p.args = args->kind == VALUE_TUPLE ? args->as.list : (struct list){&args, 1};
    while (!at_end(&p)) {
        size_t from = p.at;
        while (!at_end(&p) && current(&p) != '%')
            p.at++;
        strbuf_str(&p.out, str_part(format, from, p.at));
        if (at_end(&p)) break;
        p.at++;
        if (!render_work(r, 1) || !put_percent(&p)) return NULL;
    }
    // Python takes whatever can be indexed for a mapping, which need not be used up.
    bool mapping = args->kind == VALUE_DICT || args->kind == VALUE_LIST ||
                   args->kind == VALUE_RANGE || args->kind == VALUE_UNDEFINED;
    if (p.next < p.args.count && !mapping && !p.by_name)
        return render_fail(r, "not all values were used by the format");
    struct value *result = strbuf_value(&p.out);
    if (result) result->as.s.markup = format.markup;
    return result;
}

/* ---- str.format ---- */

struct braces {
    struct render *r;
    const struct call *call;
    int64_t next;  // automatic number
    bool numbered; // numbers were written out
    bool markup;   // the text counts as HTML: fields are escaped
};

static int64_t read_number(struct str s) {
    int64_t n = 0;
    if (s.len == 0 || s.len > 9) return -1;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') return -1;
        n = n * 10 + (s.data[i] - '0');
    }
    return n;
}

static struct value *field_start(struct braces *b, struct str name) {
    int64_t n = read_number(name);
    struct value *v;
    if (name.len == 0 || n >= 0) {
        if (name.len == 0 ? b->numbered : b->next > 0)
            return render_fail(b->r, "format: fields are numbered here and not there");
        if (name.len) b->numbered = true;
        if (!name.len) n = b->next++;
        if ((size_t)n >= b->call->n_args)
            return render_fail(b->r, "format: there is no argument %lld", (long long)n);
        return b->call->args[n];
    }
    v = dict_find(b->r, b->call->kwargs, name);
    if (v) return v;
    return render_fail(b->r, "format: there is no argument '%.*s'", (int)name.len, name.data);
}

/* name.attribute[item] */
static struct value *field_value(struct braces *b, struct str field) {
    size_t at = 0;
    while (at < field.len && field.data[at] != '.' && field.data[at] != '[')
        at++;
    struct value *v = field_start(b, str_part(field, 0, at));
    while (v && at < field.len) {
        size_t from = ++at;
        if (field.data[from - 1] == '.') {
            while (at < field.len && field.data[at] != '.' && field.data[at] != '[')
                at++;
            if (at == from) return render_fail(b->r, "format: an attribute's name is empty");
            v = ops_getattr(b->r, v, str_part(field, from, at));
            continue;
        }
        while (at < field.len && field.data[at] != ']')
            at++;
        if (at == field.len || at == from) return render_fail(b->r, "format: a ']' is missing");
        struct str name = str_part(field, from, at++);
        int64_t n = read_number(name);
        struct value *key = n >= 0 ? value_int(b->r, n) : value_str(b->r, name);
        v = key ? ops_getitem(b->r, v, key) : NULL;
        if (at < field.len && field.data[at] != '.' && field.data[at] != '[')
            return render_fail(b->r, "format: only '.' or '[' may follow a ']'");
    }
    return v;
}

static bool is_align(char c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

static bool read_spec(struct render *r, struct str s, struct format_spec *spec) {
    size_t at = 0, first = str_offset(s, 1);
    *spec = (struct format_spec){.precision = -1};
    if (first && first < s.len && is_align(s.data[first])) {
        utf8_step(s.data, s.len, &spec->fill);
        spec->align = s.data[first];
        at = first + 1;
    } else if (s.len && is_align(s.data[0])) {
        spec->align = s.data[at++];
    }
    if (at < s.len && strchr("+- ", s.data[at])) spec->sign = s.data[at++];
    if (at < s.len && s.data[at] == '#') spec->alternate = s.data[at++] == '#';
    if (at < s.len && s.data[at] == '0') {
        spec->zero = true;
        at++;
    }
    for (; at < s.len && s.data[at] >= '0' && s.data[at] <= '9'; at++)
        spec->width = spec->width < 1000000 ? spec->width * 10 + (s.data[at] - '0') : spec->width;
    if (at < s.len && (s.data[at] == ',' || s.data[at] == '_')) spec->grouping = s.data[at++];
    if (at + 1 < s.len && s.data[at] == '.') {
        spec->precision = 0;
        for (at++; at < s.len && s.data[at] >= '0' && s.data[at] <= '9'; at++)
            spec->precision = spec->precision < 1000000 ? spec->precision * 10 + (s.data[at] - '0')
                                                        : spec->precision;
    }
    if (at < s.len) spec->type = s.data[at++];
    if (at == s.len) return true;
    return RENDER_NO(
        render_fail(r, "format: the format spec '%.*s' is invalid", (int)s.len, s.data));
}

static bool put_field(struct braces *b, struct strbuf *out, struct value *v, char conversion,
                      struct str text) {
    struct format_spec spec;
    struct render *r = b->r;
    int64_t i;
    double f;
    if (conversion) {
        struct strbuf converted = {.r = r};
        if (conversion == 's')
            ops_write(r, &converted, v);
        else
            ops_repr(r, &converted, v);
        v = r->failed ? NULL : strbuf_value(&converted);
        if (!v) return false;
    }
    if (text.len == 0) {
        ops_write(r, out, v);
        return !r->failed && !out->failed;
    }
    if (!read_spec(r, text, &spec)) return false;
    if (v->kind == VALUE_STR && (spec.type == 0 || spec.type == 's') && spec.align != '=' &&
        !spec.sign && !spec.alternate && !spec.grouping) {
        if (spec.zero && !spec.fill) spec.fill = '0';
        if (spec.zero && !spec.align)
            return RENDER_NO(render_unsupported(r, "format: '0' on a string"));
        return put_text(r, out, v, 's', &spec, false);
    }
    if (ops_as_int(v, &i) && spec.type == 'c' && i >= 0 && i < UTF8_CODE_END &&
        !(i >= 0xD800 && i < 0xE000) && !spec.sign && !spec.alternate && !spec.grouping) {
        struct strbuf c = {.r = r};
        strbuf_code(&c, (uint32_t)i, 0);
        v = strbuf_value(&c);
        spec.align = spec.align ? spec.align : '<';
        return v && put_text(r, out, v, 's', &spec, false);
    }
    if (ops_as_int(v, &i) && memchr("\0dxXobn", spec.type, 7) && spec.precision < 0)
        return format_int(r, out, i, &spec);
    if (ops_as_double(v, &f) && spec.type != 0 && memchr("eEfFgG%", spec.type, 7))
        return format_float(r, out, f, &spec);
    if (v->kind == VALUE_FLOAT && spec.type == 0) return format_float(r, out, f, &spec);
    return RENDER_NO(render_fail(r, "format: the spec '%.*s' does not go with a %s", (int)text.len,
                                 text.data, value_type(v)));
}

static bool put_braces(struct braces *b, struct strbuf *out, struct str s, int depth);

/* One replacement field, without its braces. */
static bool put_replacement(struct braces *b, struct strbuf *out, struct str s, int depth) {
    struct strbuf spec = {.r = b->r};
    size_t name = 0;
    char conversion = '\0';
    while (name < s.len && s.data[name] != '!' && s.data[name] != ':') {
        if (s.data[name] == '[') {
            while (name < s.len && s.data[name] != ']')
                name++;
            continue;
        }
        if (s.data[name] == '{') return RENDER_NO(render_fail(b->r, "format: an unexpected '{'"));
        name++;
    }
    size_t at = name;
    if (at < s.len && s.data[at] == '!') {
        conversion = at + 1 < s.len ? s.data[at + 1] : '\0';
        at += 2;
        if (!conversion || !strchr("sra", conversion) || (at < s.len && s.data[at] != ':'))
            return RENDER_NO(render_fail(b->r, "format: an invalid conversion"));
    }
    struct value *v = field_value(b, str_part(s, 0, name));
    if (!v) return false;
    if (at < s.len && !put_braces(b, &spec, str_part(s, at + 1, s.len), depth + 1)) return false;
    bool is_html = v->kind == VALUE_STR && v->as.s.markup && !conversion && !spec.len;
    if (!b->markup || is_html || depth > 0)
        return put_field(b, out, v, conversion, strbuf_view(&spec));
    struct strbuf field = {.r = b->r};
    if (!put_field(b, &field, v, conversion, strbuf_view(&spec))) return false;
    format_escape(out, strbuf_view(&field));
    return !out->failed;
}

static bool put_braces(struct braces *b, struct strbuf *out, struct str s, int depth) {
    if (depth > 1) return RENDER_NO(render_fail(b->r, "format: fields are nested too deeply"));
    for (size_t at = 0; at < s.len;) {
        size_t from = at;
        while (at < s.len && s.data[at] != '{' && s.data[at] != '}')
            at++;
        strbuf_str(out, str_part(s, from, at));
        if (at == s.len) break;
        if (at + 1 < s.len && s.data[at + 1] == s.data[at]) {
            strbuf_str(out, str_part(s, at, at + 1));
            at += 2;
            continue;
        }
        if (s.data[at] == '}') return RENDER_NO(render_fail(b->r, "format: a single '}'"));
        size_t open = ++at;
        for (int level = 1; at < s.len; at++) {
            level += s.data[at] == '{' ? 1 : s.data[at] == '}' ? -1 : 0;
            if (level == 0) break;
        }
        if (at == s.len) return RENDER_NO(render_fail(b->r, "format: a '}' is missing"));
        if (!render_work(b->r, 1) || !put_replacement(b, out, str_part(s, open, at), depth))
            return false;
        at++;
    }
    return !out->failed;
}

struct value *format_braces(struct render *r, struct str format, const struct call *call) {
    struct braces b = {.r = r, .call = call};
    struct strbuf out = {.r = r};
    b.markup = format.markup;
    struct value *result = put_braces(&b, &out, format, 0) ? strbuf_value(&out) : NULL;
    if (result) result->as.s.markup = format.markup;
    return result;
}
