#include "text/dialect/match.h"

#include <string.h>

bool match_is_space(char b) { return b == ' ' || b == '\t' || b == '\n' || b == '\r'; }

const char *match_trim(const char *text, size_t *len) {
    while (match_is_space(*text))
        text++;
    *len = strlen(text);
    while (*len && match_is_space(text[*len - 1]))
        --*len;
    return text;
}

void match_add(struct match *match, const char *text, const char *pad, int action, unsigned where) {
    if (!*text || match->n_mark == MATCH_MARKS) return;
    match->marks[match->n_mark++] = (struct match_mark){text, pad, action, where};
}

/* 1: complete, 0: a beginning, -1: neither. */
static int compare(const char *pad, size_t n_pad, const char *text, size_t n_text, const char *held,
                   size_t n) {
    if (n > n_pad + n_text) return -1;
    size_t head = n < n_pad ? n : n_pad;
    if (memcmp(held, pad, head) != 0) return -1;
    if (memcmp(held + head, text, n - head) != 0) return -1;
    return n == n_pad + n_text;
}

int match_test(const struct match *match, unsigned where) {
    bool begins = false;
    for (int i = 0; i < match->n_mark; i++) {
        const struct match_mark *mark = &match->marks[i];
        if (!(mark->where & where)) continue;
        size_t n_text, n_pad = strlen(mark->pad);
        const char *text = match_trim(mark->text, &n_text);
        for (size_t k = 0; k <= n_pad; k++) { // as much of the white space as there is
            int found = compare(mark->pad + k, n_pad - k, text, n_text, match->held, match->n_held);
            if (found == 1) return mark->action;
            if (found == 0) begins = true;
        }
    }
    return begins ? MATCH_HOLD : MATCH_NONE;
}

char match_shift(struct match *match) {
    char first = match->held[0];
    memmove(match->held, match->held + 1, --match->n_held);
    return first;
}

void match_expect_start(struct match_expect *expect, bool spaces) {
    expect->n = 0;
    expect->n_got = 0;
    expect->spaces = spaces;
}

void match_expect_add(struct match_expect *expect, const char *text) {
    if (*text && expect->n < EXPECT_TEXTS) expect->texts[expect->n++] = text;
}

int match_expect_byte(struct match_expect *expect, char byte) {
    if (expect->spaces && expect->n_got == 0 && match_is_space(byte)) return MATCH_HOLD;
    if (expect->n_got == MATCH_BYTES) return MATCH_NONE;
    expect->got[expect->n_got++] = byte;
    bool begins = false;
    for (int i = 0; i < expect->n; i++) {
        size_t len;
        const char *text = match_trim(expect->texts[i], &len);
        int found = compare("", 0, text, len, expect->got, expect->n_got);
        if (found == 1) return i;
        if (found == 0) begins = true;
    }
    return begins ? MATCH_HOLD : MATCH_NONE;
}
