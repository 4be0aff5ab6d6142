/* A sampler's memory: taken when it is made, none for a token, and an error wherever it is short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/sampler.h"
#include "support/short_heap.h"

enum { N_VOCAB = 70, N_PROMPT = 20, N_NEW = 100 };

static struct tokenizer *new_tokenizer(void) {
    static char texts[N_VOCAB][4];
    struct token_entry tokens[N_VOCAB];
    struct tokenizer *tokenizer;
    struct jl_error err;
    for (int i = 0; i < N_VOCAB; i++) {
        texts[i][0] = (char)('0' + i);
        tokens[i] = (struct token_entry){texts[i], 1, 0, TOKEN_NORMAL};
    }
    struct spm_spec spec = {.tokens = tokens,
                            .n_token = N_VOCAB,
                            .bos = TOKEN_NONE,
                            .eos = TOKEN_NONE,
                            .unk = TOKEN_NONE};
    if (tokenizer_from_spm(&spec, &tokenizer, &err) != JL_OK) fail_msg("%s", err.message);
    return tokenizer;
}

static struct sample_params all_stages(void) {
    static const struct sample_bias bias[] = {{3, 1}};
    struct sample_params params = sample_params_default();
    params.temperature = 1.2;
    params.top_k = 50;
    params.top_p = 0.95;
    params.min_p = 0.001;
    params.typical_p = 0.95;
    params.repetition_penalty = 1.1;
    params.presence_penalty = params.frequency_penalty = 0.1;
    params.dry_multiplier = 0.8;
    params.xtc_probability = 0.5;
    params.bias = bias;
    params.n_bias = 1;
    return params;
}

static enum jl_status make(const struct tokenizer *tokenizer, struct sampler **sampler,
                           struct sampler **copy, struct sample_scratch **scratch) {
    struct sample_params params = all_stages();
    struct sampler_spec spec = {&params, tokenizer, N_VOCAB, N_PROMPT + N_NEW, 1, 0};
    struct jl_error err;
    *sampler = *copy = NULL;
    *scratch = NULL;
    JL_TRY(sampler_create(&spec, sampler, &err));
    JL_TRY(sampler_copy(*sampler, copy, &err));
    return sample_scratch_create(N_VOCAB, scratch, &err);
}

static void test_none_for_a_token(void **state) {
    (void)state;
    struct tokenizer *tokenizer = new_tokenizer();
    struct sampler *sampler, *copy;
    struct sample_scratch *scratch;
    struct sample_logprob top[20];
    struct jl_error err;
    float logits[N_VOCAB];
    int32_t prompt[N_PROMPT], id;
    assert_int_equal(make(tokenizer, &sampler, &copy, &scratch), JL_OK);
    for (int i = 0; i < N_PROMPT; i++)
        prompt[i] = i % 5;
    long before = short_heap_calls;
    assert_int_equal(sampler_prompt(sampler, prompt, N_PROMPT, &err), JL_OK);
    for (int step = 0; step < N_NEW; step++) {
        for (int i = 0; i < N_VOCAB; i++)
            logits[i] = (float)((i * 7 + step * 3) % 11) / 2;
        assert_int_equal(sampler_choose(sampler, scratch, logits, &id, &err), JL_OK);
        sample_logprobs(logits, scratch, id, 20, top);
        assert_int_equal(sampler_accept(sampler, id, &err), JL_OK);
    }
    assert_int_equal(short_heap_calls, before);
    sampler_free(sampler);
    sampler_free(copy);
    sample_scratch_free(scratch);
    tokenizer_free(tokenizer);
}

static void test_short_anywhere(void **state) {
    (void)state;
    struct tokenizer *tokenizer = new_tokenizer();
    enum jl_status status;
    int n = 0;
    do {
        struct sampler *sampler, *copy;
        struct sample_scratch *scratch;
        short_heap_left = n++;
        status = make(tokenizer, &sampler, &copy, &scratch);
        short_heap_left = -1;
        if (status != JL_OK) assert_int_equal(status, JL_ERR_MEMORY);
        sampler_free(sampler);
        sampler_free(copy);
        sample_scratch_free(scratch);
    } while (status != JL_OK);
    assert_in_range(n, 10, 100);
    tokenizer_free(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none_for_a_token),
        cmocka_unit_test(test_short_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
