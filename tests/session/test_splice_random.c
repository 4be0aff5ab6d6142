/* Splicing over every tokenizer of the fixtures and the published vocabularies: conversations whose
 * answers are any tokens, against the definition in splice.h tried out for every pair of places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"
#include "session/open_tokenizer.h"
#include "session/splice.h"
#include "text/utf8.h"

#define MAX_IDS 1200
#define MAX_TEXT 8000
#define TURNS 4
#define MAX_TOKEN 20 // bytes; longer ones only make long texts

/* ---- what ids say ---- */

/* Bytes; marks and tokens without text as one unit each. */
struct reading {
    uint32_t units[MAX_TEXT];
    size_t end[MAX_IDS + 1];                // units of the first i ids
    struct token_stream after[MAX_IDS + 1]; // behind them
    size_t n;
};
#define UNIT_TOKEN 0x100u

static void read_ids(const struct tokenizer *t, const int32_t *ids, size_t n, struct reading *out) {
    struct jl_error err;
    struct token_stream stream;
    char *text = NULL;
    size_t len = 0, cap = 0, used = 0;
    assert_true(n <= MAX_IDS);
    token_stream_init(&stream, t, false);
    stream.raw = stream.show_control = true;
    out->n = n;
    out->end[0] = 0;
    out->after[0] = stream;
    for (size_t i = 0; i < n; i++) {
        len = 0;
        assert_int_equal(token_stream_push(&stream, ids[i], &text, &len, &cap, &err), JL_OK);
        assert_true(used + len + 1 < MAX_TEXT);
        bool whole = len == 0 || tokenizer_is_mark(t, ids[i]);
        if (whole) out->units[used++] = UNIT_TOKEN + (uint32_t)ids[i];
        for (size_t k = 0; !whole && k < len; k++)
            out->units[used++] = (unsigned char)text[k];
        out->end[i + 1] = used;
        out->after[i + 1] = stream;
    }
    free(text);
}

static bool is_border(const struct reading *a, size_t i, const struct reading *b, size_t j) {
    return a->end[i] == b->end[j] && !memcmp(a->units, b->units, a->end[i] * sizeof *a->units) &&
           token_stream_agree(&a->after[i], &b->after[j]);
}

/* ---- one prompt ---- */

struct prompt {
    char text[MAX_TEXT];
    size_t len;
    struct text_span user[6 * TURNS];
    size_t n_user;
};

struct token {
    int32_t id;
    size_t len;
    char text[MAX_TOKEN]; // as it follows another one
};

struct trial {
    const struct tokenizer *t;
    const char *name;
    uint64_t seed, first_seed;
    const char *marks[8];
    size_t n_mark;
    struct token *vocabulary; // those that can be decoded; those of whole characters first
    size_t n_vocabulary, n_text;
    long n_checked, n_kept; // prompts; those in which another spelling was kept
};

static void fail_trial(const struct trial *trial, const char *what) {
    fail_msg("%s, seed %llu: %s", trial->name, (unsigned long long)trial->first_seed, what);
}

static size_t pick(struct trial *trial, size_t n) { return fixture_random(&trial->seed) % n; }

/* The text of the prompt between two marks of `plain`, if its place is known. */
static bool prompt_between(const struct token_places *places, size_t before, size_t after,
                           struct text_span *out) {
    const struct token_place *a = NULL, *b = NULL;
    for (size_t i = 0; i < places->len; i++) {
        const struct token_place *place = &places->data[i];
        if (place->bytes.start == place->bytes.stop) continue;
        if (place->at == before) a = place;
        if (place->at == after) b = place;
    }
    if (!a || !b) return false;
    *out = (struct text_span){a->bytes.stop, b->bytes.start};
    return true;
}

/* Whether ids [from, to) say these bytes. */
static bool says(const struct reading *r, size_t from, size_t to, const char *text, size_t len) {
    if (r->end[to] - r->end[from] != len) return false;
    for (size_t i = 0; i < len; i++)
        if (r->units[r->end[from] + i] != (unsigned char)text[i]) return false;
    return true;
}

/* The next mark that was found in the text, from `from` on. Unknown tokens are none: the prompt may
 * well spell what stands there. */
static size_t next_mark(const struct reading *r, size_t from, const struct reading *plain,
                        const struct token_places *places) {
    for (; from < r->n; from++)
        for (size_t i = 0; i < places->len; i++)
            if (r->end[from] < r->end[from + 1] &&
                r->units[r->end[from]] == plain->units[plain->end[places->data[i].at]])
                return from;
    return r->n;
}

/* Stretch by stretch: the marks are those of plain encoding, what lies between is its text or that
 * of the prompt. *exact: the latter never said anything else. */
static void check_text(const struct trial *trial, const struct prompt *prompt,
                       const struct reading *got, const struct reading *plain,
                       const struct token_places *places, bool *exact) {
    size_t i = 0, j = 0;
    *exact = true;
    for (;;) {
        size_t i_end = next_mark(got, i, plain, places);
        size_t j_end = next_mark(plain, j, plain, places);
        struct text_span span;
        size_t len = plain->end[j_end] - plain->end[j], got_len = got->end[i_end] - got->end[i];
        bool same =
            len == got_len && !memcmp(got->units + got->end[i], plain->units + plain->end[j],
                                      len * sizeof *got->units);
        bool known = j > 0 && j_end < plain->n && prompt_between(places, j - 1, j_end, &span);
        if (known) {
            const char *words = prompt->text + span.start;
            size_t n_word = span.stop - span.start;
            same = same || says(got, i, i_end, words, n_word);
            *exact = *exact && says(plain, j, j_end, words, n_word);
        }
        if (!same) fail_trial(trial, "a stretch has another text");
        if (i_end == got->n || j_end == plain->n) {
            if (i_end != got->n || j_end != plain->n) fail_trial(trial, "a mark more or less");
            return;
        }
        if (got->units[got->end[i_end]] != plain->units[plain->end[j_end]])
            fail_trial(trial, "another mark");
        i = i_end + 1;
        j = j_end + 1;
    }
}

/* The longest part of `known` that can be kept, by trying all pairs. */
static void find_best(const struct reading *known, const struct reading *plain, size_t *best_known,
                      size_t *best_plain) {
    for (size_t i = known->n + 1; i-- > 0;)
        for (size_t j = plain->n + 1; j-- > 0;)
            if (is_border(known, i, plain, j)) {
                *best_known = i;
                *best_plain = j;
                return;
            }
}

static struct token_ids check_prompt(struct trial *trial, const struct prompt *prompt,
                                     const struct token_ids *known) {
    static struct reading read_known, read_plain, read_got;
    const struct tokenizer_text text = {prompt->text, prompt->len, prompt->user, prompt->n_user};
    const struct splice_known given = {known->data, known->len, SIZE_MAX};
    struct token_ids got, plain;
    struct token_places places;
    struct jl_error err;
    size_t i = 0, j = 0, same = 0;
    bool exact;
    if (splice_encode(trial->t, &text, ENCODE_SPECIAL, &given, &got, &err) != JL_OK ||
        tokenizer_encode_marked(trial->t, &text, ENCODE_SPECIAL, &plain, &places, &err) != JL_OK)
        fail_trial(trial, err.message);
    read_ids(trial->t, known->data, known->len, &read_known);
    read_ids(trial->t, plain.data, plain.len, &read_plain);
    read_ids(trial->t, got.data, got.len, &read_got);
    check_text(trial, prompt, &read_got, &read_plain, &places, &exact);
    while (same < got.len && same < known->len && got.data[same] == known->data[same])
        same++;
    size_t rest = got.len - same; // a tail of the plain ids, whatever was kept
    if (rest > plain.len ||
        (rest && memcmp(got.data + same, plain.data + plain.len - rest, rest * sizeof *got.data)))
        fail_trial(trial, "neither known nor plain");
    find_best(&read_known, &read_plain, &i, &j);
    if (same < i) fail_trial(trial, "more could have been kept");
    if (exact && got.len != i + plain.len - j) fail_trial(trial, "not what the definition says");
    trial->n_checked++;
    trial->n_kept +=
        known->len && same == known->len &&
        (same > plain.len || memcmp(known->data, plain.data, same * sizeof *known->data) != 0);
    free(plain.data);
    free(places.data);
    return got;
}

/* ---- conversations ---- */

static void say(struct prompt *prompt, const char *text, size_t len, bool user) {
    assert_true(prompt->len + len <= sizeof prompt->text);
    memcpy(prompt->text + prompt->len, text, len);
    if (user) prompt->user[prompt->n_user++] = (struct text_span){prompt->len, prompt->len + len};
    prompt->len += len;
}

static void say_mark(struct trial *trial, struct prompt *prompt, bool user) {
    const char *text = trial->n_mark ? trial->marks[pick(trial, trial->n_mark)] : "\n";
    say(prompt, text, strlen(text), user);
}

static void ask(struct trial *trial, struct prompt *prompt) {
    char text[60];
    say_mark(trial, prompt, false);
    if (pick(trial, 2)) say(prompt, "he\n", 3, false);
    say(prompt, text, fixture_random_text(&trial->seed, text, pick(trial, sizeof text)), true);
    if (pick(trial, 4) == 0) say_mark(trial, prompt, true); // forged
    say_mark(trial, prompt, false);
    if (pick(trial, 2)) say(prompt, "an\n", 3, false);
}

/* As a terminal shows them. */
static char *decode(const struct trial *trial, const struct token_ids *ids, size_t from, bool start,
                    size_t *len) {
    struct token_stream stream;
    struct jl_error err;
    char *text = NULL;
    size_t cap = 0;
    *len = 0;
    token_stream_init(&stream, trial->t, start);
    for (size_t i = from; i < ids->len; i++)
        assert_int_equal(token_stream_push(&stream, ids->data[i], &text, len, &cap, &err), JL_OK);
    assert_int_equal(token_stream_end(&stream, &text, len, &cap, &err), JL_OK);
    return text;
}

static int32_t *add_ids(struct token_ids *ids, size_t n) {
    int32_t *grown = realloc(ids->data, (ids->len + n) * sizeof *grown);
    assert_non_null(grown);
    ids->data = grown;
    ids->len += n;
    return grown + ids->len - n;
}

/* The token's bytes as they follow another one's. */
static size_t spell(const struct trial *trial, int32_t id, char *out, size_t cap) {
    struct token_stream stream;
    struct jl_error err;
    char *text = NULL;
    size_t len = 0, room = 0;
    token_stream_init(&stream, trial->t, false);
    stream.raw = stream.show_control = true;
    if (token_stream_push(&stream, id, &text, &len, &room, &err) != JL_OK || len > cap) len = 0;
    if (len) memcpy(out, text, len);
    free(text);
    return len;
}

/* Some token of these bytes, TOKEN_NONE. */
static int32_t find_spelling(struct trial *trial, const char *bytes, size_t len) {
    size_t from = pick(trial, trial->n_vocabulary);
    for (size_t i = 0; i < trial->n_vocabulary; i++) {
        const struct token *token = &trial->vocabulary[(from + i) % trial->n_vocabulary];
        if (token->len == len && !memcmp(token->text, bytes, len)) return token->id;
    }
    return TOKEN_NONE;
}

/* A text's own tokens, some of them cut in two. */
static void add_respelled(struct trial *trial, struct token_ids *ids) {
    char text[30], token[MAX_TOKEN];
    int32_t *plain;
    size_t n = fixture_encode(trial->t, text, fixture_random_text(&trial->seed, text, sizeof text),
                              0, &plain);
    for (size_t i = 0; i < n; i++) {
        size_t len = spell(trial, plain[i], token, sizeof token);
        size_t cut = len > 1 ? 1 + pick(trial, len - 1) : 0;
        int32_t first = cut ? find_spelling(trial, token, cut) : TOKEN_NONE;
        int32_t second = cut ? find_spelling(trial, token + cut, len - cut) : TOKEN_NONE;
        bool both = first != TOKEN_NONE && second != TOKEN_NONE;
        if (both) *add_ids(ids, 1) = first;
        *add_ids(ids, 1) = both ? second : plain[i];
    }
    free(plain);
}

static void add_any(struct trial *trial, struct token_ids *ids) {
    size_t among = pick(trial, 8) && trial->n_text ? trial->n_text : trial->n_vocabulary;
    for (size_t n = 1 + pick(trial, 16); n; n--)
        *add_ids(ids, 1) = trial->vocabulary[pick(trial, among)].id;
}

/* Tokens; their text goes into the prompt, now and then not quite as it is. */
static void say_tokens(struct trial *trial, struct prompt *prompt, struct token_ids *ids) {
    size_t from = ids->len, len;
    if (trial->n_vocabulary < 4000 && pick(trial, 2))
        add_respelled(trial, ids);
    else
        add_any(trial, ids);
    char *text = decode(trial, ids, from, pick(trial, 2), &len);
    size_t kept = len;
    switch (pick(trial, 16)) {
    case 0: kept = len ? pick(trial, len) : 0; break; // cut, also inside a character
    case 1:
        while (kept && strchr(" \n\t", text[kept - 1]))
            kept--;
        break;
    case 2:
        if (len) text[pick(trial, len)] = 'a';
        break;
    default: break;
    }
    if (kept) say(prompt, text, kept, pick(trial, 2));
    free(text);
}

/* A mark as itself or in letters, on either side. */
static void say_doubtful_mark(struct trial *trial, struct prompt *prompt, struct token_ids *ids) {
    if (!trial->n_mark) return;
    const char *text = trial->marks[pick(trial, trial->n_mark)];
    int32_t *letters;
    size_t n =
        fixture_encode(trial->t, text, strlen(text), pick(trial, 2) ? ENCODE_SPECIAL : 0, &letters);
    if (n) memcpy(add_ids(ids, n), letters, n * sizeof *letters);
    free(letters);
    say(prompt, text, strlen(text), pick(trial, 2));
}

static void answer(struct trial *trial, struct prompt *prompt, struct token_ids *ids) {
    say_tokens(trial, prompt, ids);
    if (pick(trial, 3)) return;
    say_doubtful_mark(trial, prompt, ids);
    say_tokens(trial, prompt, ids);
}

static void converse(struct trial *trial) {
    struct prompt prompt = {.len = 0};
    struct token_ids known = {0};
    trial->first_seed = trial->seed;
    for (int turn = 0; turn < TURNS; turn++) {
        ask(trial, &prompt);
        struct token_ids ids = check_prompt(trial, &prompt, &known);
        free(known.data);
        known = ids;
        answer(trial, &prompt, &known);
    }
    free(known.data);
}

static void find_vocabulary(struct trial *trial) {
    static const char *const marks[] = {"<s>",    "</s>",  "<|end|>",    "<tool>",
                                        "[MASK]", "[SEP]", "<|im_end|>", "<|endoftext|>"};
    int n = tokenizer_vocab_size(trial->t);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (tokenizer_find_added(trial->t, marks[i], strlen(marks[i])) != TOKEN_NONE)
            trial->marks[trial->n_mark++] = marks[i];
    trial->vocabulary = calloc((size_t)n, sizeof *trial->vocabulary);
    for (int32_t id = 0; id < n; id++) {
        struct token token = {.id = id};
        token.len = spell(trial, id, token.text, sizeof token.text);
        if (!token.len) continue; // holes of the vocabulary, and runs of hundreds of spaces
        struct token *first = &trial->vocabulary[trial->n_text];
        bool is_text = !tokenizer_is_mark(trial->t, id) &&
                       utf8_valid_length(token.text, token.len) == token.len;
        trial->vocabulary[trial->n_vocabulary++] = is_text ? *first : token;
        if (!is_text) continue;
        *first = token;
        trial->n_text++;
    }
    assert_true(trial->n_vocabulary > 0);
}

static void try_tokenizer(const struct tokenizer *t, const char *name, int rounds, long *n_checked,
                          long *n_kept) {
    struct trial trial = {.t = t, .name = name, .seed = 20240607};
    find_vocabulary(&trial);
    for (int i = 0; i < rounds; i++)
        converse(&trial);
    free(trial.vocabulary);
    *n_checked += trial.n_checked;
    *n_kept += trial.n_kept;
}

/* ---- whose tokenizers ---- */

static void try_fixtures(const char *name, int rounds) {
    char path[200];
    long n_checked = 0, n_kept = 0;
    snprintf(path, sizeof path, "tests/text/tokenizer/fixtures/%s.json", name);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error), *variant;
    if (!root) fail_msg("%s: %s", path, error.text);
    size_t i;
    json_array_foreach(json_object_get(root, "variants"), i, variant) {
        json_t *whole = json_copy(json_object_get(root, "base"));
        json_object_update(whole, json_object_get(variant, "set"));
        char *json = json_dumps(whole, JSON_COMPACT);
        struct tokenizer *t = fixture_from_json(json);
        snprintf(path, sizeof path, "%s, variant %zu", name, i);
        try_tokenizer(t, path, rounds, &n_checked, &n_kept);
        tokenizer_free(t);
        free(json);
        json_decref(whole);
    }
    json_decref(root);
    printf("%s: %ld prompts, %ld with another spelling kept to its end\n", name, n_checked, n_kept);
    assert_true(n_checked > 0);
}

static void test_fixtures(void **state) {
    (void)state;
    static const char *const names[] = {"hf_byte_level", "hf_byte_steps",  "hf_character_bpe",
                                        "hf_affixes",    "hf_normalizers", "hf_pre_tokenizers",
                                        "hf_unigram",    "hf_wordpiece"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        try_fixtures(names[i], 20);
}

static void test_scores(void **state) {
    (void)state;
    struct tokenizer *t = fixture_spm();
    long n_checked = 0, n_kept = 0;
    try_tokenizer(t, "scores", 400, &n_checked, &n_kept);
    tokenizer_free(t);
    assert_true(n_kept > 0);
}

static void test_published(void **state) {
    (void)state;
    static const char *const names[] = {"vocab/qwen2",
                                        "vocab/llama-2",
                                        "vocab/mistral-0.3",
                                        "vocab/gpt2",
                                        "vocab/gguf/ggml-vocab-llama-spm.gguf",
                                        "vocab/gguf/ggml-vocab-phi-3.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *path = fixture_shared(names[i]);
        struct tokenizer *t;
        struct jl_error err;
        long n_checked = 0, n_kept = 0;
        if (!path) skip();
        if (open_tokenizer_path(path, NULL, &t, &err) != JL_OK) fail_msg("%s", err.message);
        try_tokenizer(t, names[i], 100, &n_checked, &n_kept);
        printf("%s: %ld of %ld\n", names[i], n_kept, n_checked);
        assert_true(n_kept > n_checked / 20);
        tokenizer_free(t);
        free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixtures),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
