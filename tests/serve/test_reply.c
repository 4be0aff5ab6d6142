/* Replies: thoughts that are closed when their tokens are used up, whatever stands in the way, and
 * answers that are held to a form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "serve/reply.h"
#include "text/buffer.h"

/* ---- a vocabulary of bytes, a few words and the marks of a thought ---- */

enum { END = 2, FIRST_BYTE = 3, THINK = FIRST_BYTE + 256, CLOSE, TRUE_, N_TOKEN };

static struct tokenizer *tokenizer;
static const struct dialect *dialect;
static struct end_tokens ends = {{END}, 1};
static struct constraints *constraints;

static int setup(void **state) {
    static struct token_entry tokens[N_TOKEN];
    static char bytes[256][8];
    (void)state;
    tokens[0] = (struct token_entry){"<unk>", 5, 0, TOKEN_UNKNOWN};
    tokens[1] = (struct token_entry){"<s>", 3, 0, TOKEN_CONTROL};
    tokens[END] = (struct token_entry){"</s>", 4, 0, TOKEN_CONTROL};
    for (int i = 0; i < 256; i++) {
        snprintf(bytes[i], sizeof bytes[i], "<0x%02X>", i);
        tokens[FIRST_BYTE + i] = (struct token_entry){bytes[i], 6, 0, TOKEN_BYTE};
    }
    tokens[THINK] = (struct token_entry){"<think>", 7, 0, TOKEN_CONTROL};
    tokens[CLOSE] = (struct token_entry){"</think>", 8, 0, TOKEN_CONTROL};
    tokens[TRUE_] = (struct token_entry){"true", 4, -1, TOKEN_NORMAL};
    const struct spm_spec spec = {
        .tokens = tokens, .n_token = N_TOKEN, .bos = 1, .eos = END, .unk = 0};
    dialect = dialect_by_name("hermes");
    assert_non_null(dialect);
    assert_string_equal(dialect->think.close, "</think>");
    assert_int_equal(tokenizer_from_spm(&spec, &tokenizer, NULL), JL_OK);
    return constraints_create(tokenizer, dialect, &ends, &constraints, NULL) != JL_OK;
}

static int teardown(void **state) {
    (void)state;
    constraints_free(constraints);
    tokenizer_free(tokenizer);
    return 0;
}

/* ---- an answer by hand ---- */

struct answer {
    struct reply *reply;
    struct token_stream stream;
    struct byte_buffer content, reasoning;
    struct constraint *constraint;
};

static bool on_event(void *ctx, int number, const struct dialect_event *event) {
    struct answer *a = ctx;
    struct byte_buffer *to = event->kind == DIALECT_REASONING ? &a->reasoning : &a->content;
    assert_int_equal(number, 3);
    return buffer_append(to, event->text, event->len);
}

static void begin(struct answer *a, bool in_thought, long budget, const char *schema) {
    struct dialect_options options = dialect_options_default();
    struct jl_error err;
    *a = (struct answer){0};
    options.start.in_thought = in_thought;
    options.thinking_budget = budget;
    if (schema) {
        const struct constraint_spec spec = {.kind = CONSTRAINT_SCHEMA,
                                             .source = schema,
                                             .len = strlen(schema),
                                             .thought = in_thought ? CONSTRAINT_IN_THOUGHT
                                                                   : CONSTRAINT_MAY_THINK};
        if (constraint_open(constraints, &spec, &a->constraint, &err) != JL_OK)
            fail_msg("%s", err.message);
    }
    const struct reply_spec spec = {.tokenizer = tokenizer,
                                    .dialect = dialect,
                                    .options = &options,
                                    .constraint = a->constraint,
                                    .event = on_event,
                                    .ctx = a,
                                    .answer = 3};
    assert_int_equal(reply_create(&spec, &a->reply, &err), JL_OK);
    token_stream_init(&a->stream, tokenizer, true);
}

/* Which tokens may come; the only one, where there is one. */
static int32_t allowed(struct answer *a, const uint64_t **mask) {
    struct jl_error err;
    int32_t only = -1;
    int n = 0;
    if (reply_allow(a->reply, mask, &err) != JL_OK) fail_msg("%s", err.message);
    for (int32_t id = 0; *mask && id < N_TOKEN; id++)
        if ((*mask)[id / 64] >> id % 64 & 1) n++, only = id;
    return n == 1 ? only : -1;
}

static bool may(const uint64_t *mask, int32_t id) {
    return !mask || (mask[id / 64] >> id % 64 & 1);
}

static void take(struct answer *a, int32_t id) {
    char *text = NULL;
    size_t len = 0, cap = 0;
    bool go_on = false;
    struct jl_error err;
    a->stream.show_control = id == THINK || id == CLOSE;
    assert_int_equal(token_stream_push(&a->stream, id, &text, &len, &cap, &err), JL_OK);
    const struct scheduler_token token = {.answer = 3, .id = id, .text = text, .len = len};
    if (reply_token(a->reply, &token, &go_on, &err) != JL_OK) fail_msg("%s", err.message);
    assert_true(go_on);
    free(text);
}

static void take_bytes(struct answer *a, const char *bytes) {
    const uint64_t *mask;
    for (; *bytes; bytes++) {
        assert_true(allowed(a, &mask) < 0);
        assert_true(may(mask, FIRST_BYTE + (unsigned char)*bytes));
        take(a, FIRST_BYTE + (unsigned char)*bytes);
    }
}

/* Takes what is forced; how many tokens. */
static int take_forced(struct answer *a) {
    const uint64_t *mask;
    int n = 0;
    for (int32_t only; (only = allowed(a, &mask)) >= 0 && only != END && n < 200; n++)
        take(a, only);
    return n;
}

static void finish(struct answer *a, const char *reasoning, const char *content) {
    struct jl_error err;
    assert_int_equal(reply_end(a->reply, &err), JL_OK);
    assert_true(buffer_append(&a->content, "", 1) && buffer_append(&a->reasoning, "", 1));
    if (strncmp(a->reasoning.data, reasoning, strlen(reasoning)) != 0)
        fail_msg("thought: %s", a->reasoning.data);
    assert_string_equal(a->content.data, content);
    buffer_free(&a->content);
    buffer_free(&a->reasoning);
    reply_free(a->reply);
    constraint_drop(a->constraint);
}

/* ---- what is tried ---- */

static void budget_waits_for_a_character(void **state) {
    (void)state;
    for (int held = 0; held < 2; held++) { // with and without a form for the answer
        struct answer a;
        const uint64_t *mask;
        begin(&a, true, 2, held ? "{\"type\": \"boolean\"}" : NULL);
        take_bytes(&a, "\xE5\xA4\xA9"); // three tokens: the budget ends inside the character
        assert_true(take_forced(&a) > 5);
        assert_int_equal(reply_n_thought(a.reply) > 3, true);
        allowed(&a, &mask);
        assert_true(may(mask, TRUE_));
        assert_int_equal(may(mask, FIRST_BYTE + 'x'), !held);
        take(&a, TRUE_);
        allowed(&a, &mask);
        if (held) assert_true(may(mask, END) && !may(mask, TRUE_));
        finish(&a, "\xE5\xA4\xA9", "true");
    }
}

static void budget_of_nothing(void **state) {
    (void)state;
    struct answer a;
    begin(&a, true, 0, NULL);
    assert_true(take_forced(&a) > 0);
    take_bytes(&a, "ok");
    finish(&a, "", "ok");
}

static void thoughts_that_close_in_time(void **state) {
    (void)state;
    struct answer a;
    begin(&a, true, 50, "{\"enum\": [\"a\"]}");
    take_bytes(&a, "hm");
    take(&a, CLOSE);
    take_bytes(&a, "\n\n\"");
    assert_int_equal(take_forced(&a) > 0, true); // the only string there is
    finish(&a, "hm", "\"a\"");
}

static void a_form_without_a_thought(void **state) {
    (void)state;
    struct answer a;
    const uint64_t *mask;
    begin(&a, false, -1, "{\"type\": \"boolean\"}");
    allowed(&a, &mask);
    assert_true(may(mask, TRUE_) && may(mask, THINK));
    assert_false(may(mask, END));
    take(&a, TRUE_);
    allowed(&a, &mask);
    assert_true(may(mask, END));
    finish(&a, "", "true");
}

static void constraints_are_kept(void **state) {
    struct constraint *a, *b, *c;
    (void)state;
    struct constraint_spec spec = {.kind = CONSTRAINT_REGEX, .source = "a+", .len = 2};
    assert_int_equal(constraint_open(constraints, &spec, &a, NULL), JL_OK);
    assert_int_equal(constraint_open(constraints, &spec, &b, NULL), JL_OK);
    assert_ptr_equal(a, b);
    spec.source = "b+";
    assert_int_equal(constraint_open(constraints, &spec, &c, NULL), JL_OK);
    assert_ptr_not_equal(a, c);
    constraint_drop(a);
    constraint_drop(b);
    constraint_drop(c);
    for (int i = 0; i < 100; i++) { // more than are kept
        char text[16];
        spec.len = (size_t)snprintf(text, sizeof text, "x{%d}", i + 1);
        spec.source = text;
        assert_int_equal(constraint_open(constraints, &spec, &a, NULL), JL_OK);
        constraint_drop(a);
    }
    struct jl_error err;
    spec = (struct constraint_spec){.kind = CONSTRAINT_REGEX, .source = "(", .len = 1};
    assert_int_not_equal(constraint_open(constraints, &spec, &a, &err), JL_OK);
    assert_int_not_equal(constraint_check(constraints, &spec, &err), JL_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_waits_for_a_character), cmocka_unit_test(budget_of_nothing),
        cmocka_unit_test(thoughts_that_close_in_time), cmocka_unit_test(a_form_without_a_thought),
        cmocka_unit_test(constraints_are_kept)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
