/* What the rules promise of a trained tokenizer: Han characters, digits and line ends alone, white
 * space apart, every text back to its bytes, and the same from a GGUF file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"
#include "text/tokenizer/pre_extra.h"
#include "text/utf8.h"
#include "trainer.h"

/* Characters from `first` on, the first the most often: 2n + 2, 2n, ... times, all after `before`.
 */
static size_t han_text(char *out, uint32_t first, int n, const char *before) {
    size_t len = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 2 * (n - i); k++) {
            size_t n_before = strlen(before);
            memcpy(out + len, before, n_before);
            len += n_before;
            len += (size_t)utf8_encode(first + (uint32_t)i, out + len);
        }
    return len;
}

static int32_t single_id(const struct tokenizer *t, const char *text, size_t len) {
    int32_t *ids;
    size_t n = fixture_encode(t, text, len, 0, &ids);
    int32_t id = n == 1 ? ids[0] : TOKEN_NONE;
    free(ids);
    return id;
}

/* Between any neighbours the character is its one token. */
static void stays_alone(const struct tokenizer *t, const char *han, size_t len, int32_t id) {
    static const char *const around[] = {
        "a", " ", "\n", "  ", "7", "(", "\xE3\x80\x82", "\xE9\x87\x91", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        for (size_t k = 0; k < sizeof around / sizeof around[0]; k++) {
            char text[32];
            int32_t *ids, *before, *behind;
            int n_text =
                snprintf(text, sizeof text, "%s%.*s%s", around[i], (int)len, han, around[k]);
            size_t n = fixture_encode(t, text, (size_t)n_text, 0, &ids);
            size_t n_before = fixture_encode(t, around[i], strlen(around[i]), 0, &before);
            size_t n_behind = fixture_encode(t, around[k], strlen(around[k]), 0, &behind);
            // Two spaces before a character are cut in two: one belongs to the word.
            if (strcmp(around[i], "  ") != 0) {
                assert_int_equal(n, n_before + 1 + n_behind);
                assert_int_equal(ids[n_before], id);
            }
            assert_int_equal(ids[n - n_behind - 1], id);
            free(ids);
            free(before);
            free(behind);
        }
}

static void test_han(void **unused) {
    (void)unused;
    // Unified, the first of two planes, radicals, compatibility; with letters, spaces, marks
    // before.
    static const struct {
        uint32_t first;
        const char *before;
    } kinds[] = {{0x4E00, ""},
                 {0x4FF0, " "},
                 {0x20000, ""},
                 {0x2F00, "a"},
                 {0xF900, "("},
                 {0x3400, "\n"},
                 {0x9FE0, "\xE3\x80\x82"},
                 {0x30000, "  "}};
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        for (int pattern = 0; bpe_train_pattern(pattern); pattern++) {
            static char text[40000];
            enum { N = 30 };
            struct bpe_train_options options;
            bpe_train_defaults(&options);
            options.rules.pattern = bpe_train_pattern(pattern);
            options.rules.han_single = true;
            options.min_count = 21; // 20 of the 30 characters occur as often
            options.vocab_size = 400;
            size_t len = han_text(text, kinds[kind].first, N, kinds[kind].before);
            struct bpe_trained trained = trainer_run_text(text, len, &options);
            struct tokenizer *t = trainer_load(&trained);
            assert_int_equal(trained.n_han, 20);
            int32_t last = -1;
            for (int i = 0; i < N; i++) {
                char han[UTF8_MAX];
                size_t n = (size_t)utf8_encode(kinds[kind].first + (uint32_t)i, han);
                int32_t id = single_id(t, han, n);
                if (i >= 20) {
                    assert_int_equal(id, TOKEN_NONE);
                    continue;
                }
                assert_true(id > last && id >= 256); // by count
                last = id;
                stays_alone(t, han, n, id);
            }
            tokenizer_free(t);
            bpe_trained_free(&trained);
        }
    }
}

static void test_han_class(void **unused) {
    (void)unused;
    struct jl_error err;
    struct pre_extra_probe probe = {0};
    assert_int_equal(regex_compile(PRE_EXTRA_HAN, strlen(PRE_EXTRA_HAN), REGEX_ONIG,
                                   &probe.extra.steps[0].regex, &err),
                     JL_OK);
    probe.extra.steps[0].behaviour = PRETOK_ISOLATED;
    probe.extra.n_step = 1;
    for (uint32_t code = 0x80; code < UTF8_CODE_END; code++) {
        char text[UTF8_MAX + 1] = "x";
        bool whole;
        if (code >= 0xD800 && code < 0xE000) continue;
        size_t len = 1 + (size_t)utf8_encode(code, text + 1);
        assert_int_equal(pre_extra_keeps(&probe, text, len, &whole, &err), JL_OK);
        if (whole == pre_extra_is_han(text + 1, len - 1)) fail_msg("U+%04X", (unsigned)code);
    }
    pretok_run_free(&probe.run);
    regex_free(probe.extra.steps[0].regex);
}

/* ---- other rules ---- */

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r'; }

/* No token of ASCII breaks a rule. */
static void check_tokens(const struct tokenizer *t, const struct bpe_train_rules *rules) {
    for (int32_t id = 0; id < tokenizer_vocab_size(t); id++) {
        size_t len;
        char *text = fixture_decode(t, &id, 1, &len);
        bool ascii = true;
        for (size_t i = 0; i < len; i++)
            ascii = ascii && (unsigned char)text[i] < 0x80;
        for (size_t i = 0; ascii && i < len && len > 1 && !tokenizer_is_control(t, id); i++) {
            if (rules->digits_single) assert_false(text[i] >= '0' && text[i] <= '9');
            if (rules->newlines_single) assert_false(text[i] == '\n' || text[i] == '\r');
            if (rules->spaces_apart && i)
                assert_int_equal(is_space(text[i]), is_space(text[i - 1]));
        }
        free(text);
    }
}

static void round_trip(const struct tokenizer *t, const char *text, size_t len) {
    int32_t *ids;
    size_t n = fixture_encode(t, text, len, 0, &ids), n_back;
    char *back = fixture_decode(t, ids, n, &n_back);
    assert_int_equal(n_back, len);
    assert_memory_equal(back, text, len);
    free(back);
    free(ids);
}

static struct tokenizer *rebuild(const struct tokenizer_gguf *g) {
    struct tokenizer *t;
    struct jl_error err;
    struct bpe_spec spec = {g->tokens, g->n_token,     g->merges,  g->n_merge,
                            g->pre,    strlen(g->pre), g->bos,     g->eos,
                            g->unk,    g->add_bos,     g->add_eos, g->add_space_prefix};
    if (tokenizer_from_bpe(&spec, &t, &err) != JL_OK) fail_msg("%s", err.message);
    return t;
}

static void same_ids(const struct tokenizer *a, const struct tokenizer *b, const char *text,
                     size_t len) {
    int32_t *x, *y;
    size_t n = fixture_encode(a, text, len, ENCODE_SPECIAL | ENCODE_ADD_BOS, &x);
    size_t m = fixture_encode(b, text, len, ENCODE_SPECIAL | ENCODE_ADD_BOS, &y);
    if (n != m || memcmp(x, y, n * sizeof *x) != 0)
        fail_msg("other ids for '%.*s'", (int)len, text);
    free(x);
    free(y);
}

static void check_gguf(const struct tokenizer *t, uint64_t seed) {
    struct tokenizer_gguf g;
    struct jl_error err;
    if (tokenizer_to_gguf(t, tokenizer_vocab_size(t), &g, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_null(g.notes[0]);
    struct tokenizer *made = rebuild(&g);
    for (int i = 0; i < 60; i++) {
        char text[300];
        size_t len = trainer_text(&seed, (enum trainer_alphabet)(i % TRAINER_KINDS), text, 300);
        same_ids(t, made, text, len);
    }
    tokenizer_free(made);
    tokenizer_gguf_free(&g);
}

static void test_all_rules(void **unused) {
    (void)unused;
    for (int bits = 0; bits < 64; bits++) {
        static char text[60000];
        uint64_t state = (uint64_t)bits + 1;
        struct bpe_train_options options;
        size_t len = 0;
        bpe_train_defaults(&options);
        options.vocab_size = 500;
        options.rules = (struct bpe_train_rules){bpe_train_pattern(bits & 3), bits >> 2 & 1,
                                                 bits >> 3 & 1, bits >> 4 & 1, bits >> 5 & 1};
        options.special[options.n_special++] = "<|end|>";
        options.bos = options.special[0];
        options.add_bos = bits & 1;
        for (int kind = 0; kind < TRAINER_KINDS; kind++)
            len += trainer_text(&state, (enum trainer_alphabet)kind, text + len, 15000);
        struct bpe_trained trained = trainer_run_text(text, len, &options);
        struct tokenizer *t = trainer_load(&trained);
        check_tokens(t, &options.rules);
        round_trip(t, text, len);
        check_gguf(t, state);
        tokenizer_free(t);
        bpe_trained_free(&trained);
    }
}

/* Where a token goes through a cut, no GGUF file is written. */
static void test_gguf_refuses(void **unused) {
    (void)unused;
    static const char text[] = "a\n\nb\n\nc\n\nd";
    struct bpe_train_options options;
    struct jl_error err;
    struct tokenizer_gguf g;
    bpe_train_defaults(&options);
    options.rules.pattern = "cl100k";
    struct bpe_trained trained = trainer_run_text(text, sizeof text - 1, &options);
    json_t *root = trainer_json(trained.tokenizer, trained.tokenizer_len);
    json_t *steps = json_object_get(json_object_get(root, "pre_tokenizer"), "pretokenizers");
    json_t *cut = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                            PRE_EXTRA_NEWLINE, "behavior", "Isolated", "invert", 0);
    json_array_insert_new(steps, 1, cut); // the vocabulary has two line ends as a token
    char *json = json_dumps(root, 0);
    struct tokenizer *t = fixture_from_json(json);
    assert_int_equal(tokenizer_to_gguf(t, tokenizer_vocab_size(t), &g, &err), JL_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "pre-tokenizer"));
    tokenizer_free(t);
    free(json);
    json_decref(root);
    bpe_trained_free(&trained);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_han),
        cmocka_unit_test(test_han_class),
        cmocka_unit_test(test_all_rules),
        cmocka_unit_test(test_gguf_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
