#include "skill/verse_check.h"

#include <string.h>

#include "base/json.h"

const struct verse_form verse_forms[] = {
    [VERSE_QUATRAIN_5] = {"五绝", VERSE_REGULAR, 4, 5},
    [VERSE_QUATRAIN_7] = {"七绝", VERSE_REGULAR, 4, 7},
    [VERSE_REGULAR_5] = {"五律", VERSE_REGULAR, 8, 5},
    [VERSE_REGULAR_7] = {"七律", VERSE_REGULAR, 8, 7},
    {"对联", VERSE_COUPLET, 1, 0},
    {NULL, VERSE_PLAIN, 0, 0},
};

/* ---- what is wanted ---- */

static bool read_count(const char **at, const char *end, int most, int *out) {
    *out = 0;
    for (; *at < end && **at >= '0' && **at <= '9' && *out <= most; ++*at)
        *out = *out * 10 + (**at - '0');
    return *out >= 1 && *out <= most;
}

bool verse_form_read(const char *text, size_t len, struct verse_form *out) {
    const char *end = text + len;
    for (const struct verse_form *form = verse_forms; form->name; form++)
        if (strlen(form->name) == len && !memcmp(form->name, text, len)) return *out = *form, true;
    *out = (struct verse_form){.kind = VERSE_PLAIN};
    return read_count(&text, end, HAN_MOST_LINES, &out->n_line) && text < end && *text++ == 'x' &&
           read_count(&text, end, HAN_MOST_CHARS, &out->n_char) && text == end;
}

/* A member that is absent, or Han characters. */
static enum jl_status read_han(const json_t *root, const char *key, uint32_t *out, int most, int *n,
                               int *n_known, struct jl_error *err) {
    const json_t *value = json_object_get(root, key);
    *n = 0;
    if (!value) return JL_OK;
    ++*n_known;
    if (json_is_string(value))
        *n = han_decode(json_string_value(value), json_string_length(value), out, most);
    bool ok = *n >= 1;
    for (int i = 0; ok && i < *n; i++)
        ok = han_is(out[i]);
    if (ok) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT, "\"%s\" of a verse must be 1 to %d Han characters", key,
                   most);
}

static enum jl_status check_wanted(const struct verse_wanted *wanted, struct jl_error *err) {
    const struct verse_form *form = &wanted->form;
    if (form->kind == VERSE_COUPLET && (!wanted->n_first || wanted->n_heads))
        return jl_fail(err, JL_ERR_FORMAT, "a 对联 has a \"first\" line that it answers, no heads");
    if (wanted->n_heads && wanted->n_heads != form->n_line)
        return jl_fail(err, JL_ERR_FORMAT, "there are %d \"heads\" for %d lines", wanted->n_heads,
                       form->n_line);
    if (wanted->n_first && form->n_char && wanted->n_first != form->n_char)
        return jl_fail(err, JL_ERR_FORMAT, "the \"first\" line has %d characters, the form %d",
                       wanted->n_first, form->n_char);
    return JL_OK;
}

static enum jl_status read_wanted(const json_t *root, struct verse_wanted *out,
                                  struct jl_error *err) {
    const json_t *form = json_object_get(root, "form");
    int n_known = 1;
    if (!json_is_string(form) ||
        !verse_form_read(json_string_value(form), json_string_length(form), &out->form))
        return jl_fail(
            err, JL_ERR_FORMAT,
            "\"form\" of a verse must be 五绝, 七绝, 五律, 七律, 对联 or LINESxCHARACTERS");
    JL_TRY(read_han(root, "theme", out->theme, VERSE_MOST_THEME, &out->n_theme, &n_known, err));
    JL_TRY(read_han(root, "heads", out->heads, HAN_MOST_LINES, &out->n_heads, &n_known, err));
    JL_TRY(read_han(root, "first", out->first, HAN_MOST_CHARS, &out->n_first, &n_known, err));
    const json_t *varied = json_object_get(root, "varied");
    if (varied && !json_is_boolean(varied))
        return jl_fail(err, JL_ERR_FORMAT, "\"varied\" of a verse must be true or false");
    out->varied = json_is_true(varied);
    n_known += varied != NULL;
    if (json_object_size(root) != (size_t)n_known)
        return jl_fail(err, JL_ERR_FORMAT,
                       "a verse has \"form\", may have \"theme\", \"heads\", \"first\" and "
                       "\"varied\", and no other key");
    return check_wanted(out, err);
}

enum jl_status verse_wanted_read(const char *json, size_t len, struct verse_wanted *out,
                                 struct jl_error *err) {
    json_t *root;
    json_error_t what;
    *out = (struct verse_wanted){0};
    enum jl_status status = jl_json_load(json, len, JSON_REJECT_DUPLICATES, &root, &what);
    if (status != JL_OK) return jl_fail(err, status, "what a verse should be: %s", what.text);
    status = read_wanted(root, out, err);
    json_decref(root);
    return status;
}

/* ---- form, rhyme, tone ---- */

static bool has_form(const struct verse_wanted *wanted, const struct han_lines *lines) {
    int n_char = wanted->form.n_char ? wanted->form.n_char : wanted->n_first;
    bool ok = lines->whole && lines->n_line == wanted->form.n_line;
    for (int i = 0; ok && i < lines->n_line; i++)
        ok = lines->n_char[i] == n_char;
    return ok;
}

bool verse_rhymes(const struct rhyme_book *book, const struct han_lines *lines) {
    uint32_t ends[HAN_MOST_LINES];
    int n = 0;
    for (int i = 1; i < lines->n_line; i += 2) {
        ends[n] = lines->code[i][lines->n_char[i] - 1];
        for (int k = 0; k < n; k++)
            if (ends[k] == ends[n]) return false;
        n++;
    }
    return rhyme_shared(book, ends, n) >= 0;
}

/* Within a couplet the second positions differ (对), from one to the next they agree (粘); within a
 * line they change from 2 to 4 to 6. The last of a line is level where it rhymes, else oblique; of
 * the first line it may be either. */
static bool fits(const struct rhyme_book *book, const struct han_lines *lines, bool level) {
    for (int i = 0; i < lines->n_line; i++) {
        bool second = level != (((i + 1) / 2) % 2 == 1);
        int last = lines->n_char[i] - 1;
        for (int k = 1; k < last; k += 2)
            if (!rhyme_allows(book, lines->code[i][k], second == (k % 4 == 1))) return false;
        if (i && !rhyme_allows(book, lines->code[i][last], i % 2 == 1)) return false;
    }
    return true;
}

int verse_beginning(const struct rhyme_book *book, const struct han_lines *lines) {
    return fits(book, lines, true) ? 1 : fits(book, lines, false) ? 0 : -1;
}

/* 下联: no character where the other line has the same, tones opposed at 2, 4, 6, a level end. */
static bool answers_tones(const struct rhyme_book *book, const uint32_t *above,
                          const uint32_t *below, int n) {
    for (int k = 1; k < n - 1; k += 2)
        if (!(rhyme_allows(book, above[k], true) && rhyme_allows(book, below[k], false)) &&
            !(rhyme_allows(book, above[k], false) && rhyme_allows(book, below[k], true)))
            return false;
    return rhyme_allows(book, below[n - 1], true);
}

static bool is_other(const uint32_t *above, const uint32_t *below, int n) {
    for (int k = 0; k < n; k++)
        if (above[k] == below[k]) return false;
    return true;
}

/* ---- the verdict ---- */

static bool stood_before(const struct han_lines *lines, int line, int k) {
    for (int i = 0; i <= line; i++)
        for (int j = 0; j < (i < line ? lines->n_char[i] : k); j++)
            if (lines->code[i][j] == lines->code[line][k]) return true;
    return false;
}

bool verse_is_varied(const struct han_lines *lines) {
    int n = 0, again = 0;
    for (int i = 0; i < lines->n_line; i++)
        for (int k = 0; k < lines->n_char[i]; k++, n++)
            if (!k || lines->code[i][k] != lines->code[i][k - 1])
                again += stood_before(lines, i, k);
    return 8 * again <= n;
}

static bool has_theme(const struct verse_wanted *wanted, const struct han_lines *lines) {
    size_t bytes = (size_t)wanted->n_theme * sizeof *wanted->theme;
    for (int i = 0; i < lines->n_line; i++)
        for (int k = 0; k + wanted->n_theme <= lines->n_char[i]; k++)
            if (!memcmp(lines->code[i] + k, wanted->theme, bytes)) return true;
    return false;
}

static bool has_heads(const struct verse_wanted *wanted, const struct han_lines *lines) {
    for (int i = 0; i < wanted->n_heads; i++)
        if (lines->code[i][0] != wanted->heads[i]) return false;
    return true;
}

struct verse_verdict verse_judge(const struct rhyme_book *book, const struct verse_wanted *wanted,
                                 const struct han_lines *lines) {
    struct verse_verdict verdict = {0};
    const uint32_t *line = lines->code[0];
    size_t n_first = (size_t)wanted->n_first;
    if (!has_form(wanted, lines)) return verdict;
    verdict = (struct verse_verdict){true, true, true, true, true, true, true};
    if (wanted->varied) verdict.varied = verse_is_varied(lines);
    if (wanted->n_theme) verdict.theme = has_theme(wanted, lines);
    if (wanted->n_heads) verdict.heads = has_heads(wanted, lines);
    switch (wanted->form.kind) {
    case VERSE_REGULAR:
        verdict.rhyme = verse_rhymes(book, lines);
        verdict.tone = verse_beginning(book, lines) >= 0;
        break;
    case VERSE_COUPLET:
        verdict.tone = answers_tones(book, wanted->first, line, wanted->n_first);
        verdict.first = is_other(wanted->first, line, wanted->n_first);
        break;
    case VERSE_PLAIN: break;
    }
    if (n_first && wanted->form.kind != VERSE_COUPLET)
        verdict.first = !memcmp(line, wanted->first, n_first * sizeof *line);
    return verdict;
}

bool verse_right(const struct verse_verdict *v) {
    return v->form && v->rhyme && v->tone && v->theme && v->heads && v->first && v->varied;
}
