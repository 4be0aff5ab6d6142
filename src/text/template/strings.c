/* Strings and the marks of their bytes. */
#include <string.h>

#include "text/template/value.h"
#include "text/utf8.h"

struct str str_of(const char *text) {
    return (struct str){.data = text, .len = strlen(text)};
}

struct str str_part(struct str s, size_t start, size_t stop) {
    s.data += start;
    s.len = stop - start;
    if (s.marks) s.marks += start;
    return s;
}

unsigned char str_mark(struct str s, size_t at) { return s.marks ? s.marks[at] : s.mark; }

unsigned char str_marks_all(struct str s) {
    unsigned char all = 0;
    if (!s.marks) return s.len ? s.mark : 0;
    for (size_t i = 0; i < s.len; i++)
        all |= s.marks[i];
    return all;
}

bool str_equal(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The order of UTF-8 bytes is the order of code points. */
int str_compare(struct str a, struct str b) {
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.data, b.data, shared) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

size_t str_chars(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.data[i] & 0xC0) != 0x80;
    return n;
}

size_t str_offset(struct str s, size_t n_chars) {
    size_t at = 0;
    while (at < s.len && n_chars > 0) {
        at++;
        while (at < s.len && ((unsigned char)s.data[at] & 0xC0) == 0x80)
            at++;
        n_chars--;
    }
    return at;
}

/* ---- growing ---- */

/* Room for `more` bytes. The old bytes stay where they are: values may point there. */
static bool reserve(struct strbuf *b, size_t more) {
    if (b->failed) return false;
    if (more <= b->cap - b->len) return true;
    size_t need, cap = b->cap ? b->cap * 2 : 64;
    b->failed = true;
    if (!size_add(b->len, more, &need)) {
        render_limit(b->r, "a text is too long");
        return false;
    }
    if (cap < need) cap = need;
    char *data = render_alloc(b->r, cap);
    if (!data) return false;
    if (b->marks) {
        unsigned char *marks = render_alloc(b->r, cap);
        if (!marks) return false;
        memcpy(marks, b->marks, b->len);
        b->marks = marks;
    }
    if (b->len) memcpy(data, b->data, b->len);
    b->data = data;
    b->cap = cap;
    b->failed = false;
    return true;
}

/* From now on each byte has a mark of its own. */
static bool divide(struct strbuf *b) {
    if (b->marks) return true;
    b->marks = render_alloc(b->r, b->cap);
    if (!b->marks) {
        b->failed = true;
        return false;
    }
    memset(b->marks, b->mark, b->len);
    return true;
}

void strbuf_put(struct strbuf *b, const char *data, size_t len, unsigned char mark) {
    if (len == 0 || !reserve(b, len)) return;
    if (b->len == 0 && !b->marks) b->mark = mark;
    if (b->mark != mark && !divide(b)) return;
    if (b->marks) memset(b->marks + b->len, mark, len);
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

void strbuf_text(struct strbuf *b, const char *text) { strbuf_put(b, text, strlen(text), 0); }

void strbuf_str(struct strbuf *b, struct str s) {
    if (!s.marks) {
        strbuf_put(b, s.data, s.len, s.mark);
        return;
    }
    if (s.len == 0 || !reserve(b, s.len) || !divide(b)) return;
    memcpy(b->data + b->len, s.data, s.len);
    memcpy(b->marks + b->len, s.marks, s.len);
    b->len += s.len;
}

void strbuf_code(struct strbuf *b, uint32_t code, unsigned char mark) {
    char bytes[UTF8_MAX];
    int n = utf8_encode(code, bytes);
    strbuf_put(b, bytes, (size_t)n, mark);
}

struct str strbuf_view(const struct strbuf *b) {
    return (struct str){
        .data = b->data ? b->data : "", .len = b->len, .marks = b->marks, .mark = b->mark};
}

struct value *strbuf_value(struct strbuf *b) {
    return b->failed ? NULL : value_str(b->r, strbuf_view(b));
}

/* ---- appending again and again ---- */

/* The tail that ends where `a` ends and has room for b, or a new one with a copy of `a`. */
static struct render_tail *find_tail(struct render *r, struct str a, size_t more) {
    size_t need;
    for (int i = 0; i < RENDER_TAILS; i++) {
        struct render_tail *tail = &r->tails[i];
        if (tail->data == a.data && tail->used == a.len && tail->cap - tail->used >= more &&
            (!a.marks || a.marks == tail->marks))
            return tail;
    }
    struct render_tail *tail = &r->tails[r->next_tail];
    r->next_tail = (r->next_tail + 1) % RENDER_TAILS;
    *tail = (struct render_tail){0};
    if (!size_add(a.len, more, &need) || !size_mul(need, 2, &need))
        return render_limit(r, "a text is too long");
    char *data = render_alloc(r, need);
    unsigned char *marks = data && a.marks ? render_alloc(r, need) : NULL;
    if (!data || (a.marks && !marks)) return NULL;
    memcpy(data, a.data, a.len);
    if (marks) memcpy(marks, a.marks, a.len);
    *tail = (struct render_tail){data, marks, a.len, need};
    return tail;
}

struct value *strbuf_append(struct render *r, struct str a, struct str b) {
    struct render_tail *tail = find_tail(r, a, b.len);
    if (!tail || !render_work(r, b.len / 64)) return NULL;
    if (!tail->marks && b.len && (b.marks || b.mark != a.mark)) {
        tail->marks = render_alloc(r, tail->cap);
        if (!tail->marks) return NULL;
        memset(tail->marks, a.mark, a.len);
    }
    if (b.len) memcpy(tail->data + a.len, b.data, b.len);
    if (tail->marks && b.marks) memcpy(tail->marks + a.len, b.marks, b.len);
    if (tail->marks && !b.marks) memset(tail->marks + a.len, b.mark, b.len);
    tail->used = a.len + b.len;
    return value_str(
        r,
        (struct str){.data = tail->data, .len = tail->used, .marks = tail->marks, .mark = a.mark});
}
