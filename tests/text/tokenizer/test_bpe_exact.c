/* What BPE skips, puts off and remembers changes no ids. Byte-level vocabularies by chance, most of
 * whose tokens begin or end inside of characters, must give the ids of merging the bytes one pair
 * after the other: for single words, for long texts, and where a byte has no token. Then what
 * chance does not find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "fixture.h"
#include "text/tokenizer/byte_alphabet.h"

#define MAX_TOKENS 340
#define MAX_MERGES 300
#define MAX_WORD 120

/* Letters of one to four bytes, many with the same bytes at one end. */
static const char *const letters[] = {
    "a",
    "b",
    "c",
    "\xC3\xA9",
    "\xC3\xAA",
    "\xC4\xA9",
    "\xE4\xB8\x80",
    "\xE4\xB8\x81",
    "\xE4\xB8\x83",
    "\xE4\xB9\x80",
    "\xE5\xB8\x80",
    "\xE6\x9C\xAC",
    "\xE6\x9C\x80",
    "\xF0\xA0\x80\x80",
};
#define N_LETTER (sizeof letters / sizeof letters[0])

struct merge {
    int left, right, made; // tokens
};
struct vocabulary {
    char texts[MAX_TOKENS][32]; // bytes
    size_t lens[MAX_TOKENS];
    int n_token;
    struct merge merges[MAX_MERGES]; // by rank
    int n_merge;
    int missing; // a byte that is no token, or -1
    bool ranks;  // every way to cut a token is a merge, the token's id its rank; words stay whole
};

static size_t random_word(uint64_t *random, char *word, size_t n_letter) {
    size_t len = 0;
    for (size_t i = 0; i < n_letter; i++) {
        const char *letter = letters[fixture_random(random) % N_LETTER];
        memcpy(word + len, letter, strlen(letter));
        len += strlen(letter);
    }
    return len;
}

static int find_token(const struct vocabulary *v, const char *text, size_t len) {
    for (int id = 0; id < v->n_token; id++) {
        if (v->lens[id] == len && memcmp(v->texts[id], text, len) == 0) return id;
    }
    return -1;
}

static int add_token(struct vocabulary *v, const char *text, size_t len) {
    int id = find_token(v, text, len);
    if (id >= 0) return id;
    assert_true(v->n_token < MAX_TOKENS && len < sizeof v->texts[0]);
    memcpy(v->texts[v->n_token], text, len);
    v->lens[v->n_token] = len;
    return v->n_token++;
}

/* Two tokens that stand side by side in some word become one. */
static void add_merge(struct vocabulary *v, uint64_t *random) {
    char word[MAX_WORD];
    size_t len = random_word(random, word, 2 + fixture_random(random) % 3);
    size_t cut = 1 + fixture_random(random) % (len - 1), start = cut, stop = cut;
    int left = -1, right = -1;
    for (size_t tries = 0; left < 0 && tries < 8; tries++) {
        start = cut - 1 - fixture_random(random) % (cut < 6 ? cut : 6);
        left = find_token(v, word + start, cut - start);
    }
    for (size_t tries = 0; right < 0 && tries < 8; tries++) {
        stop = cut + 1 + fixture_random(random) % (len - cut < 6 ? len - cut : 6);
        right = find_token(v, word + cut, stop - cut);
    }
    if (left < 0 || right < 0 || v->n_token == MAX_TOKENS || v->n_merge == MAX_MERGES) return;
    for (int i = 0; i < v->n_merge; i++) {
        if (v->merges[i].left == left && v->merges[i].right == right) return;
    }
    int made = add_token(v, word + start, stop - start);
    v->merges[v->n_merge++] = (struct merge){left, right, made};
}

static struct vocabulary *random_vocabulary(uint64_t seed) {
    struct vocabulary *v = calloc(1, sizeof *v);
    uint64_t random = seed;
    assert_non_null(v);
    v->ranks = seed % 3 == 0;
    v->missing = seed % 7 == 1 ? 'b' : seed % 7 == 2 ? 0xF0 : seed % 7 == 3 ? 0xC1 : -1;
    if (v->ranks) v->missing = -1;
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        if (byte != v->missing) add_token(v, &text, 1);
    }
    for (size_t i = 0, n = 20 + fixture_random(&random) % 250; i < n; i++)
        add_merge(v, &random);
    for (int i = v->n_merge - 1; seed % 2 && i > 0; i--) { // ranks in an order no training gives
        int other = (int)(fixture_random(&random) % (unsigned)(i + 1));
        struct merge swap = v->merges[i];
        v->merges[i] = v->merges[other];
        v->merges[other] = swap;
    }
    return v;
}

/* ---- what the ids must be ---- */

static int merge_rank(const struct vocabulary *v, int left, int right, int *made) {
    char text[64];
    if (left < 0 || right < 0) return -1;
    if (v->ranks) {
        memcpy(text, v->texts[left], v->lens[left]);
        memcpy(text + v->lens[left], v->texts[right], v->lens[right]);
        *made = find_token(v, text, v->lens[left] + v->lens[right]);
        return *made;
    }
    for (int i = 0; i < v->n_merge; i++) {
        if (v->merges[i].left != left || v->merges[i].right != right) continue;
        *made = v->merges[i].made;
        return i;
    }
    return -1;
}

static size_t encode_plainly(const struct vocabulary *v, const char *word, size_t len,
                             int32_t *ids) {
    size_t n = len;
    int whole = v->ranks ? find_token(v, word, len) : -1;
    if (whole >= 0) {
        ids[0] = whole;
        return 1;
    }
    for (size_t i = 0; i < len; i++)
        ids[i] = find_token(v, word + i, 1);
    for (;;) {
        int best = -1, best_made = -1;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            int made, rank = merge_rank(v, ids[i], ids[i + 1], &made);
            if (rank < 0 || (best >= 0 && rank >= best)) continue;
            best = rank;
            best_made = made;
            at = i;
        }
        if (best < 0) break;
        ids[at] = best_made;
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0) ids[i] = v->n_token; // the unknown token
    return n;
}

/* ---- the tokenizer ---- */

static struct tokenizer *from_merges(const struct vocabulary *v) {
    struct byte_buffer texts[MAX_TOKENS + 1] = {0}, lines[MAX_MERGES] = {0};
    struct token_entry tokens[MAX_TOKENS + 1];
    struct bpe_merge_text merges[MAX_MERGES];
    struct bpe_spec spec = {.tokens = tokens,
                            .n_token = v->n_token + 1,
                            .merges = merges,
                            .n_merge = (size_t)v->n_merge,
                            .pre = "qwen2",
                            .pre_len = 5,
                            .bos = TOKEN_NONE,
                            .eos = TOKEN_NONE,
                            .unk = v->n_token};
    struct tokenizer *t;
    struct jl_error err;
    for (int i = 0; i < v->n_token; i++) {
        assert_true(byte_alphabet_write(v->texts[i], v->lens[i], &texts[i]));
        tokens[i] =
            (struct token_entry){.text = texts[i].data, .len = texts[i].len, .type = TOKEN_NORMAL};
    }
    tokens[v->n_token] = (struct token_entry){.text = "<unk>", .len = 5, .type = TOKEN_UNKNOWN};
    for (int i = 0; i < v->n_merge; i++) {
        const struct byte_buffer *left = &texts[v->merges[i].left];
        const struct byte_buffer *right = &texts[v->merges[i].right];
        assert_true(buffer_append(&lines[i], left->data, left->len));
        assert_true(buffer_append(&lines[i], " ", 1));
        assert_true(buffer_append(&lines[i], right->data, right->len));
        merges[i] = (struct bpe_merge_text){lines[i].data, lines[i].len};
    }
    if (tokenizer_from_bpe(&spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    for (int i = 0; i < v->n_token; i++)
        buffer_free(&texts[i]);
    for (int i = 0; i < v->n_merge; i++)
        buffer_free(&lines[i]);
    return t;
}

static struct tokenizer *from_ranks(const struct vocabulary *v) {
    char *text = malloc((size_t)v->n_token * 64), base64[64];
    size_t len = 0;
    struct tokenizer *t;
    struct jl_error err;
    assert_non_null(text);
    for (int i = 0; i < v->n_token; i++) {
        fixture_put_base64(v->texts[i], v->lens[i], base64);
        len += (size_t)sprintf(text + len, "%s %d\n", base64, i);
    }
    if (tokenizer_from_ranks(text, len, "qwen2", &t, &err) != JL_OK) fail_msg("%s", err.message);
    free(text);
    return t;
}

static void check_text(const struct tokenizer *t, const char *text, size_t len, const int32_t *want,
                       size_t n_want, uint64_t seed) {
    int32_t *got;
    size_t n = fixture_encode(t, text, len, 0, &got);
    if (n != n_want || memcmp(got, want, n * sizeof *got) != 0)
        fail_msg("seed %llu differs on '%.*s'", (unsigned long long)seed, (int)len, text);
    free(got);
}

/* Words one by one, then all of them as the lines of one text, some of them often. */
static void check_vocabulary(uint64_t seed) {
    struct vocabulary *v = random_vocabulary(seed);
    struct tokenizer *t = v->ranks ? from_ranks(v) : from_merges(v);
    uint64_t random = seed + 1;
    static char text[20000], words[40][MAX_WORD];
    static int32_t want[20000];
    size_t lens[40], len = 0, n_want = 0;
    for (int i = 0; i < 40; i++) {
        int32_t ids[MAX_WORD];
        lens[i] = random_word(&random, words[i], 1 + fixture_random(&random) % (i % 4 ? 6 : 30));
        size_t n = encode_plainly(v, words[i], lens[i], ids);
        check_text(t, words[i], lens[i], ids, n, seed);
    }
    for (int i = 0; i < 150; i++) {
        int k = (int)(fixture_random(&random) % 40);
        memcpy(text + len, words[k], lens[k]);
        n_want += encode_plainly(v, words[k], lens[k], want + n_want);
        len += lens[k];
        text[len++] = '\n';
        want[n_want++] = find_token(v, "\n", 1);
    }
    check_text(t, text, len, want, n_want, seed);
    tokenizer_free(t);
    free(v);
}

static void test_random(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 210; seed++)
        check_vocabulary(seed);
}

/* ---- what chance does not find ---- */

/* tokenizer.json: all bytes but those of `missing`, the tokens "ab" and "<unk>", unknown bytes
 * fuse.
 */
static struct tokenizer *from_json(const char *missing, const char *pre_tokenizer) {
    json_t *vocab = json_object();
    json_error_t error;
    int id = 0;
    for (int byte = 0; byte < 256; byte++) {
        struct byte_buffer text = {0};
        char one = (char)byte;
        if (byte && strchr(missing, byte)) continue;
        assert_true(byte_alphabet_write(&one, 1, &text));
        assert_true(buffer_append(&text, "", 1));
        json_object_set_new(vocab, text.data, json_integer(id++));
        buffer_free(&text);
    }
    json_object_set_new(vocab, "ab", json_integer(id++));
    json_object_set_new(vocab, "<unk>", json_integer(id++));
    json_t *pre = json_loads(pre_tokenizer, 0, &error);
    assert_non_null(pre);
    json_t *merges = strchr(missing, 'b') ? json_array() : json_pack("[s]", "a b");
    json_t *root = json_pack(
        "{s:s, s:n, s:n, s:[{s:i,s:s,s:b,s:b,s:b,s:b,s:b}], s:n, s:o, s:n, s:{s:b,s:b,s:b,"
        "s:s}, s:{s:s,s:n,s:s,s:n,s:n,s:b,s:b,s:b,s:o,s:o}}",
        "version", "1.0", "truncation", "padding", "added_tokens", "id", id - 1, "content", "<unk>",
        "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1, "normalizer",
        "pre_tokenizer", pre, "post_processor", "decoder", "add_prefix_space", 0, "trim_offsets", 1,
        "use_regex", 1, "type", "ByteLevel", "model", "type", "BPE", "dropout", "unk_token",
        "<unk>", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 1, "byte_fallback",
        0, "ignore_merges", 0, "vocab", vocab, "merges", merges);
    assert_non_null(root);
    char *text = json_dumps(root, JSON_COMPACT);
    struct tokenizer *t = fixture_from_json(text);
    free(text);
    json_decref(root);
    return t;
}

#define BYTE_LEVEL                                                                                 \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":"

/* A run of bytes without a token is one unknown token, also where no token spans two of them. */
static void test_fused(void **state) {
    (void)state;
    struct tokenizer *t = from_json("bc", BYTE_LEVEL "true}");
    int32_t *ids, a = 'a', unknown = 255; // 254 bytes, "ab", "<unk>"
    size_t n = fixture_encode(t, "abcbaacb", 8, 0, &ids);
    const int32_t want[] = {a, unknown, a, a, unknown};
    assert_int_equal(n, 5);
    assert_memory_equal(ids, want, sizeof want);
    free(ids);
    tokenizer_free(t);
}

#define SPLIT(kind, pattern, behavior)                                                             \
    "{\"type\":\"Split\",\"pattern\":{\"" kind "\":\"" pattern "\"},\"behavior\":\"" behavior      \
    "\",\"invert\":false}"
#define SEQUENCE(parts) "{\"type\":\"Sequence\",\"pretokenizers\":[" parts "]}"

/* Texts long enough to be remembered from. */
static void check_repeated(const struct tokenizer *t, const char *first, const char *again,
                           const int32_t *want, size_t n_want) {
    char text[8000];
    int32_t *ids;
    size_t len = (size_t)sprintf(text, "%s", first), n_first;
    n_first = fixture_encode(t, text, len, 0, &ids);
    free(ids);
    for (int i = 0; i < 200; i++)
        len += (size_t)sprintf(text + len, "%s", again);
    size_t n = fixture_encode(t, text, len, 0, &ids);
    assert_int_equal(n, n_first + 200 * n_want);
    for (size_t i = n_first; i < n; i += n_want)
        assert_memory_equal(ids + i, want, n_want * sizeof *want);
    free(ids);
}

/* "ab" is cut where it begins a piece of the second step, stays whole where it follows an "x"
 * there, and is a word behind an "y": what is remembered of one must not be taken for another. */
static void test_pieces_and_words(void **state) {
    (void)state;
    struct tokenizer *t =
        from_json("", SEQUENCE(SPLIT("String", " ", "Removed") "," SPLIT(
                          "Regex", "\\\\Aa|x",
                          "Isolated") "," SPLIT("Regex", "y", "Isolated") "," BYTE_LEVEL "false}"));
    const int32_t want[] = {'a', 'b', 'x', 256, 'y', 256};
    check_repeated(t, "", "ab xab yab ", want, 6);
    const int32_t too_long[] = {'a', 'b', 'x', 256, 'x', 256, 'x',
                                256, 'x', 256, 'x', 256, 'x', 256};
    check_repeated(t, "", "ab xabxabxabxabxabxab ", too_long, 14);
    tokenizer_free(t);
}

/* A step that asks where in the text a piece stands: only the first gets a mark. */
static void test_places(void **state) {
    (void)state;
    struct fixture fixture;
    fixture_init(&fixture);
    char *json = fixture_json_text(
        &fixture, &(struct fixture_json){
                      .normalizer = "null",
                      .pre_tokenizer = SEQUENCE(SPLIT(
                          "String", ",",
                          "Removed") ",{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\","
                                     "\"prepend_scheme\":\"first\",\"split\":true}")});
    struct tokenizer *t = fixture_from_json(json);
    int32_t *first, *both;
    size_t n_first = fixture_encode(t, "the", 3, 0, &first);
    size_t n = fixture_encode(t, "the,the", 7, 0, &both);
    assert_true(n > n_first && memcmp(both, first, n_first * sizeof *both) == 0);
    assert_true(n != 2 * n_first || memcmp(both + n_first, first, n_first * sizeof *both) != 0);
    check_repeated(t, "the", ",the", both + n_first, n - n_first);
    free(first);
    free(both);
    free(json);
    tokenizer_free(t);
}

/* Added tokens of one byte, at the end of a text too, beside one that begins with the same byte. */
static void test_added(void **state) {
    (void)state;
    struct token_entry tokens[260] = {{0}};
    char texts[256][3];
    int n = 0;
    for (int byte = 0x21; byte < 0x7F; byte++, n++) {
        texts[n][0] = (char)byte;
        tokens[n] = (struct token_entry){.text = texts[n], .len = 1, .type = TOKEN_NORMAL};
    }
    tokens[n++] = (struct token_entry){.text = "~", .len = 1, .type = TOKEN_USER_DEFINED};
    tokens[n++] = (struct token_entry){.text = "+-", .len = 2, .type = TOKEN_USER_DEFINED};
    const struct bpe_spec spec = {.tokens = tokens,
                                  .n_token = n,
                                  .pre = "gpt-2",
                                  .pre_len = 5,
                                  .bos = TOKEN_NONE,
                                  .eos = TOKEN_NONE,
                                  .unk = TOKEN_NONE};
    struct tokenizer *t;
    struct jl_error err;
    int32_t *ids;
    if (tokenizer_from_bpe(&spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    const int32_t want[] = {'a' - 0x21, n - 2, '+' - 0x21, 'b' - 0x21, n - 1, '+' - 0x21, n - 2};
    assert_int_equal(fixture_encode(t, "a~+b+-+~", 8, 0, &ids), 7);
    assert_memory_equal(ids, want, sizeof want);
    free(ids);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_fused),
        cmocka_unit_test(test_pieces_and_words),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
