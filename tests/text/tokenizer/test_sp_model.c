/* tokenizer.model: a file written here field by field, what is refused, what is passed over, the
 * configuration beside it, and files damaged anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "fixture.h"
#include "text/tokenizer/sp_model.h"

/* ---- writing ---- */

struct message {
    unsigned char bytes[4000];
    size_t len;
};

static void put_varint(struct message *m, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        m->bytes[m->len++] = (unsigned char)(value | 0x80);
    m->bytes[m->len++] = (unsigned char)value;
}

static void put_number(struct message *m, uint32_t field, uint64_t value) {
    put_varint(m, field << 3);
    put_varint(m, value);
}

static void put_bytes(struct message *m, uint32_t field, const void *bytes, size_t len) {
    put_varint(m, field << 3 | 2);
    put_varint(m, len);
    memcpy(m->bytes + m->len, bytes, len);
    m->len += len;
}

static void put_piece(struct message *m, const char *text, float score, int type) {
    struct message piece = {0};
    put_bytes(&piece, 1, text, strlen(text));
    put_varint(&piece, 2 << 3 | 5);
    memcpy(piece.bytes + piece.len, &score, 4);
    piece.len += 4;
    if (type != TOKEN_NORMAL) put_number(&piece, 3, (uint64_t)type);
    put_bytes(m, 1, piece.bytes, piece.len);
}

#define MARK "\xE2\x96\x81"

/* Ids: 0 unknown, 1 and 2 the ends, 3 a mark, 4 to 8 letters, 9 "ab", 10 " ab", 11 user-defined. */
static void put_pieces(struct message *m) {
    static const char *const texts[] = {MARK, "a", "b", "c", "<", ">", "ab", MARK "ab"};
    put_piece(m, "<unk>", 0, TOKEN_UNKNOWN);
    put_piece(m, "<s>", 0, TOKEN_CONTROL);
    put_piece(m, "</s>", 0, TOKEN_CONTROL);
    for (int i = 0; i < 8; i++)
        put_piece(m, texts[i], i < 6 ? -10.0f - (float)i : -(float)i, TOKEN_NORMAL);
    put_piece(m, "<t>", 0, TOKEN_USER_DEFINED);
}

static struct message plain(int type) {
    struct message m = {0}, trainer = {0}, normalizer = {0};
    put_pieces(&m);
    put_number(&trainer, 3, (uint64_t)type);
    put_number(&trainer, 4, 12);       // vocab_size: of the training
    put_bytes(&trainer, 5, "en", 2);   // accept_language
    put_varint(&trainer, 10 << 3 | 5); // character_coverage
    put_varint(&trainer, 0x01010101);  // ... any four bytes
    put_bytes(&m, 2, trainer.bytes, trainer.len);
    put_bytes(&normalizer, 1, "identity", 8);
    put_number(&normalizer, 4, 0);
    put_bytes(&m, 3, normalizer.bytes, normalizer.len);
    put_bytes(&m, 4, "", 0); // self_test_data
    return m;
}

static struct tokenizer *build(const struct message *m, const char *config) {
    struct tokenizer *t;
    struct jl_error err;
    size_t len = config ? strlen(config) : 0;
    if (tokenizer_from_sentencepiece(m->bytes, m->len, config, len, &t, &err) != JL_OK)
        fail_msg("%s", err.message);
    return t;
}

/* ---- tests ---- */

static void test_fields(void **state) {
    (void)state;
    struct message m = plain(SP_BPE);
    struct sp_model model;
    struct jl_error err;
    assert_int_equal(sp_model_parse(m.bytes, m.len, &model, &err), JL_OK);
    assert_int_equal(model.n_piece, 12);
    assert_int_equal(model.type, SP_BPE);
    assert_int_equal(model.pieces[11].type, TOKEN_USER_DEFINED);
    assert_memory_equal(model.pieces[9].text, "ab", 2);
    assert_true(model.pieces[9].score == -6.0f);
    assert_true(model.add_dummy_prefix && model.escape_whitespaces);
    assert_false(model.remove_extra_whitespaces || model.byte_fallback);
    assert_int_equal(model.normalizer_name.len, 8);
    assert_int_equal(sp_model_find(&model, (struct sp_bytes){"<s>", 3}, TOKEN_CONTROL), 1);
    assert_int_equal(sp_model_find(&model, (struct sp_bytes){"<s>", 3}, TOKEN_NORMAL), -1);
    sp_model_free(&model);
}

static void test_encoding(void **state) {
    (void)state;
    struct message m = plain(SP_BPE);
    struct tokenizer *t = build(&m, NULL);
    fixture_check(t, "ab", 0, "10");
    fixture_check(t, "ab", ENCODE_ADD_BOS, "1 10");
    fixture_check(t, "ab <t>ab<s>", 0, "10 3 11 9 7 0 8"); // the control token is plain text
    fixture_check(t, "ab<s>ab", ENCODE_SPECIAL, "10 1 10");
    size_t len;
    char *text = fixture_decode(t, (const int32_t[]){1, 10, 3, 11, 9, 2, 0}, 7, &len);
    assert_string_equal(text, "ab <t>ab \xE2\x81\x87 ");
    free(text);
    tokenizer_free(t);
}

static void test_config(void **state) {
    (void)state;
    struct message m = plain(SP_BPE);
    struct tokenizer *t = build(
        &m, "{\"model_max_length\": 1000000000000000019884624838656, \"add_bos_token\": false, "
            "\"add_eos_token\": true, \"legacy\": false, \"eos_token\": "
            "{\"content\": \"<end>\"}, \"added_tokens_decoder\": {\"1\": {\"content\": \"<s>\", "
            "\"special\": true}, \"14\": {\"content\": \"<end>\", \"special\": true, \"rstrip\": "
            "true}, \"12\": {\"content\": \"cc\"}}, \"chat_template\": \"\"}");
    assert_int_equal(tokenizer_vocab_size(t), 15);
    assert_int_equal(tokenizer_eos(t), 14);
    fixture_check(t, "ab<s>ab", ENCODE_SPECIAL | ENCODE_ADD_BOS, "10 1 9 14");
    fixture_check(t, "accb", 0, "3 4 12 5");
    fixture_check(t, "a<end>  b", ENCODE_SPECIAL, "3 4 14 5");
    tokenizer_free(t);
    // A piece's place is taken: its old text is no token any more.
    t = build(&m, "{\"added_tokens_decoder\": {\"9\": {\"content\": \"<im>\", \"special\": "
                  "true}, \"6\": {\"content\": \"zz\"}}}");
    fixture_check(t, "zz<im>", ENCODE_SPECIAL, "6 9");
    fixture_check(t, "bab", 0, "3 5 4 5");
    tokenizer_free(t);
    m = plain(SP_UNIGRAM);
    t = build(&m, "{\"added_tokens_decoder\": {\"9\": {\"content\": \"<im>\"}}}");
    fixture_check(t, "bab<im>", 0, "3 5 4 5 9");
    tokenizer_free(t);
    m = plain(SP_BPE);
    t = build(&m, "{\"add_prefix_space\": false}");
    fixture_check(t, "ab", 0, "9");
    tokenizer_free(t);
}

static void refuse_config(const char *config, const char *why) {
    struct message m = plain(SP_BPE);
    struct tokenizer *t;
    struct jl_error err;
    assert_int_not_equal(
        tokenizer_from_sentencepiece(m.bytes, m.len, config, strlen(config), &t, &err), JL_OK);
    assert_null(t);
    if (!strstr(err.message, why)) fail_msg("'%s' does not say '%s'", err.message, why);
}

static void test_config_refused(void **state) {
    (void)state;
    refuse_config("[]", "not an object");
    refuse_config("{", "line 1");
    refuse_config("{\"legacy\": 1}", "legacy");
    refuse_config("{\"bos_token\": \"<nowhere>\"}", "<nowhere>");
    refuse_config("{\"sp_model_kwargs\": {\"enable_sampling\": true}}", "sp_model_kwargs");
    refuse_config("{\"added_tokens_decoder\": {\"0\": {\"content\": \"z\"}}}", "'z'");
    refuse_config("{\"added_tokens_decoder\": {\"x\": {\"content\": \"z\"}}}", "'x'");
    refuse_config("{\"added_tokens_decoder\": {\"99999999\": {\"content\": \"z\"}}}", "99999999");
}

static void refuse(const struct message *m, const char *why) {
    struct tokenizer *t;
    struct jl_error err;
    assert_int_not_equal(tokenizer_from_sentencepiece(m->bytes, m->len, NULL, 0, &t, &err), JL_OK);
    assert_null(t);
    if (!strstr(err.message, why)) fail_msg("'%s' does not say '%s'", err.message, why);
}

static void test_refused(void **state) {
    (void)state;
    struct message m = {0}, inner = {0};
    refuse(&m, "0 pieces");
    m = plain(SP_BPE);
    put_piece(&m, "ab", -1, TOKEN_NORMAL);
    refuse(&m, "both 'ab'");
    m = plain(SP_BPE);
    put_piece(&m, "x", -1, TOKEN_BYTE);
    refuse(&m, "byte_fallback");
    m = plain(SP_BPE);
    put_piece(&m, "unk2", -1, TOKEN_UNKNOWN);
    refuse(&m, "unknown one");
    m = plain(SP_BPE);
    put_piece(&m, "", -1, TOKEN_NORMAL);
    refuse(&m, "0 bytes");
    m = plain(SP_UNIGRAM);
    put_piece(&m, "x", (float)1e39, TOKEN_NORMAL);
    refuse(&m, "finite");
    m = plain(SP_BPE);
    char unused[70];
    memset(unused, 'a', sizeof unused);
    unused[sizeof unused - 1] = '\0';
    put_piece(&m, unused, -1, TOKEN_UNUSED);
    refuse(&m, "unused");
    m = plain(SP_BPE);
    put_number(&m, 99, 1);
    refuse(&m, "field 99");
    m = plain(SP_BPE);
    put_number(&inner, 77, 1);
    put_bytes(&m, 3, inner.bytes, inner.len);
    refuse(&m, "field 77");
    m = plain(7);
    refuse(&m, "model type");
    m = plain(SP_BPE);
    inner.len = 0;
    put_bytes(&inner, 2, "rules", 5);
    put_bytes(&m, 5, inner.bytes, inner.len);
    refuse(&m, "denormalizer");
    m = plain(SP_BPE);
    put_bytes(&m, 3, inner.bytes, inner.len);
    refuse(&m, "charsmap");
}

/* Every prefix, and every byte changed: refused with a message, or a tokenizer that works. */
static void test_damaged(void **state) {
    (void)state;
    struct message m = plain(SP_UNIGRAM);
    int opened = 0;
    for (size_t i = 0; i < 2 * m.len; i++) {
        size_t len = i < m.len ? i : m.len;
        unsigned char *copy = malloc(len ? len : 1); // of its exact size
        memcpy(copy, m.bytes, len);
        uint64_t random = i;
        if (i >= m.len) copy[i - m.len] = (unsigned char)fixture_random(&random);
        struct tokenizer *t;
        struct jl_error err = {0};
        if (tokenizer_from_sentencepiece(copy, len, NULL, 0, &t, &err) == JL_OK) {
            int32_t *ids;
            size_t n, text_len;
            if (tokenizer_encode(t, "ab <t> c", 8, ENCODE_SPECIAL, &ids, &n, &err) == JL_OK) {
                free(fixture_decode(t, ids, n, &text_len));
                free(ids);
            }
            tokenizer_free(t);
            opened++;
        } else {
            assert_null(t);
            assert_true(err.message[0] != '\0');
        }
        free(copy);
    }
    assert_true(opened > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),  cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_config),  cmocka_unit_test(test_config_refused),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
