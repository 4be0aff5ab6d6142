/* Byte-level BPE from GGUF's arrays, from rank files and from vocab.json with merges.txt, all of
 * the vocabulary in fixtures/hf_byte_level.json; trust spans; and what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "fixture.h"
#include "text/tokenizer/byte_alphabet.h"

#define MAX_TOKENS 600

/* ---- the vocabulary ---- */

struct vocabulary {
    json_t *root, *vocab, *merges; // of the fixture
    struct token_entry tokens[MAX_TOKENS];
    struct bpe_merge_text merge_texts[MAX_TOKENS];
    struct bpe_spec spec;
};

static int set_up(void **state) {
    struct vocabulary *v = calloc(1, sizeof *v);
    json_error_t error;
    json_t *file = json_load_file("tests/text/tokenizer/fixtures/hf_byte_level.json", 0, &error);
    assert_non_null(file);
    v->root = json_incref(json_object_get(file, "base"));
    json_decref(file);
    v->vocab = json_object_get(json_object_get(v->root, "model"), "vocab");
    v->merges = json_object_get(json_object_get(v->root, "model"), "merges");
    const char *text;
    json_t *value;
    size_t i;
    json_object_foreach(v->vocab, text, value) {
        v->tokens[json_integer_value(value)] =
            (struct token_entry){.text = text, .len = strlen(text), .type = TOKEN_NORMAL};
    }
    v->spec.n_token = (int)json_object_size(v->vocab);
    json_array_foreach(json_object_get(v->root, "added_tokens"), i, value) {
        text = json_string_value(json_object_get(value, "content"));
        bool special = json_is_true(json_object_get(value, "special"));
        if (i == 3) break; // two control tokens and one user-defined; GGUF has no lstrip
        v->tokens[v->spec.n_token++] =
            (struct token_entry){.text = text,
                                 .len = strlen(text),
                                 .type = special ? TOKEN_CONTROL : TOKEN_USER_DEFINED};
    }
    json_array_foreach(v->merges, i, value) {
        v->merge_texts[i] =
            (struct bpe_merge_text){json_string_value(value), json_string_length(value)};
    }
    v->spec.n_merge = json_array_size(v->merges);
    v->spec.tokens = v->tokens;
    v->spec.merges = v->merge_texts;
    v->spec.pre = "gpt-2";
    v->spec.pre_len = 5;
    v->spec.bos = v->spec.eos = v->spec.unk = TOKEN_NONE;
    *state = v;
    return 0;
}

static int tear_down(void **state) {
    struct vocabulary *v = *state;
    json_decref(v->root);
    free(v);
    return 0;
}

static struct tokenizer *from_spec(const struct bpe_spec *spec) {
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_bpe(spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    return t;
}

/* The fixture with those added tokens that GGUF can say. */
static char *json_text(const struct vocabulary *v) {
    json_t *root = json_deep_copy(v->root), *added = json_object_get(root, "added_tokens");
    while (json_array_size(added) > 3)
        json_array_remove(added, 3);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static void check_same(const struct tokenizer *a, const struct tokenizer *b, int flags) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        char text[1400];
        int32_t *x, *y;
        size_t len = fixture_random_text(&random, text, 1 + fixture_random(&random) % 1300);
        if (seed % 4 == 0 && len > 6) memcpy(text, "<tool>", 6);
        if (seed % 4 == 1 && len > 3) memcpy(text, "<s>", 3);
        size_t n = fixture_encode(a, text, len, flags, &x);
        size_t m = fixture_encode(b, text, len, flags, &y);
        if (n != m || memcmp(x, y, n * sizeof *x) != 0)
            fail_msg("seed %llu differs", (unsigned long long)seed);
        free(x);
        free(y);
    }
}

static void test_gguf_is_json(void **state) {
    const struct vocabulary *v = *state;
    char *json = json_text(v);
    struct tokenizer *a = from_spec(&v->spec), *b = fixture_from_json(json);
    check_same(a, b, 0);
    check_same(a, b, ENCODE_SPECIAL);
    tokenizer_free(a);
    tokenizer_free(b);
    free(json);
}

/* ---- vocab.json and merges.txt ---- */

static void test_files(void **state) {
    const struct vocabulary *v = *state;
    char *vocab = json_dumps(v->vocab, 0), merges[20000] = "#version: 0.2\n";
    json_t *line;
    size_t i, len = strlen(merges);
    json_array_foreach(v->merges, i, line) len +=
        (size_t)snprintf(merges + len, sizeof merges - len, "%s\n", json_string_value(line));
    const char *config = "{\"tokenizer_class\":\"GPT2Tokenizer\",\"eos_token\":\"<s>\"}";
    const char *added = "{\"<s>\":506,\"</s>\":507,\"<tool>\":508}";
    const char *special = "{\"bos_token\":{\"content\":\"</s>\",\"lstrip\":false}}";
    struct tokenizer_files files = {.vocab = vocab,
                                    .merges = merges,
                                    .config = config,
                                    .added = added,
                                    .special_tokens = special,
                                    .vocab_len = strlen(vocab),
                                    .merges_len = len,
                                    .config_len = strlen(config),
                                    .added_len = strlen(added),
                                    .special_tokens_len = strlen(special)};
    struct tokenizer *t, *same = from_spec(&v->spec);
    struct jl_error err;
    if (tokenizer_from_files(&files, &t, &err) != JL_OK) fail_msg("%s", err.message);
    check_same(t, same, 0);
    check_same(t, same, ENCODE_SPECIAL);
    assert_int_equal(tokenizer_eos(t), 506);
    tokenizer_free(t);
    tokenizer_free(same);

    static const struct {
        const char *config, *added, *merges, *model_type, *says;
        enum jl_status status;
    } rows[] = {
        {"{}", NULL, "", NULL, "neither", JL_ERR_UNSUPPORTED},
        {"{\"tokenizer_class\":\"OddTokenizer\"}", NULL, "", NULL, "OddTokenizer",
         JL_ERR_UNSUPPORTED},
        {NULL, NULL, "", "gpt2", NULL, JL_OK},
        {NULL, NULL, "a\n", "gpt2", "line 1", JL_ERR_FORMAT},
        {NULL, NULL, "a b\n\n a\n", "gpt2", "line 3", JL_ERR_FORMAT},
        {NULL, NULL, "a b c\n", "gpt2", "line 1", JL_ERR_FORMAT},
        {"{\"bos_token\":\"<none>\"}", NULL, "", "gpt2", "<none>", JL_ERR_FORMAT},
        {"{\"added_tokens_decoder\":{\"-1\":{\"content\":\"x\"}}}", NULL, "", "gpt2", "'-1'",
         JL_ERR_FORMAT},
        {"{\"added_tokens_decoder\":{\"600\":{\"content\":\"<y>\"}}}", "{\"<y>\":601}", "", "gpt2",
         "'<y>' is token 601", JL_ERR_FORMAT},
        {NULL, "{\"<y>\":\"z\"}", "", "gpt2", "'<y>'", JL_ERR_FORMAT},
    };
    for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer_files bad = {.vocab = vocab, .vocab_len = strlen(vocab)};
        bad.config = rows[i].config;
        bad.config_len = bad.config ? strlen(bad.config) : 0;
        bad.added = rows[i].added;
        bad.added_len = bad.added ? strlen(bad.added) : 0;
        bad.merges = rows[i].merges;
        bad.merges_len = strlen(bad.merges);
        bad.model_type = rows[i].model_type;
        enum jl_status status = tokenizer_from_files(&bad, &t, &err);
        if (status != rows[i].status || (rows[i].says && !strstr(err.message, rows[i].says)))
            fail_msg("row %zu: status %d: %s", i, (int)status, err.message);
        tokenizer_free(t);
    }
    free(vocab);
}

/* ---- rank files ---- */

static char *rank_text(const struct vocabulary *v, struct byte_buffer tokens[MAX_TOKENS]) {
    char *text = malloc(100000);
    size_t len = 0;
    int n = (int)json_object_size(v->vocab);
    for (int id = 0; id < n; id++) {
        char base64[200];
        bool known;
        assert_true(byte_alphabet_read(v->tokens[id].text, v->tokens[id].len, &tokens[id], &known));
        assert_true(known);
        fixture_put_base64(tokens[id].data, tokens[id].len, base64);
        len += (size_t)snprintf(text + len, 100000 - len, "%s %d\n", base64, id);
    }
    return text;
}

/* The rule as it is written: the two neighbours that together are the token of lowest rank. */
static size_t encode_plainly(const struct byte_buffer *tokens, int n_token, const char *word,
                             size_t len, int32_t *ids) {
    size_t cut[64], n = len;
    for (size_t i = 0; i <= len; i++)
        cut[i] = i;
    for (int id = 0; id < n_token; id++) {
        if (tokens[id].len == len && memcmp(tokens[id].data, word, len) == 0) {
            ids[0] = id;
            return 1;
        }
    }
    for (;;) {
        int best = n_token;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            for (int id = 0; id < best; id++) {
                if (tokens[id].len != cut[i + 2] - cut[i] ||
                    memcmp(tokens[id].data, word + cut[i], tokens[id].len) != 0)
                    continue;
                best = id;
                at = i;
            }
        }
        if (best == n_token) break;
        memmove(cut + at + 1, cut + at + 2, (n - at - 1) * sizeof *cut);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        for (int id = 0; id < n_token; id++) {
            if (tokens[id].len == cut[i + 1] - cut[i] &&
                memcmp(tokens[id].data, word + cut[i], tokens[id].len) == 0)
                ids[i] = id;
        }
    }
    return n;
}

static void test_ranks(void **state) {
    const struct vocabulary *v = *state;
    struct byte_buffer tokens[MAX_TOKENS] = {0};
    int n_token = (int)json_object_size(v->vocab);
    char *text = rank_text(v, tokens);
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_ranks(text, strlen(text), "gpt-2", &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_vocab_size(t), n_token); // no special tokens of a larger file
    uint64_t random = 7;
    for (int round = 0; round < 1500; round++) {
        char word[64];
        int32_t *got, want[64];
        size_t len = 1 + fixture_random(&random) % 60;
        for (size_t i = 0; i < len; i++)
            word[i] = "theoansrdl"[fixture_random(&random) % 10];
        size_t n = fixture_encode(t, word, len, 0, &got);
        size_t m = encode_plainly(tokens, n_token, word, len, want);
        if (n != m || memcmp(got, want, n * sizeof *got) != 0) fail_msg("'%.*s'", (int)len, word);
        free(got);
    }
    tokenizer_free(t);
    for (int i = 0; i < MAX_TOKENS; i++)
        buffer_free(&tokens[i]);
    free(text);
}

static void test_bad_ranks(void **state) {
    (void)state;
    static const struct {
        const char *text, *pre, *says;
        enum jl_status status;
    } rows[] = {
        {"IQ== 0\n", "qwen9", "'qwen9'", JL_ERR_UNSUPPORTED},
        {"", "qwen2", "no ranks", JL_ERR_FORMAT},
        {"IQ== 0\n", "qwen2", "single bytes", JL_ERR_FORMAT},
        {"IQ==\n", "qwen2", "line 1", JL_ERR_FORMAT},
        {"\nIQ== x\n", "qwen2", "line 2", JL_ERR_FORMAT},
        {"IQ== -1\n", "qwen2", "line 1", JL_ERR_FORMAT},
        {"IQ== 99999999999999999999\n", "qwen2", "line 1", JL_ERR_FORMAT},
        {"IQ== 2097152\n", "qwen2", "line 1", JL_ERR_FORMAT},
        {"IQ= 0\n", "qwen2", "not base64", JL_ERR_FORMAT},
        {"I*== 0\n", "qwen2", "not base64", JL_ERR_FORMAT},
        {"IR== 0\n", "qwen2", "not base64", JL_ERR_FORMAT},
        {"IQ== 0\nIg== 0\n", "qwen2", "line 2", JL_ERR_FORMAT},
        {"IQ== 0\nIQ== 1\n", "qwen2", "line 2", JL_ERR_FORMAT},
        {" 0\n", "qwen2", "line 1", JL_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer *t;
        struct jl_error err = {0};
        enum jl_status status =
            tokenizer_from_ranks(rows[i].text, strlen(rows[i].text), rows[i].pre, &t, &err);
        if (status != rows[i].status || !strstr(err.message, rows[i].says))
            fail_msg("row %zu: status %d: %s", i, (int)status, err.message);
        assert_null(t);
    }
}

/* ---- odd vocabularies ---- */

static void test_odd_gguf(void **state) {
    struct vocabulary v = *(struct vocabulary *)*state;
    int n = v.spec.n_token;
    v.tokens[n++] = (struct token_entry){"[PAD509]", 8, 0, TOKEN_UNUSED};
    v.tokens[n++] = v.tokens['t']; // a text twice: the first is meant
    v.tokens[n++] = (struct token_entry){"<s>", 3, 0, TOKEN_CONTROL}; // likewise
    v.tokens[n++] = (struct token_entry){"", 0, 0, TOKEN_NORMAL};
    v.tokens[n++] = (struct token_entry){"\xE9\x87\x91", 3, 0, TOKEN_NORMAL}; // no such letter
    struct tokenizer *plain = from_spec(&v.spec);
    v.spec.tokens = v.tokens;
    v.spec.n_token = n;
    struct tokenizer *t = from_spec(&v.spec);
    check_same(plain, t, ENCODE_SPECIAL);
    const int32_t ids[] = {n - 1};
    size_t len;
    char *text = fixture_decode(t, ids, 1, &len);
    assert_string_equal(text, "\xE9\x87\x91");
    free(text);
    tokenizer_free(plain);
    tokenizer_free(t);
}

static void test_bad_gguf(void **state) {
    const struct vocabulary *v = *state;
    static const struct bpe_merge_text texts[] = {{"a", 1},      {"", 0},   {"a ", 2},
                                                  {"a zzzz", 6}, {" a", 2}, {"\xFF \xFF", 3}};
    struct tokenizer *t;
    struct jl_error err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct bpe_spec spec = v->spec;
        spec.merges = &texts[i];
        spec.n_merge = 1;
        assert_int_equal(tokenizer_from_bpe(&spec, &t, &err), JL_ERR_FORMAT);
        assert_non_null(strstr(err.message, "merge 0"));
        assert_null(t);
    }
    struct bpe_spec spec = v->spec;
    spec.pre = "default-x";
    spec.pre_len = 9;
    assert_int_equal(tokenizer_from_bpe(&spec, &t, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'default-x'"));
    spec = v->spec;
    spec.add_bos = true;
    assert_int_equal(tokenizer_from_bpe(&spec, &t, &err), JL_ERR_FORMAT);
    spec.bos = spec.n_token;
    assert_int_equal(tokenizer_from_bpe(&spec, &t, &err), JL_ERR_FORMAT);
    spec = v->spec;
    spec.n_token = 0;
    assert_int_equal(tokenizer_from_bpe(&spec, &t, &err), JL_ERR_LIMIT);
}

/* ---- every pre-tokenizer ---- */

static void check_long(const struct tokenizer *t, const char *pre, char byte, char last) {
    size_t n = 100000, len;
    char *text = malloc(n + 1);
    int32_t *ids;
    memset(text, byte, n);
    text[n] = last;
    size_t n_ids = fixture_encode(t, text, n + 1, 0, &ids);
    char *back = fixture_decode(t, ids, n_ids, &len);
    if (len != n + 1 || memcmp(back, text, len) != 0) fail_msg("%s: %c", pre, byte);
    free(back);
    free(ids);
    free(text);
}

/* Each name splits, gives every text back, and takes no text's length squared. */
static void test_pre_names(void **state) {
    const struct vocabulary *v = *state;
    static const char text[] = "It's 12345 \xE9\x87\x91\xE9\xB3\x9E, don'T\r\n\n  caf\xC3\xA9!? "
                               "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 \xEA\xB0\x80 x ";
    int count = 0;
    for (int row = 0; tokenizer_pre_names(row); row++) {
        const char *at = tokenizer_pre_names(row);
        for (size_t n; *at; at += n, at += *at == ' ', count++) {
            n = strcspn(at, " ");
            struct bpe_spec spec = v->spec;
            spec.pre = at;
            spec.pre_len = n;
            struct tokenizer *t = from_spec(&spec);
            int32_t *ids;
            size_t len, n_ids = fixture_encode(t, text, sizeof text - 1, 0, &ids);
            char *back = fixture_decode(t, ids, n_ids, &len);
            assert_string_equal(back, text);
            free(back);
            free(ids);
            static const char worst[][2] = {{'a', 'a'}, {' ', ' '},  {' ', 'x'},  {'1', '1'},
                                            {'A', 'A'}, {'\n', 'x'}, {'\'', '\''}};
            for (size_t i = 0; at == tokenizer_pre_names(row) && i < 7; i++)
                check_long(t, at, worst[i][0], worst[i][1]);
            tokenizer_free(t);
        }
    }
    assert_true(count > 60);
}

/* ---- bytes that are no text ---- */

static void test_any_bytes(void **state) {
    const struct vocabulary *v = *state;
    struct tokenizer *t = from_spec(&v->spec);
    uint64_t random = 3;
    for (int round = 0; round < 300; round++) {
        char bytes[300];
        struct token_stream stream;
        struct jl_error err;
        char *text = NULL;
        size_t len = 0, cap = 0, n = 1 + fixture_random(&random) % 300;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(fixture_random(&random) % (round % 2 ? 256 : 140));
        int32_t *ids;
        size_t n_ids = fixture_encode(t, bytes, n, 0, &ids);
        token_stream_init(&stream, t, true);
        stream.raw = true;
        for (size_t i = 0; i < n_ids; i++)
            assert_int_equal(token_stream_push(&stream, ids[i], &text, &len, &cap, &err), JL_OK);
        assert_int_equal(token_stream_end(&stream, &text, &len, &cap, &err), JL_OK);
        assert_int_equal(len, n);
        assert_memory_equal(text, bytes, n);
        free(text);
        free(ids);
    }
    tokenizer_free(t);
}

/* ---- whose words ---- */

/* One place for each mark; `moved`: a normaliser may have hidden its bytes. */
static void check_places(const struct tokenizer *t, const char *text, const struct token_ids *ids,
                         const struct token_places *places, bool moved) {
    size_t n = 0;
    for (size_t i = 0; i < ids->len; i++) {
        if (!tokenizer_is_mark(t, ids->data[i])) continue;
        assert_true(n < places->len);
        const struct token_place *place = &places->data[n++];
        size_t len = place->bytes.stop - place->bytes.start;
        assert_int_equal(place->at, i);
        if (len || !moved)
            assert_int_equal(tokenizer_find_added(t, text + place->bytes.start, len), ids->data[i]);
    }
    assert_int_equal(n, places->len);
}

static void check_marked(const struct tokenizer *t, const char *text, size_t start, size_t stop,
                         const char *same_pieces, bool moved) {
    const struct text_span span = {start, stop};
    const struct tokenizer_text marked = {text, strlen(text), &span, 1};
    struct token_ids ids;
    struct token_places places;
    struct jl_error err;
    char got[400] = "";
    if (tokenizer_encode_marked(t, &marked, ENCODE_SPECIAL, &ids, &places, &err) != JL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0, len = 0; i < ids.len; i++) // special tokens in brackets
        if (ids.data[i] >= 506)
            len += (size_t)snprintf(got + len, sizeof got - len, "[%d]", ids.data[i]);
    assert_string_equal(got, same_pieces);
    check_places(t, text, &ids, &places, moved);
    free(places.data);
    free(ids.data);
}

static void check_spans(const struct tokenizer *t, bool moved) {
    static const char text[] = "<s>hi <s> you</s> <tool>";
    check_marked(t, text, 0, 0, "[506][506][507][508]", moved);
    check_marked(t, text, 24, 24, "[506][506][507][508]", moved);
    check_marked(t, text, 3, 13, "[506][507][508]", moved);
    check_marked(t, text, 3, 7, "[506][507][508]", moved); // its first byte is a user's
    check_marked(t, text, 8, 9, "[506][507][508]", moved); // its last one
    check_marked(t, text, 9, 13, "[506][506][507][508]", moved);
    check_marked(t, text, 8, 8, "[506][506][507][508]", moved); // no byte at all
    check_marked(t, text, 0, 24, "[508]", moved);               // not special: everywhere
    check_marked(t, text, 16, 20, "[506][506][508]", moved);
}

static void test_marked(void **state) {
    const struct vocabulary *v = *state;
    struct tokenizer *t = from_spec(&v->spec);
    check_spans(t, false);
    // The text is encoded as one: spans change nothing else.
    static const char text[] = "the golden scale";
    const struct text_span spans[] = {{2, 3}, {3, 3}, {5, 11}};
    const struct tokenizer_text marked = {text, sizeof text - 1, spans, 3};
    struct token_ids ids;
    struct jl_error err;
    int32_t *plain;
    size_t n = fixture_encode(t, text, sizeof text - 1, 0, &plain);
    assert_int_equal(tokenizer_encode_marked(t, &marked, ENCODE_SPECIAL, &ids, NULL, &err), JL_OK);
    assert_int_equal(ids.len, n);
    assert_memory_equal(ids.data, plain, n * sizeof *plain);
    free(ids.data);
    free(plain);
    static const struct text_span bad[][2] = {
        {{0, 17}, {17, 17}}, {{3, 2}, {4, 5}}, {{0, 5}, {4, 6}}, {{4, 6}, {0, 2}}};
    for (size_t i = 0; i < 4; i++) {
        const struct tokenizer_text wrong = {text, sizeof text - 1, bad[i], 2};
        assert_int_equal(tokenizer_encode_marked(t, &wrong, 0, &ids, NULL, &err), JL_ERR_USAGE);
        assert_null(ids.data);
    }
    tokenizer_free(t);
}

/* Special tokens that are looked for in the normalised text obey the spans too. */
static void test_marked_normalized(void **state) {
    const struct vocabulary *v = *state;
    static const char *const normalizers[] = {"null", "{\"type\":\"NFC\"}"};
    for (int i = 0; i < 2; i++) {
        json_error_t error;
        json_t *root = json_deep_copy(v->root), *added = json_object_get(root, "added_tokens");
        while (json_array_size(added) > 3)
            json_array_remove(added, 3);
        json_object_set_new(json_array_get(added, 0), "normalized", json_true());
        json_object_set_new(json_array_get(added, 1), "normalized", json_true());
        json_object_set_new(root, "normalizer",
                            json_loads(normalizers[i], JSON_DECODE_ANY, &error));
        char *json = json_dumps(root, JSON_COMPACT);
        struct tokenizer *t = fixture_from_json(json);
        check_spans(t, i > 0);
        tokenizer_free(t);
        free(json);
        json_decref(root);
    }
}

static void test_control_text(void **state) {
    const struct vocabulary *v = *state;
    struct tokenizer *t = from_spec(&v->spec);
    for (int show = 0; show < 2; show++) {
        struct token_stream stream;
        struct jl_error err;
        char *text = NULL;
        size_t len = 0, cap = 0;
        static const int32_t ids[] = {506, 'a', 508, 507};
        token_stream_init(&stream, t, true);
        stream.show_control = show;
        for (int i = 0; i < 4; i++)
            assert_int_equal(token_stream_push(&stream, ids[i], &text, &len, &cap, &err), JL_OK);
        assert_non_null(strstr(text, "<tool>"));
        assert_int_equal(strstr(text, "<s>") != NULL, show);
        assert_int_equal(strstr(text, "</s>") != NULL, show);
        free(text);
    }
    assert_int_equal(tokenizer_find_added(t, "</s>", 4), 507);
    assert_int_equal(tokenizer_find_added(t, "</x>", 4), TOKEN_NONE);
    tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf_is_json), cmocka_unit_test(test_files),
        cmocka_unit_test(test_ranks),        cmocka_unit_test(test_bad_ranks),
        cmocka_unit_test(test_odd_gguf),     cmocka_unit_test(test_bad_gguf),
        cmocka_unit_test(test_pre_names),    cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_marked),       cmocka_unit_test(test_marked_normalized),
        cmocka_unit_test(test_control_text),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
