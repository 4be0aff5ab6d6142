/* tokenizer.json: the same ids as the scores give, each component's rules, and files that must be
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "fixture.h"

#define MARK "\xE2\x96\x81"
#define SPLIT(pattern, rest) "{\"type\":\"Split\",\"pattern\":" pattern rest "}"
#define ISOLATED ",\"behavior\":\"Isolated\""
#define METASPACE(rest) "{\"type\":\"Metaspace\",\"replacement\":\"" MARK "\"" rest "}"

static struct tokenizer *from_parts(const struct fixture_json *parts) {
    struct fixture f;
    fixture_init(&f);
    char *json = fixture_json_text(&f, parts);
    struct tokenizer *t = fixture_from_json(json);
    free(json);
    return t;
}

/* ---- equal to the scores ---- */

static void check_equal(const struct tokenizer *a, const struct tokenizer *b, int flags) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        char text[600];
        int32_t *x, *y;
        size_t len = fixture_random_text(&random, text, 1 + fixture_random(&random) % 600);
        if (seed % 4 == 0) memcpy(text, "<s>", len < 3 ? len : 3);
        size_t n = fixture_encode(a, text, len, flags, &x);
        size_t m = fixture_encode(b, text, len, flags, &y);
        if (n != m || memcmp(x, y, n * sizeof *x) != 0)
            fail_msg("seed %llu differs", (unsigned long long)seed);
        free(x);
        free(y);
    }
}

static void test_same_as_scores(void **state) {
    (void)state;
    struct tokenizer *spm = fixture_spm(), *strings = from_parts(NULL);
    struct tokenizer *pairs = from_parts(&(struct fixture_json){.pairs = true});
    check_equal(spm, strings, 0);
    check_equal(spm, strings, ENCODE_SPECIAL | ENCODE_ADD_BOS);
    check_equal(spm, pairs, ENCODE_SPECIAL);
    assert_int_equal(tokenizer_vocab_size(strings), FIXTURE_N);
    assert_int_equal(tokenizer_bos(strings), FIXTURE_BOS);
    assert_int_equal(tokenizer_eos(strings), TOKEN_NONE);
    assert_true(tokenizer_is_control(strings, FIXTURE_END));
    tokenizer_free(spm);
    tokenizer_free(strings);
    tokenizer_free(pairs);
}

/* ---- components ---- */

static void test_metaspace(void **state) {
    (void)state;
    static const struct {
        const char *pre_tokenizer, *text;
        const char *same_as; // under the Replace normaliser alone: the marks are spelled out
    } rows[] = {
        {METASPACE(""), "a an", MARK "a" MARK "an"},
        {METASPACE(""), " a", MARK "a"},
        {METASPACE(""), MARK "a", MARK "a"},
        {METASPACE(""), "a<s>an", MARK "a<s>" MARK "an"},
        {METASPACE(",\"prepend_scheme\":\"first\",\"split\":false"), "a<s>an", MARK "a<s>an"},
        {METASPACE(",\"prepend_scheme\":\"first\",\"split\":false"), "<s>an", "<s>an"},
        {METASPACE(",\"prepend_scheme\":\"first\",\"split\":false"), "  an", MARK MARK "an"},
        {METASPACE(",\"prepend_scheme\":\"never\",\"split\":false"), "a an", "a" MARK "an"},
        {METASPACE(",\"add_prefix_space\":false,\"split\":false"), "a an", "a" MARK "an"},
        {METASPACE(",\"add_prefix_space\":true,\"str_rep\":\"_\",\"split\":false"), "a", MARK "a"},
    };
    struct tokenizer *plain = from_parts(&(struct fixture_json){.normalizer = "null"});
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer *t = from_parts(
            &(struct fixture_json){.normalizer = "null", .pre_tokenizer = rows[i].pre_tokenizer});
        int32_t *a, *b;
        size_t n = fixture_encode(t, rows[i].text, strlen(rows[i].text), ENCODE_SPECIAL, &a);
        size_t m =
            fixture_encode(plain, rows[i].same_as, strlen(rows[i].same_as), ENCODE_SPECIAL, &b);
        if (n != m || memcmp(a, b, n * sizeof *a) != 0) fail_msg("row %zu differs", i);
        free(a);
        free(b);
        tokenizer_free(t);
    }
    tokenizer_free(plain);
}

/* A split word never merges over its mark; unsplit, two marks are one token. */
static void test_metaspace_split(void **state) {
    (void)state;
    struct fixture_json parts = {.normalizer = "null", .pre_tokenizer = METASPACE("")};
    struct tokenizer *t = from_parts(&parts);
    int32_t *ids;
    size_t n = fixture_encode(t, "    a", 5, 0, &ids);
    assert_int_equal(n, 5);
    free(ids);
    tokenizer_free(t);
    parts.pre_tokenizer =
        "{\"type\":\"Sequence\",\"pretokenizers\":[" METASPACE(",\"split\":false") "]}";
    t = from_parts(&parts);
    n = fixture_encode(t, "    a", 5, 0, &ids);
    assert_int_equal(n, 2);
    free(ids);
    tokenizer_free(t);
}

static void check_decoded(const struct tokenizer *t, const char *text, const char *want) {
    int32_t *ids;
    size_t len, n = fixture_encode(t, text, strlen(text), 0, &ids);
    char *back = fixture_decode(t, ids, n, &len);
    assert_string_equal(back, want);
    free(back);
    free(ids);
}

static void test_decoders(void **state) {
    (void)state;
    struct fixture_json parts = {.normalizer = "null",
                                 .pre_tokenizer = METASPACE(",\"split\":false"),
                                 .decoder = METASPACE("")};
    struct tokenizer *t = from_parts(&parts);
    check_decoded(t, "the golden", "the golden");
    check_decoded(t, "  the", "the"); // all marks of the first token go
    check_decoded(t, "q", "<0x71>");  // without ByteFallback
    tokenizer_free(t);
    parts.decoder = "{\"type\":\"Sequence\",\"decoders\":[" METASPACE(
        ",\"prepend_scheme\":\"never\"") ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}]}";
    t = from_parts(&parts);
    check_decoded(t, "the q\xC3\xB1", " the q\xC3\xB1");
    tokenizer_free(t);
}

static void test_template(void **state) {
    (void)state;
    struct tokenizer *t = from_parts(&(struct fixture_json){
        .post_processor =
            "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"B\"}},"
            "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"E\"}}],\"pair\":null,"
            "\"special_tokens\":{\"B\":{\"ids\":[1,319]},\"E\":{\"ids\":[2]}}}"});
    fixture_check(t, "", ENCODE_ADD_BOS, "1 319 2");
    fixture_check(t, "", 0, "");
    assert_int_equal(tokenizer_eos(t), 2);
    tokenizer_free(t);
    t = from_parts(&(struct fixture_json){.post_processor = "null"});
    fixture_check(t, "", ENCODE_ADD_BOS, "");
    assert_int_equal(tokenizer_bos(t), TOKEN_NONE);
    tokenizer_free(t);
}

/* ---- changes to a good file ---- */

/* The value at a dotted path becomes `value`; NULL takes the key away. */
static char *change(const char *path, const char *value) {
    struct fixture f;
    fixture_init(&f);
    char *json = fixture_json_text(&f, NULL), key[100];
    json_t *root = json_loads(json, 0, NULL), *at = root;
    free(json);
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        at = json_is_array(at) ? json_array_get(at, (size_t)atoi(key)) : json_object_get(at, key);
        assert_non_null(at);
    }
    json_t *new = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    if (value && !new) fail_msg("%s", value);
    if (json_is_array(at))
        json_array_set_new(at, (size_t)atoi(path), new);
    else if (new)
        json_object_set_new(at, path, new);
    else
        json_object_del(at, path);
    json = json_dumps(root, 0);
    json_decref(root);
    return json;
}

#define ADDED(more) "[{\"id\":318,\"content\":\"<tool>\",\"special\":false" more "}]"

static void check_added(const char *added, const char *text, int flags, const char *want) {
    char *json = change("added_tokens", added);
    struct tokenizer *t = fixture_from_json(json);
    fixture_check(t, text, flags, want);
    tokenizer_free(t);
    free(json);
}

static void test_added(void **state) {
    (void)state;
    // "a" is 289, the mark 288, two marks 259, "<" 316, ">" 317.
    check_added(ADDED(",\"normalized\":false"), "a <tool> a", 0, "288 289 288 318 259 289");
    check_added(ADDED(",\"normalized\":false,\"lstrip\":true"), "a \n<tool> a", 0,
                "288 289 318 259 289");
    check_added(ADDED(",\"normalized\":false,\"rstrip\":true"),
                "a<tool> \xE3\x80\x80"
                "a",
                0, "288 289 318 288 289");
    check_added(ADDED(",\"normalized\":false,\"lstrip\":true,\"rstrip\":true"), "<tool> <tool> ", 0,
                "318 318");
    const char *word = ADDED(",\"normalized\":false,\"single_word\":true");
    check_added(word, "<tool>", 0, "318");
    check_added(word, "-<tool>,", 0, "288 48 318 288 308");
    check_added(word, "a<tool>", 0, "288 289 316 303 300 274 317");
}

static void test_added_order(void **state) {
    (void)state;
    // The longest at the leftmost place; what is not special is found without the flag too.
    const char *added = "[{\"id\":318,\"content\":\"<t\",\"normalized\":false},"
                        "{\"id\":319,\"content\":\"<tt>\",\"normalized\":false,\"special\":true},"
                        "{\"id\":400,\"content\":\"t>\",\"normalized\":false}]";
    check_added(added, "<tt>", ENCODE_SPECIAL, "319");
    check_added(added, "<tt>", 0, "318 400");
    check_added(added, "<t>", ENCODE_SPECIAL, "318 288 317");
    // Normalised tokens are looked for in the normalised text, where this one has a mark in front.
    added = "[{\"id\":318,\"content\":\"<t d>\",\"normalized\":true}]";
    check_added(added, "<t d>a", 0, "318 289");
    check_added(added, "a <t d>a", 0, "288 289 318 289");
    check_added(added, "a<t d>", 0, "288 289 316 303 288 292 317");
}

static void test_holes(void **state) {
    (void)state;
    char *json = change("added_tokens", "[{\"id\":400,\"content\":\"<far>\",\"special\":true}]");
    struct tokenizer *t = fixture_from_json(json);
    struct token_stream stream;
    struct jl_error err = {0};
    char *text = NULL;
    size_t len = 0, cap = 0;
    assert_int_equal(tokenizer_vocab_size(t), 401);
    token_stream_init(&stream, t, true);
    static const int32_t bad[] = {-1, 318, 399, 401, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(token_stream_push(&stream, bad[i], &text, &len, &cap, &err), JL_ERR_USAGE);
        assert_int_equal(len, 0);
    }
    assert_int_equal(token_stream_push(&stream, 400, &text, &len, &cap, &err), JL_OK);
    assert_int_equal(len, 0);
    free(text);
    tokenizer_free(t);
    free(json);
}

static void test_ignore_merges(void **state) {
    (void)state;
    char *json = change("model.ignore_merges", "true");
    struct tokenizer *t = fixture_from_json(json);
    int32_t *ids;
    size_t n = fixture_encode(t, "golden", 6, 0, &ids); // with its mark it is a token
    assert_int_equal(n, 1);
    free(ids);
    tokenizer_free(t);
    free(json);
}

/* The decoder's Strip at the end of the whole text waits for what follows, and gives it back. */
static void test_strip_end(void **state) {
    (void)state;
    struct fixture f;
    fixture_init(&f);
    static const char decoder[] =
        "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":"
        "\"" MARK "\"},\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},"
        "{\"type\":\"Strip\",\"content\":\"n\",\"start\":1,\"stop\":2}]}";
    char *json =
        fixture_json_text(&f, &(struct fixture_json){.normalizer = "null", .decoder = decoder});
    struct tokenizer *t = fixture_from_json(json);
    static const struct {
        const char *text, *want;
    } rows[] = {{"nan", "a"},  {"nnann", "na"}, {"nnannn", "nan"}, {"annanna", "annanna"},
                {"n", ""},     {"nn", ""},      {"", ""},          {"annt", "annt"},
                {"nnnn", "n"}, {"a nn", "a "}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int32_t *ids;
        size_t len, n = fixture_encode(t, rows[i].text, strlen(rows[i].text), 0, &ids);
        char *text = fixture_decode(t, ids, n, &len);
        assert_string_equal(text ? text : "", rows[i].want);
        free(text);
        free(ids);
    }
    tokenizer_free(t);
    free(json);
}

/* A word's end is a space, but at the text's end; a space that a token has itself stays there. The
 * texts are those of Hugging Face. */
static void test_word_ends(void **state) {
    (void)state;
    static const char json[] =
        "{\"version\":\"1.0\",\"added_tokens\":"
        "[{\"id\":3,\"content\":\"#</w>\",\"normalized\":false}],"
        "\"decoder\":{\"type\":\"BPEDecoder\",\"suffix\":\"</w>\"},\"model\":{\"type\":\"BPE\","
        "\"vocab\":{\"a\":0,\"b</w>\":1,\"c \":2},\"merges\":[]}}";
    struct tokenizer *t = fixture_from_json(json);
    static const struct {
        int32_t ids[2];
        const char *want;
    } rows[] = {{{0, 1}, "ab"},   {{1, 0}, "b a"},  {{1, 1}, "b b"}, {{0, 2}, "ac "},
                {{2, 2}, "c c "}, {{1, 2}, "b c "}, {{0, 3}, "a#"},  {{3, 3}, "# #"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len;
        char *text = fixture_decode(t, rows[i].ids, 2, &len);
        assert_string_equal(text, rows[i].want);
        free(text);
    }
    tokenizer_free(t);
}

/* A pattern that takes the square of a text's length gets no further than a text may. */
static void test_hostile_patterns(void **state) {
    (void)state;
#define HOSTILE "{\"Regex\":\"(?:(?!\\\\p{Han})\\\\p{L})*x\"}"
    static const struct fixture_json parts[] = {
        {.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":" HOSTILE
                          ",\"behavior\":\"Isolated\",\"invert\":false}"},
        {.normalizer = "{\"type\":\"Replace\",\"pattern\":" HOSTILE ",\"content\":\"\"}"},
    };
    struct fixture f;
    fixture_init(&f);
    size_t len = (size_t)1 << 20, n;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'a', len);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char *json = fixture_json_text(&f, &parts[i]);
        struct tokenizer *t = fixture_from_json(json);
        struct jl_error err;
        int32_t *ids;
        assert_int_equal(tokenizer_encode(t, text, len, 0, &ids, &n, &err), JL_ERR_LIMIT);
        assert_null(ids);
        assert_non_null(strstr(err.message, "too many steps"));
        assert_int_equal(tokenizer_encode(t, text, 1000, 0, &ids, &n, &err), JL_OK);
        free(ids);
        tokenizer_free(t);
        free(json);
    }
    free(text);
}

/* ---- files that must be refused ---- */

static const struct {
    const char *path, *value;
    enum jl_status status;
    const char *says;
} refused[] = {
    {"version", "\"2.0\"", JL_ERR_UNSUPPORTED, "version"},
    {"truncation", "512", JL_ERR_FORMAT, "truncation"},
    {"padding", "true", JL_ERR_FORMAT, "padding"},
    {"surprise", "1", JL_ERR_UNSUPPORTED, "surprise"},
    {"model", NULL, JL_ERR_FORMAT, "model"},
    {"model", "[]", JL_ERR_FORMAT, "model"},
    {"model.type", "7", JL_ERR_FORMAT, "model.type"},
    {"model.type", "\"WordLevel\"", JL_ERR_UNSUPPORTED, "WordLevel"},
    {"model.dropout", "0.1", JL_ERR_UNSUPPORTED, "dropout"},
    {"model.dropout", "true", JL_ERR_UNSUPPORTED, "dropout"},
    {"model.continuing_subword_prefix", "\"##\"", JL_ERR_UNSUPPORTED, "byte_fallback with"},
    {"model.end_of_word_suffix", "\"</w>\"", JL_ERR_UNSUPPORTED, "byte_fallback with"},
    {"model.end_of_word_suffix", "7", JL_ERR_FORMAT, "end_of_word_suffix"},
    {"model.surprise", "1", JL_ERR_UNSUPPORTED, "surprise"},
    {"model.fuse_unk", "1", JL_ERR_FORMAT, "fuse_unk"},
    {"model.unk_token", "\"<none>\"", JL_ERR_FORMAT, "<none>"},
    {"model.unk_token", "7", JL_ERR_FORMAT, "unk_token"},
    {"model.vocab", NULL, JL_ERR_FORMAT, "model.vocab"},
    {"model.vocab", "[]", JL_ERR_FORMAT, "model.vocab"},
    {"model.vocab.a", "-1", JL_ERR_FORMAT, "'a'"},
    {"model.vocab.a", "9223372036854775807", JL_ERR_FORMAT, "'a'"},
    {"model.vocab.a", "2097152", JL_ERR_FORMAT, "'a'"},
    {"model.vocab.a", "1.5", JL_ERR_FORMAT, "'a'"},
    {"model.vocab.a", "\"1\"", JL_ERR_FORMAT, "'a'"},
    {"model.vocab.a", "290", JL_ERR_FORMAT, "both have id 290"},
    {"model.vocab.a", NULL, JL_ERR_FORMAT, "merges[1] joins 'a' and 'n'"},
    {"model.merges", NULL, JL_ERR_FORMAT, "merges"},
    {"model.merges", "{}", JL_ERR_FORMAT, "merges"},
    {"model.merges.1", "\"a\"", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "\"a b c\"", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "\" a\"", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "\"a \"", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "7", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "[\"a\"]", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "[\"a\",7]", JL_ERR_FORMAT, "merges[1]"},
    {"model.merges.1", "\"zz a\"", JL_ERR_FORMAT, "'zz' and 'a'"},
    {"model.merges.1", "[\"e\",\"u\"]", JL_ERR_FORMAT, "'e' and 'u'"},
    {"model.merges.2", "\"a n\"", JL_ERR_FORMAT, "same pair"},
    {"normalizer", "7", JL_ERR_FORMAT, "normalizer"},
    {"normalizer", "{\"type\":\"NFX\"}", JL_ERR_UNSUPPORTED, "NFX"},
    {"normalizer", "{\"type\":\"Sequence\"}", JL_ERR_FORMAT, "normalizers"},
    {"normalizer", "{\"type\":\"Sequence\",\"normalizers\":[7]}", JL_ERR_FORMAT, "normalizer"},
    {"normalizer.normalizers.0.more", "1", JL_ERR_UNSUPPORTED, "more"},
    {"normalizer.normalizers.0.prepend", "1", JL_ERR_FORMAT, "prepend"},
    {"normalizer.normalizers.1.pattern", "{\"Regex\":\"(\"}", JL_ERR_FORMAT, "lacks its ')'"},
    {"normalizer.normalizers.1.pattern", "{\"String\":\"\"}", JL_ERR_FORMAT, "empty"},
    {"normalizer.normalizers.1.pattern", "\" \"", JL_ERR_FORMAT, "normalizer"},
    {"pre_tokenizer", "{\"type\":\"ByteLevel\"}", JL_ERR_UNSUPPORTED, "ByteLevel"},
    {"pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", JL_ERR_UNSUPPORTED, "UnicodeScripts"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"x\"}", ""), JL_ERR_FORMAT, "behavior"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"x\"}", ",\"behavior\":\"Kept\""), JL_ERR_UNSUPPORTED,
     "Kept"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"\"}", ISOLATED), JL_ERR_UNSUPPORTED, "empty pattern"},
    {"pre_tokenizer", SPLIT("{}", ISOLATED), JL_ERR_FORMAT, "String or a Regex"},
    {"pre_tokenizer", SPLIT("\"x\"", ISOLATED), JL_ERR_FORMAT, "pattern"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"a(?=b\"}", ISOLATED), JL_ERR_FORMAT, "lacks its ')'"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"\\\\Ra\"}", ISOLATED), JL_ERR_UNSUPPORTED, "\\R"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"(a)\\\\1\"}", ISOLATED), JL_ERR_UNSUPPORTED, "\\1"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"[[:alpha:]]\"}", ISOLATED), JL_ERR_UNSUPPORTED, "POSIX"},
    {"pre_tokenizer", SPLIT("{\"Regex\":\"\\\\p{Klingon}\"}", ISOLATED), JL_ERR_UNSUPPORTED,
     "Klingon"},
    {"pre_tokenizer", "{\"type\":\"Digits\",\"more\":1}", JL_ERR_UNSUPPORTED, "more"},
    {"pre_tokenizer", "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}", JL_ERR_FORMAT,
     "one character"},
    {"pre_tokenizer", "{\"type\":\"FixedLength\",\"length\":0}", JL_ERR_FORMAT, "length"},
    {"pre_tokenizer", METASPACE(",\"prepend_scheme\":\"last\""), JL_ERR_UNSUPPORTED, "last"},
    {"pre_tokenizer", METASPACE(",\"prepend_scheme\":\"first\",\"add_prefix_space\":false"),
     JL_ERR_FORMAT, "add_prefix_space"},
    {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", JL_ERR_FORMAT,
     "one character"},
    {"pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"\"}", JL_ERR_FORMAT,
     "one character"},
    {"decoder", "{\"type\":\"ByteLevel\"}", JL_ERR_UNSUPPORTED, "ByteLevel"},
    {"decoder.decoders.3.start", "65", JL_ERR_FORMAT, "start"},
    {"decoder.decoders.3.stop", "-1", JL_ERR_FORMAT, "stop"},
    {"decoder.decoders.3.content", "\"xy\"", JL_ERR_FORMAT, "one character"},
    {"decoder.decoders.0", "{\"type\":\"Fuse\"}", JL_ERR_UNSUPPORTED, "ByteFallback"},
    {"post_processor", "{\"type\":\"PairProcessing\"}", JL_ERR_UNSUPPORTED, "PairProcessing"},
    {"post_processor", "{\"type\":\"BertProcessing\",\"cls\":[\"<s>\",1]}", JL_ERR_FORMAT, "sep"},
    {"post_processor", "{\"type\":\"BertProcessing\",\"cls\":[\"<s>\",1],\"sep\":[\"</s>\",999]}",
     JL_ERR_FORMAT, "</s>"},
    {"post_processor.single", "[]", JL_ERR_FORMAT, "sequence A"},
    {"post_processor.single", "[7]", JL_ERR_FORMAT, "single"},
    {"post_processor.single.1", "{\"Sequence\":{\"id\":\"B\"}}", JL_ERR_FORMAT, "sequence A"},
    {"post_processor.special_tokens", "{}", JL_ERR_FORMAT, "<s>"},
    {"post_processor.special_tokens.<s>.ids", "[320]", JL_ERR_FORMAT, "<s>"},
    {"post_processor.special_tokens.<s>.ids", "[1,1,1,1,1,1,1,1,1]", JL_ERR_LIMIT, "more than 8"},
    {"added_tokens", "7", JL_ERR_FORMAT, "added_tokens"},
    {"added_tokens.0", "7", JL_ERR_FORMAT, "added_tokens"},
    {"added_tokens.0.more", "7", JL_ERR_UNSUPPORTED, "more"},
    {"added_tokens.0.special", "7", JL_ERR_FORMAT, "special"},
    {"added_tokens.0.id", "4000000000", JL_ERR_FORMAT, "<unk>"},
    {"added_tokens.0.id", "5", JL_ERR_FORMAT, "'<unk>' has id 5"},
    {"added_tokens.3.id", "5", JL_ERR_FORMAT, "both have id 5"},
    {"added_tokens.3.content", "\"\"", JL_ERR_FORMAT, "empty"},
    {"added_tokens.3.content", "\"<|end|>\"", JL_ERR_FORMAT, "<|end|>"},
};

static void test_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char *json = change(refused[i].path, refused[i].value);
        struct tokenizer *t = (struct tokenizer *)json;
        struct jl_error err = {0};
        enum jl_status got = tokenizer_from_json(json, strlen(json), NULL, 0, &t, &err);
        if (got != refused[i].status || !strstr(err.message, refused[i].says))
            fail_msg("%s = %s: status %d: %s", refused[i].path,
                     refused[i].value ? refused[i].value : "(absent)", (int)got, err.message);
        assert_null(t);
        free(json);
    }
}

static void test_not_json(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "{", "[]", "7", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xFF\"}", "{} x"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tokenizer *t;
        struct jl_error err = {0};
        assert_int_equal(tokenizer_from_json(texts[i], strlen(texts[i]), NULL, 0, &t, &err),
                         JL_ERR_FORMAT);
        assert_non_null(strstr(err.message, "tokenizer.json"));
        assert_null(t);
    }
}

static void test_config(void **state) {
    (void)state;
    static const struct {
        const char *config, *ids; // of the empty text; NULL: refused
    } rows[] = {
        {"{}", "1"},
        {"{\"add_bos_token\":null}", "1"},
        {"{\"add_bos_token\":false}", ""},
        {"{\"bos_token\":\"<|end|>\"}", "1"},                            // the template stands
        {"{\"model_max_length\":1000000000000000019884624838656}", "1"}, // no int64, and common
        {"{\"bos_token\":\"<|end|>\",\"add_bos_token\":true}", "319"},
        {"{\"eos_token\":\"</s>\",\"add_eos_token\":true}", "1 2"},
        {"{\"add_eos_token\":true}", NULL},
        {"{\"add_bos_token\":1}", NULL},
        {"{\"bos_token\":\"<nowhere>\"}", NULL},
        {"{\"bos_token\":7}", NULL},
        {"[]", NULL},
        {"{", NULL},
        {"{\"added_tokens_decoder\":{\"318\":{\"content\":\"<tool>\"}}}", "1"},
        {"{\"added_tokens_decoder\":{\"318\":{\"content\":\"<other>\"}}}", NULL},
        {"{\"added_tokens_decoder\":{\"99999999999\":{\"content\":\"<tool>\"}}}", NULL},
        {"{\"added_tokens_decoder\":{\"\":{\"content\":\"<unk>\"}}}", NULL},
        {"{\"added_tokens_decoder\":{\"318\":7}}", NULL},
        {"{\"added_tokens_decoder\":[]}", NULL},
    };
    char *json = change("truncation", "null");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tokenizer *t;
        struct jl_error err = {0};
        enum jl_status status = tokenizer_from_json(json, strlen(json), rows[i].config,
                                                    strlen(rows[i].config), &t, &err);
        if ((status == JL_OK) != (rows[i].ids != NULL)) fail_msg("row %zu: %s", i, err.message);
        if (status != JL_OK) {
            assert_true(status == JL_ERR_FORMAT || status == JL_ERR_UNSUPPORTED);
            assert_non_null(strstr(err.message, "tokenizer_config.json"));
            continue;
        }
        fixture_check(t, "", ENCODE_ADD_BOS, rows[i].ids);
        tokenizer_free(t);
    }
    free(json);
}

/* Of what a tokenizer was made from, each part counts; the same parts give the same. */
static void test_identity(void **state) {
    (void)state;
    static const char *const configs[] = {NULL, "{}", "{\"add_bos_token\": true}"};
    struct fixture f;
    uint8_t seen[8][TOKENIZER_IDENTITY_BYTES];
    int n = 0;
    fixture_init(&f);
    char *json = fixture_json_text(&f, NULL);
    for (int i = 0; i < 6; i++) {
        struct tokenizer *t;
        struct jl_error err;
        const char *config = configs[i % 3];
        if (tokenizer_from_json(json, strlen(json), config, config ? strlen(config) : 0, &t,
                                &err) != JL_OK)
            fail_msg("%s", err.message);
        tokenizer_identity(t, seen[n++]);
        tokenizer_free(t);
    }
    for (int i = 0; i < 2; i++) { // the same vocabulary as scores, then with one of them changed
        struct tokenizer *t;
        f.tokens[FIXTURE_PIECE0].score -= (float)i;
        assert_int_equal(tokenizer_from_spm(&f.spec, &t, NULL), JL_OK);
        tokenizer_identity(t, seen[n++]);
        tokenizer_free(t);
    }
    for (int a = 0; a < n; a++)
        for (int b = 0; b < a; b++)
            assert_int_equal(!memcmp(seen[a], seen[b], sizeof seen[a]), a < 6 && a == b + 3);
    free(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_scores),  cmocka_unit_test(test_metaspace),
        cmocka_unit_test(test_metaspace_split), cmocka_unit_test(test_decoders),
        cmocka_unit_test(test_template),        cmocka_unit_test(test_added),
        cmocka_unit_test(test_added_order),     cmocka_unit_test(test_holes),
        cmocka_unit_test(test_ignore_merges),   cmocka_unit_test(test_strip_end),
        cmocka_unit_test(test_word_ends),       cmocka_unit_test(test_hostile_patterns),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_not_json),
        cmocka_unit_test(test_config),          cmocka_unit_test(test_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
