#include "cli/sampling.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "text/stop_filter.h"

static enum jl_status read_seed(const char *text, uint64_t *out, struct jl_error *err) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        return jl_fail(err, JL_ERR_USAGE, "option --seed takes a whole number below 2^64, not '%s'",
                       text);
    *out = value;
    return JL_OK;
}

static enum jl_status draw_seed(uint64_t *out, struct jl_error *err) {
    uint32_t drawn; // short, so that a person can type it again
    if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn)
        return jl_fail(err, JL_ERR_IO, "the system gives no random seed: say --seed N");
    *out = drawn;
    return JL_OK;
}

static enum jl_status read_texts(const struct cli_list *list, struct pattern_text **out,
                                 struct jl_error *err) {
    *out = calloc((size_t)list->n + 1, sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for options");
    for (int i = 0; i < list->n; i++)
        (*out)[i] = (struct pattern_text){list->items[i], strlen(list->items[i])};
    return JL_OK;
}

static enum jl_status read_breakers(const struct cli_list *list, struct sampling *out,
                                    struct jl_error *err) {
    if (list->n == 0) return JL_OK;
    bool none = list->n == 1 && !strcmp(list->items[0], "none");
    struct patterns *patterns;
    JL_TRY(read_texts(list, &out->breakers, err));
    out->params.dry_breakers = out->breakers;
    out->params.n_dry_breaker = none ? 0 : (size_t)list->n;
    struct patterns_spec spec = {out->breakers, out->params.n_dry_breaker, "--dry-breaker text",
                                 false};
    JL_TRY(patterns_new(&spec, &patterns, err));
    patterns_free(patterns);
    return JL_OK;
}

static enum jl_status read_stops(const struct cli_list *list, struct sampling *out,
                                 struct jl_error *err) {
    struct stop_filter *filter;
    if (list->n == 0) return JL_OK;
    JL_TRY(read_texts(list, &out->stop, err));
    out->n_stop = (size_t)list->n;
    JL_TRY(stop_filter_new(out->stop, out->n_stop, &filter, err));
    stop_filter_free(filter);
    return JL_OK;
}

static enum jl_status read_value(const struct sampling_options *options, enum sample_param param,
                                 struct sample_params *params, struct jl_error *err) {
    struct jl_error inner;
    if (!options->value[param]) return JL_OK;
    enum jl_status status = sample_params_read(params, param, options->value[param], &inner);
    if (status == JL_OK) return JL_OK;
    return jl_fail(err, status, "option %s: %s", sample_param_row(param)->option, inner.message);
}

static enum jl_status read_options(const struct sampling_options *options, int32_t n_vocab,
                                   struct sampling *out, struct jl_error *err) {
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++)
        JL_TRY(read_value(options, (enum sample_param)i, &out->params, err));
    if (options->greedy && options->value[SAMPLE_temperature] && out->params.temperature > 0)
        return jl_fail(err, JL_ERR_USAGE, "--greedy is --temp 0: give one of the two");
    if (options->greedy) out->params.temperature = 0;
    if (options->seed) JL_TRY(read_seed(options->seed, &out->seed, err));
    for (int i = 0; i < options->bias.n; i++) {
        JL_TRY(sample_bias_read(options->bias.items[i], &out->bias, &out->params.n_bias, err));
        out->params.bias = out->bias;
    }
    JL_TRY(read_breakers(&options->breakers, out, err));
    JL_TRY(read_stops(&options->stop, out, err));
    return sample_params_check(&out->params, n_vocab, err);
}

enum jl_status sampling_check(const struct sampling_options *options, struct jl_error *err) {
    struct sampling sampling = {.params = sample_params_default()};
    enum jl_status status = read_options(options, 0, &sampling, err);
    sampling_free(&sampling);
    return status;
}

enum jl_status sampling_choose(const struct sampling_options *options, struct model_file *file,
                               int32_t n_vocab, struct sampling *out, struct jl_error *err) {
    bool replaced[SAMPLE_PARAM_COUNT];
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++)
        replaced[i] = options->value[i] || (i == SAMPLE_temperature && options->greedy);
    *out = (struct sampling){.params = sample_params_default()};
    enum jl_status status = sample_model_read(file, replaced, &out->params, out->unmet, err);
    if (status == JL_OK) status = read_options(options, n_vocab, out, err);
    if (status == JL_OK && !options->seed) status = draw_seed(&out->seed, err);
    if (status != JL_OK) sampling_free(out);
    return status;
}

void sampling_free(struct sampling *sampling) {
    free(sampling->stop);
    free(sampling->bias);
    free(sampling->breakers);
    *sampling = (struct sampling){0};
}
