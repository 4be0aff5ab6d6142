#include "session/dry.h"

#include <stdlib.h>
#include <string.h>

#include "base/fmath.h"
#include "session/penalty.h"

struct breakers { // shared by copies
    struct patterns *patterns;
    int n_user;
};

struct dry {
    double multiplier, base;
    int32_t allowed_length, last_n;
    const struct tokenizer *tokenizer;
    struct breakers *breakers;
    uint32_t state[PATTERNS_MAX]; // of the breakers, behind the last token
    struct token_stream stream;
    int since;    // tokens behind the last one in which a breaker ended
    int n_max;    // tokens
    int32_t *run; // (n_max), see find_runs
    char *text;   // of one token
    size_t len, cap;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the sequences of DRY");
}

static enum jl_status make_breakers(const struct sample_params *params, struct breakers **out,
                                    struct jl_error *err) {
    static const struct pattern_text standard[] = SAMPLE_DRY_BREAKERS;
    struct patterns_spec spec = {.what = "sequence breaker"};
    spec.texts = params->dry_breakers ? params->dry_breakers : standard;
    spec.n = params->dry_breakers ? params->n_dry_breaker : sizeof standard / sizeof standard[0];
    *out = calloc(1, sizeof **out);
    if (!*out) return no_memory(err);
    (*out)->n_user = 1;
    return patterns_new(&spec, &(*out)->patterns, err);
}

static enum jl_status allocate(struct dry *dry, struct jl_error *err) {
    dry->run = calloc((size_t)(dry->n_max > 0 ? dry->n_max : 1), sizeof *dry->run);
    dry->cap = 1024; // for tokens of up to 200 bytes; a longer one makes it grow
    dry->text = malloc(dry->cap);
    return dry->run && dry->text ? JL_OK : no_memory(err);
}

enum jl_status dry_create(const struct sample_params *params, const struct tokenizer *tokenizer,
                          int n_max, struct dry **out, struct jl_error *err) {
    struct dry *dry = calloc(1, sizeof *dry);
    *out = NULL;
    if (!dry) return no_memory(err);
    dry->multiplier = params->dry_multiplier;
    dry->base = params->dry_base;
    dry->allowed_length = params->dry_allowed_length;
    dry->last_n = params->dry_penalty_last_n;
    dry->tokenizer = tokenizer;
    dry->n_max = n_max;
    enum jl_status status = make_breakers(params, &dry->breakers, err);
    if (status == JL_OK && !tokenizer && patterns_count(dry->breakers->patterns))
        status = jl_fail(err, JL_ERR_USAGE,
                         "DRY looks for its sequence breakers in the text, and there is no "
                         "tokenizer: give none");
    if (status == JL_OK) status = allocate(dry, err);
    if (status != JL_OK) {
        dry_free(dry);
        return status;
    }
    dry_start(dry);
    *out = dry;
    return JL_OK;
}

enum jl_status dry_copy(const struct dry *from, struct dry **out, struct jl_error *err) {
    struct dry *dry = malloc(sizeof *dry);
    *out = NULL;
    if (!dry) return no_memory(err);
    *dry = *from;
    __atomic_fetch_add(&dry->breakers->n_user, 1, __ATOMIC_RELAXED);
    enum jl_status status = allocate(dry, err);
    if (status != JL_OK) {
        dry_free(dry);
        return status;
    }
    *out = dry;
    return JL_OK;
}

void dry_free(struct dry *dry) {
    if (!dry) return;
    struct breakers *breakers = dry->breakers;
    if (breakers && __atomic_sub_fetch(&breakers->n_user, 1, __ATOMIC_ACQ_REL) == 0) {
        patterns_free(breakers->patterns);
        free(breakers);
    }
    free(dry->run);
    free(dry->text);
    free(dry);
}

/* ---- breakers ---- */

void dry_start(struct dry *dry) {
    memset(dry->state, 0, sizeof dry->state);
    dry->since = 0;
    if (!dry->tokenizer) return;
    token_stream_init(&dry->stream, dry->tokenizer, false);
    dry->stream.raw = dry->stream.show_control = true;
}

/* Whether a breaker ends in the token; state and stream are behind it then. */
static enum jl_status pass(struct dry *dry, int32_t id, struct token_stream *stream,
                           uint32_t *state, bool *breaks, struct jl_error *err) {
    *breaks = false;
    if (patterns_count(dry->breakers->patterns) == 0) return JL_OK;
    if (id >= tokenizer_vocab_size(dry->tokenizer)) return JL_OK; // a model's spare rows: no text
    dry->len = 0;
    JL_TRY(token_stream_push(stream, id, &dry->text, &dry->len, &dry->cap, err));
    for (size_t i = 0; i < dry->len; i++)
        if (patterns_step(dry->breakers->patterns, state, dry->text[i]) >= 0) *breaks = true;
    return JL_OK;
}

enum jl_status dry_accept(struct dry *dry, int32_t id, struct jl_error *err) {
    bool breaks;
    JL_TRY(pass(dry, id, &dry->stream, dry->state, &breaks, err));
    dry->since = breaks ? 0 : dry->since + 1;
    return JL_OK;
}

static enum jl_status would_break(struct dry *dry, int32_t id, bool *out, struct jl_error *err) {
    struct token_stream stream = dry->stream;
    uint32_t state[PATTERNS_MAX];
    memcpy(state, dry->state, sizeof state);
    return pass(dry, id, &stream, state, out, err);
}

/* ---- sequences ---- */

/* run[j]: how many tokens that end j before the last agree with as many at the end. With the tokens
 * read backwards that is the Z function (Gusfield 1997): linear. */
static void find_runs(const int32_t *last, int n, int32_t *run) {
    int from = 0, until = 0; // the stretch [from, until) is known to agree with [0, until - from)
    for (int j = 1; j < n; j++) {
        int32_t length = 0;
        if (j < until) length = run[j - from] < until - j ? run[j - from] : until - j;
        while (j + length < n && last[-length] == last[-(j + length)])
            length++;
        run[j] = length;
        if (j + length > until) {
            from = j;
            until = j + length;
        }
    }
}

static double penalty(const struct dry *dry, int32_t length) {
    return dry->multiplier * fmath_pow64(dry->base, (double)(length - dry->allowed_length));
}

enum jl_status dry_apply(struct dry *dry, const int32_t *ids, int n, float *logits, int32_t *marks,
                         struct jl_error *err) {
    if (dry->last_n >= 0 && n > dry->last_n) {
        ids += n - dry->last_n;
        n = dry->last_n;
    }
    if (dry->since < dry->allowed_length || n < 2) return JL_OK;
    const int32_t *last = ids + n - 1;
    enum jl_status status = JL_OK;
    find_runs(last, n, dry->run);
    for (int j = 1; j < n; j++) {
        int32_t length = dry->run[j] < dry->since ? dry->run[j] : dry->since, next = last[1 - j];
        if (length >= dry->allowed_length && length > marks[next]) marks[next] = length;
    }
    for (int j = 1; j < n; j++) {
        int32_t next = last[1 - j], length = marks[next];
        bool breaks = false;
        if (!length) continue;
        marks[next] = 0;
        if (status == JL_OK) status = would_break(dry, next, &breaks, err);
        if (!breaks) penalty_subtract(&logits[next], penalty(dry, length));
    }
    return status;
}
