/* A sequence's sampler: the logits it changes and the tokens it chooses against a plain reading,
 * what it depends on and what it must not, shares over many draws, and what it refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sample_reference.h"
#include "session/sampler.h"
#include "session/softmax.h"

enum { N_VOCAB = 12, N_MAX = 200 };

/* Breakers of the tests: "\n" stands alone and inside a token, "b:c" goes over several. */
static const char *const texts[N_VOCAB] = {"a",  "b", ":", "c",  "\n", "x\ny",
                                           "b:", "d", "e", ":c", "ab", "long word"};
static const struct pattern_text breakers[] = {{"\n", 1}, {"b:c", 3}};

struct words {
    uint32_t round;
    uint64_t at;
};

static uint32_t next_word(struct words *words) {
    struct rng_key key = {.seed = 77, .sequence = words->round, .purpose = RNG_TEST};
    uint32_t block[4];
    rng_block(&key, words->at++, block);
    return block[0];
}

static struct tokenizer *new_tokenizer(void) {
    struct token_entry tokens[N_VOCAB];
    struct tokenizer *tokenizer;
    struct jl_error err;
    for (int i = 0; i < N_VOCAB; i++)
        tokens[i] = (struct token_entry){texts[i], strlen(texts[i]), 0, TOKEN_NORMAL};
    struct spm_spec spec = {.tokens = tokens,
                            .n_token = N_VOCAB,
                            .bos = TOKEN_NONE,
                            .eos = TOKEN_NONE,
                            .unk = TOKEN_NONE};
    if (tokenizer_from_spm(&spec, &tokenizer, &err) != JL_OK) fail_msg("%s", err.message);
    return tokenizer;
}

static struct sample_scratch *new_scratch(int32_t n_vocab) {
    struct sample_scratch *scratch;
    struct jl_error err;
    assert_int_equal(sample_scratch_create(n_vocab, &scratch, &err), JL_OK);
    return scratch;
}

static struct sampler *new_sampler(const struct sample_params *params,
                                   const struct tokenizer *tokenizer, int32_t n_vocab) {
    struct sampler_spec spec = {params, tokenizer, n_vocab, N_MAX, .seed = 5, .sequence = 1};
    struct sampler *sampler;
    struct jl_error err;
    if (sampler_create(&spec, &sampler, &err) != JL_OK) fail_msg("%s", err.message);
    return sampler;
}

static int32_t choose(struct sampler *sampler, struct sample_scratch *scratch,
                      const float *logits) {
    struct jl_error err;
    int32_t id = -1;
    if (sampler_choose(sampler, scratch, logits, &id, &err) != JL_OK) fail_msg("%s", err.message);
    return id;
}

/* ---- against the plain reading ---- */

static double pick(struct words *words, double off, double low, double high) {
    double u = (double)rng_unit(next_word(words));
    return u < 0.4 ? off : low + (high - low) * (double)rng_unit(next_word(words));
}

static struct sample_params random_params(struct words *words, struct sample_bias *bias) {
    struct sample_params params = sample_params_default();
    params.temperature = pick(words, 0.8, 0.01, 3);
    params.top_k = (int32_t)pick(words, 0, 1, 14);
    params.top_p = pick(words, 1, 0, 1);
    params.min_p = pick(words, 0, 0, 0.5);
    params.typical_p = pick(words, 1, 0.1, 1);
    params.repetition_penalty = pick(words, 1, 0.5, 2);
    params.repeat_last_n = (int32_t)pick(words, -1, 0, 60);
    params.presence_penalty = pick(words, 0, -2, 2);
    params.frequency_penalty = pick(words, 0, -2, 2);
    params.dry_multiplier = pick(words, 0, 0.1, 2);
    params.dry_base = pick(words, 1.75, 1, 3);
    params.dry_allowed_length = (int32_t)pick(words, 2, 1, 4);
    params.dry_penalty_last_n = (int32_t)pick(words, -1, 0, 60);
    params.xtc_probability = pick(words, 0, 0, 1);
    params.xtc_threshold = pick(words, 0.1, 0, 0.5);
    params.dry_breakers = breakers;
    params.n_dry_breaker = sizeof breakers / sizeof breakers[0];
    params.bias = bias;
    params.n_bias = (int32_t)(next_word(words) % 4);
    for (int32_t i = 0; i < params.n_bias; i++) {
        bias[i].id = (int32_t)(next_word(words) % (N_VOCAB - 1)); // the last is never banned
        bias[i].bias = next_word(words) % 3 ? (float)pick(words, 1, -5, 5) : -INFINITY;
    }
    return params;
}

/* Whether the text up to `end` has a breaker that ends behind `start`. */
static bool breaks_in(const char *text, size_t start, size_t end) {
    for (size_t i = 0; i < sizeof breakers / sizeof breakers[0]; i++)
        for (size_t at = start + 1; at <= end; at++)
            if (at >= breakers[i].len &&
                !memcmp(text + at - breakers[i].len, breakers[i].text, breakers[i].len))
                return true;
    return false;
}

static void find_breaks(const int32_t *ids, int n, bool *breaks, bool *single) {
    static char text[N_MAX * 16];
    size_t len = 0;
    for (int i = 0; i < n; i++) {
        size_t size = strlen(texts[ids[i]]);
        memcpy(text + len, texts[ids[i]], size);
        breaks[i] = breaks_in(text, len, len + size);
        len += size;
    }
    for (int id = 0; id < N_VOCAB; id++) {
        strcpy(text + len, texts[id]);
        single[id] = breaks_in(text, len, len + strlen(texts[id]));
    }
}

/* What is left, as the stages are described. */
static void reference_cut(const struct sample_params *params, double xtc,
                          struct reference_list *list) {
    bool ranked = params->top_k > 0 && params->top_k < N_VOCAB;
    if (ranked) reference_top_k(list, params->top_k);
    if (params->typical_p < 1) reference_typical(list, params->typical_p);
    if (params->top_p < 1) reference_top_p(list, params->top_p);
    if (params->min_p > 0) reference_min_p(list, params->min_p);
    if (xtc < params->xtc_probability) reference_xtc(list, params->xtc_threshold);
    if (ranked || params->top_p < 1)
        reference_by_rank(list);
    else
        reference_by_id(list);
}

/* The token is one whose share of [0, 1) has the draw in it. */
static void check_choice(const struct sample_params *params, struct reference_list *list,
                         const struct rng_key *key, int32_t id, uint32_t round) {
    double below = 0, own = -1, total = 0, top = -HUGE_VAL, u = rng_unit53(key);
    for (int i = 0; i < list->n; i++)
        if (list->items[i].logit > top) top = list->items[i].logit;
    for (int i = 0; i < list->n; i++) {
        double weight = exp((list->items[i].logit - top) / params->temperature);
        if (list->items[i].id == id) own = weight;
        if (own < 0) below += weight;
        total += weight;
    }
    if (own < 0) fail_msg("round %u: token %d was cut", round, id);
    if (u < below / total - 1e-9 || u > (below + own) / total + 1e-9)
        fail_msg("round %u: token %d for the draw %g", round, id, u);
}

static void test_plain_reading(void **state) {
    (void)state;
    struct tokenizer *tokenizer = new_tokenizer();
    struct sample_scratch *scratch = new_scratch(N_VOCAB);
    struct jl_error err;
    for (uint32_t round = 0; round < 3000; round++) {
        struct words words = {round, 0};
        struct sample_bias bias[4];
        struct sample_params params = random_params(&words, bias);
        struct sampler *sampler = new_sampler(&params, tokenizer, N_VOCAB);
        int32_t ids[N_MAX];
        bool breaks[N_MAX], single[N_VOCAB];
        float logits[N_VOCAB], changed[N_VOCAB];
        int n = (int)(next_word(&words) % 80),
            n_prompt = n ? (int)(next_word(&words) % (uint32_t)n) : 0;
        // Few different tokens, so that there are repeats.
        for (int i = 0; i < n; i++)
            ids[i] = (int32_t)(next_word(&words) % (2 + round % (N_VOCAB - 1)));
        for (int i = 0; i < N_VOCAB; i++)
            changed[i] = logits[i] = 8 * rng_unit(next_word(&words)) - 4;
        assert_int_equal(sampler_prompt(sampler, ids, n_prompt, &err), JL_OK);
        for (int i = n_prompt; i < n; i++)
            assert_int_equal(sampler_accept(sampler, ids[i], &err), JL_OK);
        find_breaks(ids, n, breaks, single);
        struct reference_past past = {ids, n, n_prompt, breaks, single};
        struct reference_list list;
        struct rng_key draw = {5, 1, (uint32_t)n, RNG_SAMPLE}, xtc = {5, 1, (uint32_t)n, RNG_XTC};
        reference_change(&params, &past, N_VOCAB, changed);
        reference_list_init(&list, changed, N_VOCAB);
        reference_cut(&params, rng_unit53(&xtc), &list);
        check_choice(&params, &list, &draw, choose(sampler, scratch, logits), round);
        reference_list_free(&list);
        // At temperature 0 the largest of the changed logits, whatever the cuts are.
        struct sample_params greedy = params;
        greedy.temperature = 0;
        sampler_free(sampler);
        sampler = new_sampler(&greedy, tokenizer, N_VOCAB);
        assert_int_equal(sampler_prompt(sampler, ids, n_prompt, &err), JL_OK);
        for (int i = n_prompt; i < n; i++)
            assert_int_equal(sampler_accept(sampler, ids[i], &err), JL_OK);
        float best = changed[choose(sampler, scratch, logits)];
        for (int i = 0; i < N_VOCAB; i++)
            if (changed[i] > best + 1e-6f) fail_msg("round %u: %d is likelier", round, i);
        sampler_free(sampler);
    }
    sample_scratch_free(scratch);
    tokenizer_free(tokenizer);
}

/* ---- fixed choices: every compiler must find these ---- */

static void mix(uint64_t *hash, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3); // FNV-1a
}

static void test_known_choices(void **state) {
    (void)state;
    enum { N = 3000 };
    static float logits[N];
    struct sample_scratch *scratch = new_scratch(N);
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    struct jl_error err;
    for (uint32_t round = 0; round < 400; round++) {
        struct words words = {round, 0};
        struct sample_bias bias[4];
        struct sample_logprob top[20];
        struct sample_params params = random_params(&words, bias);
        params.n_dry_breaker = 0;
        if (params.top_k) params.top_k *= 1 + (int32_t)(next_word(&words) % 200);
        struct sampler *sampler = new_sampler(&params, NULL, N);
        float spread = round % 2 ? 2 : 20;
        for (int i = 0; i < N; i++)
            logits[i] = spread * rng_unit(next_word(&words));
        for (int i = 0; i < 60; i++)
            assert_int_equal(sampler_accept(sampler, (int32_t)(next_word(&words) % 5), &err),
                             JL_OK);
        int32_t id = choose(sampler, scratch, logits);
        double logprob = sample_logprobs(logits, scratch, id, 20, top);
        mix(&hash, &id, sizeof id);
        mix(&hash, &logprob, sizeof logprob);
        for (int i = 0; i < 20; i++) {
            mix(&hash, &top[i].id, sizeof top[i].id);
            mix(&hash, &top[i].logprob, sizeof top[i].logprob);
        }
        sampler_free(sampler);
    }
    if (hash != UINT64_C(0x6c2ccb960f02c90b)) fail_msg("hash 0x%016llx", (unsigned long long)hash);
    sample_scratch_free(scratch);
}

/* ---- what a choice depends on ---- */

static void test_copies_and_discarded_choices(void **state) {
    (void)state;
    struct tokenizer *tokenizer = new_tokenizer();
    struct sample_scratch *scratch = new_scratch(N_VOCAB), *other = new_scratch(N_VOCAB);
    struct sample_params params = sample_params_default();
    struct jl_error err;
    int32_t prompt[] = {0, 1, 0, 1, 0, 10, 3}, differ = 0;
    float logits[N_VOCAB];
    params.temperature = 1.5;
    params.repetition_penalty = 1.2;
    params.frequency_penalty = 0.3;
    params.dry_multiplier = 0.8;
    params.top_p = 0.98;
    params.xtc_probability = 0.3;
    struct sampler *a = new_sampler(&params, tokenizer, N_VOCAB), *b, *c;
    assert_int_equal(sampler_prompt(a, prompt, 7, &err), JL_OK);
    for (int step = 0; step < 60; step++) {
        struct words words = {(uint32_t)step, 0};
        for (int i = 0; i < N_VOCAB; i++)
            logits[i] = 3 * rng_unit(next_word(&words));
        int32_t id = choose(a, scratch, logits);
        assert_int_equal(choose(a, other, logits), id); // choosing leaves no trace
        assert_int_equal(sampler_copy(a, &b, &err), JL_OK);
        assert_int_equal(sampler_copy(a, &c, &err), JL_OK);
        sampler_set_sequence(c, 2);
        assert_int_equal(choose(b, scratch, logits), id);
        differ += choose(c, scratch, logits) != id;
        assert_int_equal(sampler_accept(c, 7, &err), JL_OK); // the copy's own past
        assert_int_equal(sampler_n_token(c), sampler_n_token(a) + 1);
        sampler_free(a);
        sampler_free(c);
        a = b;
        assert_int_equal(sampler_accept(a, id, &err), JL_OK);
    }
    assert_in_range(differ, 20, 60);
    sampler_free(a);
    sample_scratch_free(scratch);
    sample_scratch_free(other);
    tokenizer_free(tokenizer);
}

/* Counts of many draws against the probabilities: chi-square below what one run in a million
 * exceeds (by Wilson and Hilferty's approximation, z = 4.75). The seed is fixed. */
static void check_shares(const struct sample_params *params, const float *logits, int n) {
    enum { DRAWS = 30000 };
    struct sample_scratch *scratch = new_scratch(n);
    struct reference_list list;
    int count[64] = {0}, freedom = -1;
    double chi2 = 0, rest = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct sampler_spec spec = {params, NULL, n, 1, 99, (uint32_t)i};
        struct sampler *sampler;
        struct jl_error err;
        assert_int_equal(sampler_create(&spec, &sampler, &err), JL_OK);
        count[choose(sampler, scratch, logits)]++;
        sampler_free(sampler);
    }
    reference_list_init(&list, logits, n);
    if (params->top_k) reference_top_k(&list, params->top_k);
    if (params->top_p < 1) reference_top_p(&list, params->top_p);
    for (int i = 0; i < list.n; i++)
        list.items[i].logit /= params->temperature;
    reference_softmax(&list);
    for (int i = 0; i < list.n; i++) {
        double wanted = DRAWS * list.items[i].weight / list.total;
        int got = count[list.items[i].id];
        count[list.items[i].id] = 0;
        if (wanted < 5) {
            rest += wanted - got;
            continue;
        }
        chi2 += (got - wanted) * (got - wanted) / wanted;
        freedom++;
    }
    for (int i = 0; i < n; i++)
        assert_int_equal(count[i], 0); // nothing was drawn that was cut
    assert_true(fabs(rest) < 60);
    double k = freedom < 1 ? 1 : freedom, share = 2 / (9 * k);
    double limit = k * pow(1 - share + 4.75 * sqrt(share), 3);
    if (chi2 > limit) fail_msg("chi-square %g with %d degrees, at most %g", chi2, freedom, limit);
    reference_list_free(&list);
    sample_scratch_free(scratch);
}

static void test_shares(void **state) {
    (void)state;
    struct sample_params params = sample_params_default();
    float logits[40];
    for (int i = 0; i < 40; i++)
        logits[i] = (float)(i * 17 % 40) / 8;
    params.temperature = 0.9;
    check_shares(&params, logits, 40);
    params.top_k = 12;
    check_shares(&params, logits, 40);
    params.top_p = 0.8;
    check_shares(&params, logits, 40);
    params.top_k = 0;
    params.temperature = 2;
    check_shares(&params, logits, 40);
}

/* XTC happens as often as it is asked for. */
static void test_xtc_share(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    const float logits[3] = {5, 4.9f, 4};
    struct sample_params params = sample_params_default();
    struct sample_scratch *scratch = new_scratch(3);
    struct jl_error err;
    int likeliest = 0;
    params.temperature = 0.001; // so that the likeliest of what is left is drawn
    params.xtc_probability = 0.3;
    params.xtc_threshold = 0.2;
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct sampler_spec spec = {&params, NULL, 3, 1, 4, i};
        struct sampler *sampler;
        assert_int_equal(sampler_create(&spec, &sampler, &err), JL_OK);
        int32_t id = choose(sampler, scratch, logits);
        assert_in_range(id, 0, 1);
        likeliest += id == 0;
        sampler_free(sampler);
    }
    assert_true(fabs(likeliest - 0.7 * DRAWS) < 5 * sqrt(DRAWS * 0.7 * 0.3));
    sample_scratch_free(scratch);
}

/* ---- extremes and refusals ---- */

static void test_extreme_logits(void **state) {
    (void)state;
    static const float rows[][4] = {{1e30f, -1e30f, 1e30f, 0},
                                    {-1e30f, -1e30f, -1e30f, -1e30f},
                                    {3.4e38f, -3.4e38f, 3.3e38f, 1},
                                    {0, 0, 0, 0}};
    struct sample_scratch *scratch = new_scratch(4);
    struct jl_error err;
    const int32_t ids[] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2};
    const struct pattern_text none[1] = {{"x", 1}};
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        for (int stage = 0; stage < 10; stage++) {
            struct sample_params params = sample_params_default();
            struct sample_bias bias[] = {{0, 3e38f}, {1, -3e38f}, {2, -INFINITY}};
            params.temperature = stage == 9 ? 100 : 1;
            params.dry_breakers = none;
            if (stage == 0) params.top_k = 2;
            if (stage == 1) params.top_p = 0.5;
            if (stage == 2) params.min_p = 0.1;
            if (stage == 3) params.typical_p = 0.5;
            if (stage == 4) params.repetition_penalty = 0.01;
            if (stage == 5) params.repetition_penalty = 100;
            if (stage == 6) params.presence_penalty = params.frequency_penalty = -100;
            if (stage == 7) params.dry_multiplier = params.dry_base = 100;
            if (stage == 8) params.xtc_probability = 1;
            if (stage == 9) params.bias = bias, params.n_bias = 3;
            struct sampler *sampler = new_sampler(&params, NULL, 4);
            assert_int_equal(sampler_prompt(sampler, ids, 8, &err), JL_OK);
            for (int i = 8; i < 11; i++)
                assert_int_equal(sampler_accept(sampler, ids[i], &err), JL_OK);
            int32_t id = choose(sampler, scratch, rows[row]);
            assert_in_range(id, 0, 3);
            if (stage == 9) assert_int_not_equal(id, 2);
            sampler_free(sampler);
        }
    }
    sample_scratch_free(scratch);
}

static void test_bans(void **state) {
    (void)state;
    const float logits[3] = {2, 1, 3};
    struct sample_bias bias[] = {{2, -INFINITY}, {0, -INFINITY}, {1, -INFINITY}, {1, 50}};
    struct sample_params params = sample_params_default();
    struct sample_scratch *scratch = new_scratch(3);
    struct jl_error err;
    params.bias = bias;
    for (int how = 0; how < 3; how++) {
        int32_t id;
        params.temperature = how == 0 ? 0 : 1;
        params.top_p = how == 2 ? 0.9 : 1;
        for (params.n_bias = 0; params.n_bias <= 4; params.n_bias++) {
            struct sampler *sampler = new_sampler(&params, NULL, 3);
            enum jl_status status = sampler_choose(sampler, scratch, logits, &id, &err);
            if (params.n_bias > 2) { // a number does not lift a ban
                assert_int_equal(status, JL_ERR_USAGE);
                assert_non_null(strstr(err.message, "logit_bias"));
            } else {
                assert_int_equal(status, JL_OK);
                for (int i = 0; i < params.n_bias; i++)
                    assert_int_not_equal(id, bias[i].id);
            }
            sampler_free(sampler);
        }
    }
    sample_scratch_free(scratch);
}

static void test_refusals(void **state) {
    (void)state;
    struct sample_params params = sample_params_default();
    struct sampler_spec spec = {&params, NULL, 10, 4, 0, 0};
    struct sampler *sampler;
    struct jl_error err;
    params.dry_multiplier = 1; // breakers are text
    assert_int_equal(sampler_create(&spec, &sampler, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "tokenizer"));
    assert_null(sampler);
    params.dry_breakers = breakers;
    params.n_dry_breaker = 0;
    assert_int_equal(sampler_create(&spec, &sampler, &err), JL_OK);
    const int32_t ids[5] = {1, 2, 3, 4, 5}, bad[2] = {1, 10};
    assert_int_equal(sampler_prompt(sampler, bad, 2, &err), JL_ERR_USAGE);
    assert_int_equal(sampler_accept(sampler, -1, &err), JL_ERR_USAGE);
    assert_int_equal(sampler_prompt(sampler, ids, 5, &err), JL_ERR_LIMIT);
    assert_int_equal(sampler_prompt(sampler, ids, 4, &err), JL_OK);
    struct sample_scratch *scratch = new_scratch(9);
    int32_t id;
    const float logits[11] = {0};
    assert_int_equal(sampler_choose(sampler, scratch, logits, &id, &err), JL_ERR_USAGE);
    sampler_free(sampler);
    sample_scratch_free(scratch);
    // Logits behind the vocabulary are no tokens.
    const float spare[11] = {[3] = 1, [10] = 5};
    scratch = new_scratch(11);
    params.dry_multiplier = 0;
    struct sampler *few = new_sampler(&params, NULL, 10);
    assert_int_equal(choose(few, scratch, spare), 3);
    sampler_free(few);
    sample_scratch_free(scratch);
    params.top_p = (double)NAN;
    assert_int_equal(sampler_create(&spec, &sampler, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "top_p"));
    sampler_free(NULL);
    sample_scratch_free(NULL);
}

/* ---- log-probabilities ---- */

static void test_logprobs(void **state) {
    (void)state;
    enum { N = 300 };
    struct sample_scratch *scratch = new_scratch(N);
    float logits[N];
    for (uint32_t round = 0; round < 50; round++) {
        struct words words = {round, 0};
        for (int i = 0; i < N; i++) {
            logits[i] = 20 * rng_unit(next_word(&words));
            if (round % 2) logits[i] = (float)(int)logits[i];
        }
        struct reference_list list;
        struct sample_logprob top[N];
        int n_top = round == 9 ? N : (int)(round % 25);
        reference_list_init(&list, logits, N);
        reference_by_rank(&list);
        reference_softmax(&list);
        int32_t id = (int32_t)(next_word(&words) % N);
        double got = sample_logprobs(logits, scratch, id, n_top, top);
        double log_total = log(list.total) + list.items[0].logit;
        assert_true(fabs(got - ((double)logits[id] - log_total)) < 1e-12);
        for (int i = 0; i < n_top; i++) {
            assert_int_equal(top[i].id, list.items[i].id);
            assert_true(fabs(top[i].logprob - (list.items[i].logit - log_total)) < 1e-12);
            if (top[i].id == id) assert_true(top[i].logprob == got);
        }
        reference_list_free(&list);
    }
    sample_scratch_free(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_reading),
        cmocka_unit_test(test_known_choices),
        cmocka_unit_test(test_copies_and_discarded_choices),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_xtc_share),
        cmocka_unit_test(test_extreme_logits),
        cmocka_unit_test(test_bans),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_logprobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
