#include "text/template/wrap.h"

#include <string.h>

#include "text/template/methods.h"

/* textwrap's white space is that of ASCII. */
static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\v' || c == '\f' || c == '\r';
}

struct wrapper {
    struct render *r;
    const struct wrap_options *options;
    struct listbuf chunks; // words and the spaces between them
    struct listbuf lines;
};

static bool add(struct wrapper *w, struct listbuf *list, struct str s) {
    return s.len == 0 || listbuf_add(list, value_str(w->r, s));
}

/* Words and runs of spaces in turn. */
static bool split_chunks(struct wrapper *w, struct str s) {
    for (size_t at = 0; at < s.len;) {
        size_t from = at;
        bool space = is_space(s.data[at]);
        while (at < s.len && is_space(s.data[at]) == space)
            at++;
        struct str chunk = str_part(s, from, at);
        if (!space && w->options->hyphens && memchr(chunk.data, '-', chunk.len))
            return RENDER_NO(render_unsupported(w->r,
                                                "wordwrap of words with hyphens is not supported: "
                                                "pass break_on_hyphens=false"));
        if (!render_work(w->r, 1) || !add(w, &w->chunks, chunk)) return false;
    }
    return true;
}

/* Longer than n characters? Looks at no more of it: a long word is asked once a line. */
static bool longer(struct str s, size_t n) { return str_offset(s, n) < s.len; }

static bool blank(const struct value *chunk) { return is_space(chunk->as.s.data[0]); }

static bool wrap_line(struct wrapper *w) {
    struct value **chunks = w->chunks.items;
    size_t n = w->chunks.count, width = (size_t)w->options->width;
    for (size_t at = 0; at < n;) {
        struct strbuf line = {.r = w->r};
        size_t used = 0, kept = 0;
        if (w->lines.count > 0 && blank(chunks[at])) at++;
        for (; at < n; at++) {
            if (longer(chunks[at]->as.s, width - used)) break;
            strbuf_str(&line, chunks[at]->as.s);
            used += str_chars(chunks[at]->as.s);
            if (!blank(chunks[at])) kept = line.len;
        }
        if (at < n && longer(chunks[at]->as.s, width)) { // a word longer than any line
            struct str word = chunks[at]->as.s;
            if (w->options->break_long) {
                size_t cut = str_offset(word, width - used);
                strbuf_str(&line, str_part(word, 0, cut));
                if (width > used && !blank(chunks[at])) kept = line.len;
                chunks[at] = value_str(w->r, str_part(word, cut, word.len));
                if (!chunks[at]) return false;
            } else if (used == 0) {
                strbuf_str(&line, word);
                kept = line.len;
                at++;
            }
        }
        struct str text = strbuf_view(&line);
        if (line.failed || !render_work(w->r, 1)) return false;
        if (kept && !add(w, &w->lines, str_part(text, 0, kept))) return false;
    }
    return true;
}

struct value *wrap_text(struct render *r, struct str s, struct str with,
                        const struct wrap_options *options) {
    struct list paragraphs;
    struct strbuf out = {.r = r};
    if (options->width <= 0) return render_fail(r, "the width of a wrap must be above 0");
    if (!methods_split_lines(r, s, false, &paragraphs)) return NULL;
    for (size_t i = 0; i < paragraphs.count; i++) {
        struct wrapper w = {.r = r, .options = options, .chunks = {.r = r}, .lines = {.r = r}};
        if (!split_chunks(&w, paragraphs.items[i]->as.s) || !wrap_line(&w)) return NULL;
        if (i) strbuf_str(&out, with);
        for (size_t k = 0; k < w.lines.count; k++) {
            if (k) strbuf_str(&out, with);
            strbuf_str(&out, w.lines.items[k]->as.s);
        }
    }
    return strbuf_value(&out);
}
