/* What choosing a token costs at the vocabulary of Qwen: microseconds, the best and the median of
 * many rounds. Logits are bell-shaped with a few that stand out; the history is 4000 tokens.
 *
 *     ninja -C build bench/bench_sampling && build/bench/bench_sampling */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "session/sampler.h"

enum { N_VOCAB = 151936, N_PAST = 4000, N_LOGITS = 8, ROUNDS = 60 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void fill(float *logits, uint32_t sequence, bool flat) {
    for (int i = 0; i < N_VOCAB; i++) {
        struct rng_key key = {1, sequence, (uint32_t)i, RNG_TEST};
        float sum = -2;
        for (uint64_t k = 0; k < 4; k++)
            sum += rng_uniform(&key, k);
        logits[i] = sum * (flat ? 1 : 5);
        if (!flat && i % 15000 == 7) logits[i] += 9 + 3 * (float)(i % 4);
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct item {
    const char *name;
    const char *settings[8]; // name, value, ...
    bool flat, logprobs;
};

static const struct item items[] = {
    {"the likeliest", {"temperature", "0"}, false, false},
    {"top_k 40, top_p 0.95", {"top_k", "40", "top_p", "0.95"}, false, false},
    {"  + repetition penalty", {"top_k", "40", "top_p", "0.95", "repetition_penalty", "1.1"}, 0, 0},
    {"  + DRY", {"top_k", "40", "top_p", "0.95", "dry_multiplier", "0.8"}, false, false},
    {"top_k 1000", {"top_k", "1000"}, false, false},
    {"min_p 0.05", {"min_p", "0.05"}, false, false},
    {"temperature alone", {"temperature", "0.8"}, false, false},
    {"top_p 0.95", {"top_p", "0.95"}, false, false},
    {"top_p 0.95, flat", {"top_p", "0.95"}, true, false},
    {"typical 0.9", {"typical_p", "0.9"}, false, false},
    {"typical 0.9, flat", {"typical_p", "0.9"}, true, false},
    {"20 log-probabilities", {"temperature", "0"}, false, true},
};

static enum jl_status measure(const struct item *item, float (*logits)[N_VOCAB],
                              struct sample_scratch *scratch, struct jl_error *err) {
    static const struct pattern_text no_breaker[1];
    struct sample_params params = sample_params_default();
    struct sampler_spec spec = {.params = &params, .n_vocab = N_VOCAB, .n_max = N_PAST + 1};
    struct sampler *sampler;
    struct sample_logprob top[20];
    double times[ROUNDS];
    params.temperature = 0.8;
    params.dry_breakers = no_breaker;
    for (int i = 0; i < 8 && item->settings[i]; i += 2) {
        enum sample_param param;
        if (!sample_param_find(item->settings[i], &param)) return JL_ERR_USAGE;
        JL_TRY(sample_params_read(&params, param, item->settings[i + 1], err));
    }
    JL_TRY(sampler_create(&spec, &sampler, err));
    enum jl_status status = JL_OK;
    for (int i = 0; i < N_PAST && status == JL_OK; i++)
        status = sampler_accept(sampler, i % 3 ? i * 7919 % N_VOCAB : 0, err);
    for (int r = 0; r < ROUNDS && status == JL_OK; r++) {
        const float *row = item->flat ? logits[N_LOGITS] : logits[r % N_LOGITS];
        int32_t id = 0;
        double started = now();
        if (item->logprobs)
            sample_logprobs(row, scratch, id, 20, top);
        else
            status = sampler_choose(sampler, scratch, row, &id, err);
        times[r] = now() - started;
    }
    sampler_free(sampler);
    qsort(times, ROUNDS, sizeof *times, by_size);
    if (status == JL_OK) printf("%-24s %8.0f %8.0f\n", item->name, times[0], times[ROUNDS / 2]);
    return status;
}

int main(void) {
    float(*logits)[N_VOCAB] = calloc(N_LOGITS + 1, sizeof *logits);
    struct sample_scratch *scratch = NULL;
    struct jl_error err = {0};
    enum jl_status status = logits ? sample_scratch_create(N_VOCAB, &scratch, &err)
                                   : jl_fail(&err, JL_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; logits && i <= N_LOGITS; i++)
        fill(logits[i], i, i == N_LOGITS);
    printf("%-24s %8s %8s\n", "us a token", "best", "median");
    for (size_t i = 0; i < sizeof items / sizeof items[0] && status == JL_OK; i++)
        status = measure(&items[i], logits, scratch, &err);
    if (status != JL_OK) fprintf(stderr, "%s\n", err.message);
    sample_scratch_free(scratch);
    free(logits);
    return status != JL_OK;
}
