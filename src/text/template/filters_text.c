/* Filters that make text. */
#include <string.h>

#include "text/template/filters.h"
#include "text/template/format.h"
#include "text/template/methods.h"
#include "text/template/methods_args.h"
#include "text/template/wrap.h"
#include "text/utf8.h"

static struct value *keep_markup(struct value *v, struct str of) {
    if (v && of.markup && v->kind == VALUE_STR && !v->as.s.markup) v->as.s.markup = true;
    return v;
}

static struct value *change_case(struct render *r, struct value *input, char how) {
    struct str s;
    return filters_as_str(r, input, &s) ? keep_markup(methods_case(r, s, how), s) : NULL;
}

static struct value *filter_upper(struct render *r, struct value **args) {
    return change_case(r, args[0], 'u');
}

static struct value *filter_lower(struct render *r, struct value **args) {
    return change_case(r, args[0], 'l');
}

static struct value *filter_capitalize(struct render *r, struct value **args) {
    return change_case(r, args[0], 'c');
}

static bool begins_word(uint32_t code, bool is_space) {
    return is_space || code == '-' || code == '(' || code == '{' || code == '[' || code == '<';
}

/* Jinja's own rule for words, which is not that of str.title. */
static struct value *filter_title(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct str s, c;
    uint32_t code;
    bool start = true;
    if (!filters_as_str(r, args[0], &s) || !render_work(r, s.len / 4)) return NULL;
    for (size_t at = 0; at < s.len && !r->failed;) {
        size_t from = at;
        while (at < s.len) { // a word, or what stands between two
            size_t n = (size_t)utf8_step(s.data + at, s.len - at, &code);
            c = str_part(s, at, at + n);
            bool gap = begins_word(code, methods_test(c, "isspace"));
            if (at > from && gap != start) break;
            start = gap;
            at += n;
        }
        size_t first = from + str_offset(str_part(s, from, at), 1);
        struct value *head = methods_case(r, str_part(s, from, first), 'u');
        struct value *tail = head ? methods_case(r, str_part(s, first, at), 'l') : NULL;
        if (!tail) return NULL;
        strbuf_str(&out, head->as.s);
        strbuf_str(&out, tail->as.s);
    }
    return strbuf_value(&out);
}

static struct value *filter_trim(struct render *r, struct value **args) {
    struct str s, chars;
    bool given = args[1] && args[1]->kind != VALUE_NONE;
    if (!filters_as_str(r, args[0], &s)) return NULL;
    if (given && !methods_args_str(r, args[1], "the characters to trim", &chars)) return NULL;
    if (!methods_strip_work(r, s, given ? chars.len : 0)) return NULL;
    return value_str(r, methods_strip(s, given ? &chars : NULL, 3));
}

static struct value *filter_replace(struct render *r, struct value **args) {
    struct str s, old, with;
    int64_t count = -1;
    if (!filters_as_str(r, args[0], &s) || !filters_as_str(r, args[1], &old) ||
        !filters_as_str(r, args[2], &with))
        return NULL;
    if (args[3] && args[3]->kind != VALUE_NONE &&
        !ops_need_int(r, args[3], "the count of a replace", &count))
        return NULL;
    s.markup = old.markup = with.markup = false;
    return methods_replace(r, s, old, with, count);
}

static struct value *filter_string(struct render *r, struct value **args) {
    struct str s;
    return filters_as_str(r, args[0], &s) ? value_str(r, s) : NULL;
}

static struct value *filter_safe(struct render *r, struct value **args) {
    struct str s;
    if (!filters_as_str(r, args[0], &s)) return NULL;
    s.markup = true;
    return value_str(r, s);
}

static struct value *escape_text(struct render *r, struct str s) {
    struct strbuf out = {.r = r};
    format_escape(&out, s);
    struct value *v = strbuf_value(&out);
    if (v) v->as.s.markup = true;
    return v;
}

static struct value *filter_escape(struct render *r, struct value **args) {
    struct str s;
    if (args[0]->kind == VALUE_STR && args[0]->as.s.markup) return args[0];
    return filters_as_str(r, args[0], &s) ? escape_text(r, s) : NULL;
}

static struct value *filter_forceescape(struct render *r, struct value **args) {
    struct str s;
    return filters_as_str(r, args[0], &s) ? escape_text(r, s) : NULL;
}

static struct value *filter_center(struct render *r, struct value **args) {
    struct str s;
    struct value *width = args[1] ? args[1] : value_int(r, 80), *method, *text;
    if (!width || !filters_as_str(r, args[0], &s)) return NULL;
    text = value_str(r, s);
    if (!text || !methods_find(r, methods_str_rows, text, str_of("center"), &method)) return NULL;
    struct dict none = {0};
    struct call call = {&width, 1, &none};
    return methods_call(r, method->as.function.row, text, &call);
}

static struct value *filter_indent(struct render *r, struct value **args) {
    struct strbuf out = {.r = r}, lead = {.r = r};
    struct list lines;
    struct str s;
    int64_t width = 4;
    bool first = filters_is_true(args[2], false), blank = filters_is_true(args[3], false);
    if (args[0]->kind != VALUE_STR)
        return render_fail(r, "indent needs a string, not a %s", value_type(args[0]));
    s = args[0]->as.s;
    if (args[1] && args[1]->kind == VALUE_STR) {
        strbuf_str(&lead, args[1]->as.s);
    } else if (args[1] && !ops_need_int(r, args[1], "the width of an indent", &width)) {
        return NULL;
    } else {
        if (width > 0 && !render_work(r, (size_t)width)) return NULL;
        for (int64_t i = 0; i < width; i++)
            strbuf_text(&lead, " ");
    }
    struct strbuf whole = {.r = r};
    strbuf_str(&whole, s);
    strbuf_text(&whole, "\n"); // so that the last line ends as the others do
    if (lead.failed || whole.failed || !methods_split_lines(r, strbuf_view(&whole), false, &lines))
        return NULL;
    struct str lead_text = strbuf_view(&lead);
    for (size_t i = 0; i < lines.count && !out.failed; i++) {
        struct str line = lines.items[i]->as.s;
        if (i) strbuf_text(&out, "\n");
        if (i ? blank || line.len : first) strbuf_str(&out, lead_text);
        strbuf_str(&out, line);
    }
    return keep_markup(strbuf_value(&out), s);
}

static struct value *filter_join(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct str separator = {.data = ""};
    struct ops_iter it;
    struct value *item;
    bool any = false;
    if (args[1] && !filters_as_str(r, args[1], &separator)) return NULL;
    if (!ops_iter_start(r, args[0], &it)) return NULL;
    while ((item = ops_iter_next(r, &it))) {
        if (args[2] && args[2]->kind != VALUE_NONE)
            item = filters_attribute(r, item, args[2], NULL);
        if (!item || !render_work(r, 1)) return NULL;
        if (any) strbuf_str(&out, separator);
        ops_write(r, &out, item);
        any = true;
        if (r->failed || out.failed) return NULL;
    }
    return r->failed ? NULL : strbuf_value(&out);
}

static struct value *filter_format(struct render *r, struct value *input, const struct call *call) {
    struct str s;
    struct value *with;
    if (!filters_as_str(r, input, &s)) return NULL;
    if (call->n_args && call->kwargs->count)
        return render_fail(r, "format takes positional or keyword arguments, not both");
    if (call->kwargs->count)
        with = value_dict(r, call->kwargs);
    else
        with = value_list(r, VALUE_TUPLE, (struct list){call->args, call->n_args});
    return with ? format_percent(r, s, with) : NULL;
}

static struct value *filter_truncate(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct str s, end = str_of("...");
    int64_t length = 255, leeway = 5;
    if (args[1] && !ops_need_int(r, args[1], "the length", &length)) return NULL;
    if (args[3] && !methods_args_str(r, args[3], "the end", &end)) return NULL;
    if (args[4] && args[4]->kind != VALUE_NONE && !ops_need_int(r, args[4], "the leeway", &leeway))
        return NULL;
    int64_t end_len = (int64_t)str_chars(end);
    if (length < end_len || leeway < 0)
        return render_fail(r, "truncate: the length is below that of the end, or leeway below 0");
    int64_t chars = ops_length(args[0]);
    if (chars >= 0 && (length > INT64_MAX - leeway || chars <= length + leeway)) return args[0];
    if (args[0]->kind != VALUE_STR)
        return render_fail(r, "truncate needs a string, not a %s", value_type(args[0]));
    s = args[0]->as.s;
    if (!render_work(r, s.len / 64)) return NULL;
    struct str head = str_part(s, 0, str_offset(s, (size_t)(length - end_len)));
    if (!filters_is_true(args[2], false)) {
        for (size_t i = head.len; i-- > 0;) {
            if (head.data[i] != ' ') continue;
            head.len = i;
            break;
        }
    }
    strbuf_str(&out, head);
    strbuf_str(&out, end);
    return keep_markup(strbuf_value(&out), s);
}

static struct value *filter_wordcount(struct render *r, struct value **args) {
    struct str s;
    uint32_t code;
    int64_t n = 0;
    bool inside = false;
    if (!filters_as_str(r, args[0], &s) || !render_work(r, s.len / 2)) return NULL;
    for (size_t at = 0; at < s.len;) {
        size_t len = (size_t)utf8_step(s.data + at, s.len - at, &code);
        bool word = code == '_' || methods_test(str_part(s, at, at + len), "isalnum");
        n += word && !inside;
        inside = word;
        at += len;
    }
    return value_int(r, n);
}

static struct value *filter_wordwrap(struct render *r, struct value **args) {
    struct wrap_options o = {.width = 79,
                             .break_long = filters_is_true(args[2], true),
                             .hyphens = filters_is_true(args[4], true)};
    struct str with = str_of("\n");
    if (args[0]->kind != VALUE_STR)
        return render_fail(r, "wordwrap needs a string, not a %s", value_type(args[0]));
    if (args[1] && !ops_need_int(r, args[1], "the width", &o.width)) return NULL;
    if (args[3] && args[3]->kind != VALUE_NONE &&
        !methods_args_str(r, args[3], "the wrapstring", &with))
        return NULL;
    return wrap_text(r, args[0]->as.s, with, &o);
}

/* ---- the web ---- */

static void quote_url(struct strbuf *out, struct str s, bool query) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i], mark = str_mark(s, i);
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query);
        char text[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (plain)
            strbuf_put(out, s.data + i, 1, mark);
        else if (c == ' ' && query)
            strbuf_put(out, "+", 1, mark);
        else
            strbuf_put(out, text, 3, mark);
    }
}

static struct value *filter_urlencode(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct list items, pair;
    struct str key, value;
    struct value *input = args[0];
    if (input->kind == VALUE_STR || !ops_iterable(input)) {
        if (!filters_as_str(r, input, &key)) return NULL;
        quote_url(&out, key, false);
        return strbuf_value(&out);
    }
    if (input->kind == VALUE_DICT) {
        input = value_new(r, VALUE_VIEW);
        if (!input) return NULL;
        input->as.view.dict = args[0]->as.dict;
        input->as.view.which = 'i';
    }
    if (!ops_items(r, input, &items)) return NULL;
    for (size_t i = 0; i < items.count; i++) {
        if (!ops_items(r, items.items[i], &pair)) return NULL;
        if (pair.count != 2) return render_fail(r, "urlencode needs pairs");
        if (!filters_as_str(r, pair.items[0], &key) || !filters_as_str(r, pair.items[1], &value))
            return NULL;
        if (i) strbuf_text(&out, "&");
        quote_url(&out, key, true);
        strbuf_text(&out, "=");
        quote_url(&out, value, true);
    }
    return strbuf_value(&out);
}

static struct value *filter_xmlattr(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct str key, value;
    if (args[0]->kind != VALUE_DICT)
        return render_fail(r, "xmlattr needs a dict, not a %s", value_type(args[0]));
    for (size_t i = 0; i < args[0]->as.dict->count; i++) {
        const struct dict_entry *e = &args[0]->as.dict->entries[i];
        if (e->value->kind == VALUE_NONE || e->value->kind == VALUE_UNDEFINED) continue;
        if (!methods_args_str(r, e->key, "an attribute's name", &key) ||
            !filters_as_str(r, e->value, &value))
            return NULL;
        for (size_t k = 0; k < key.len; k++) {
            if (memchr(" \t\n\r\f\v/>=", key.data[k], 10))
                return render_fail(r, "'%.*s' is no name of an attribute", (int)key.len, key.data);
        }
        if (out.len || filters_is_true(args[1], true)) strbuf_text(&out, " ");
        format_escape(&out, key);
        strbuf_text(&out, "=\"");
        if (value.markup)
            strbuf_str(&out, value);
        else
            format_escape(&out, value);
        strbuf_text(&out, "\"");
    }
    return strbuf_value(&out);
}

static struct value *filter_tojson(struct render *r, struct value **args) {
    struct strbuf out = {.r = r};
    struct format_json options = {.ensure_ascii = filters_is_true(args[1], false),
                                  .sort_keys = filters_is_true(args[4], false)};
    if (args[2] && args[2]->kind != VALUE_NONE) options.indent = args[2];
    if (args[3] && args[3]->kind != VALUE_NONE) {
        struct list pair;
        if (!ops_items(r, args[3], &pair)) return NULL;
        if (pair.count != 2) return render_fail(r, "tojson needs two separators");
        options.item_separator = pair.items[0];
        options.key_separator = pair.items[1];
    }
    return format_json_write(r, &out, args[0], &options) ? strbuf_value(&out) : NULL;
}

static struct value *filter_refused(struct render *r, struct value *input,
                                    const struct call *call) {
    (void)input;
    (void)call;
    return render_unsupported(r, "the filters random, urlize, striptags and pprint of long values "
                                 "are not supported");
}

const struct filters_row filters_text_rows[] = {
    {"upper", "", 0, filter_upper, NULL},
    {"lower", "", 0, filter_lower, NULL},
    {"capitalize", "", 0, filter_capitalize, NULL},
    {"title", "", 0, filter_title, NULL},
    {"trim", "chars", 0, filter_trim, NULL},
    {"replace", "old new count", 2, filter_replace, NULL},
    {"string", "", 0, filter_string, NULL},
    {"safe", "", 0, filter_safe, NULL},
    {"escape", "", 0, filter_escape, NULL},
    {"e", "", 0, filter_escape, NULL},
    {"forceescape", "", 0, filter_forceescape, NULL},
    {"center", "width", 0, filter_center, NULL},
    {"indent", "width first blank", 0, filter_indent, NULL},
    {"join", "d attribute", 0, filter_join, NULL},
    {"format", "", 0, NULL, filter_format},
    {"truncate", "length killwords end leeway", 0, filter_truncate, NULL},
    {"wordcount", "", 0, filter_wordcount, NULL},
    {"wordwrap", "width break_long_words wrapstring break_on_hyphens", 0, filter_wordwrap, NULL},
    {"urlencode", "", 0, filter_urlencode, NULL},
    {"xmlattr", "autospace", 0, filter_xmlattr, NULL},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, filter_tojson, NULL},
    {"random", "", 0, NULL, filter_refused},
    {"urlize", "", 0, NULL, filter_refused},
    {"striptags", "", 0, NULL, filter_refused},
    {NULL, NULL, 0, NULL, NULL},
};
