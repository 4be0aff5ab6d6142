#include "session/sample_params.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS_REAL false
#define IS_WHOLE true

static const struct sample_param_row rows[] = {
#define X(a, kind, field, standard, least, most, config, gguf, option, label, help)                \
    {#field, IS_##kind, standard, least, most, config, gguf, option, label, help},
    SAMPLE_PARAM_LIST(X, )
#undef X
};

const struct sample_param_row *sample_param_row(enum sample_param param) { return &rows[param]; }

/* `-` and `_` are one. */
static bool same_name(const char *a, const char *b) {
    while (*a && (*a == *b || (strchr("-_", *a) && strchr("-_", *b) && *b))) {
        a++;
        b++;
    }
    return *a == *b;
}

bool sample_param_find(const char *name, enum sample_param *out) {
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        if (!same_name(rows[i].name, name) && !same_name(rows[i].option + 2, name)) continue;
        *out = (enum sample_param)i;
        return true;
    }
    return false;
}

struct sample_params sample_params_default(void) {
    return (struct sample_params){
#define X(a, kind, field, standard, ...) .field = standard,
        SAMPLE_PARAM_LIST(X, )
#undef X
    };
}

double sample_params_get(const struct sample_params *params, enum sample_param param) {
    switch (param) {
#define X(a, kind, field, ...)                                                                     \
    case SAMPLE_##field: return (double)params->field;
        SAMPLE_PARAM_LIST(X, )
#undef X
    case SAMPLE_PARAM_COUNT: break;
    }
    return 0;
}

static void store(struct sample_params *params, enum sample_param param, double value) {
    switch (param) {
#define X(a, kind, field, ...)                                                                     \
    case SAMPLE_##field: params->field = (SAMPLE_TYPE_##kind)value; break;
        SAMPLE_PARAM_LIST(X, )
#undef X
    case SAMPLE_PARAM_COUNT: break;
    }
}

static enum jl_status refuse(enum sample_param param, const char *value, struct jl_error *err) {
    const struct sample_param_row *row = &rows[param];
    if (row->most == INT32_MAX)
        return jl_fail(err, JL_ERR_USAGE, "%s is a whole number from %.0f, not %s", row->name,
                       row->least, value);
    return jl_fail(err, JL_ERR_USAGE, "%s is a %snumber from %g to %g, not %s", row->name,
                   row->whole ? "whole " : "", row->least, row->most, value);
}

static bool fits(enum sample_param param, double value) {
    const struct sample_param_row *row = &rows[param];
    return value >= row->least && value <= row->most && // NaN is not
           (!row->whole || value == (double)(int32_t)value);
}

enum jl_status sample_params_set(struct sample_params *params, enum sample_param param,
                                 double value, struct jl_error *err) {
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    if (!fits(param, value)) return refuse(param, text, err);
    store(params, param, value);
    return JL_OK;
}

/* A decimal number and nothing else: no white space, no hexadecimal digits. */
static bool read_number(const char *text, const char *end, double *out) {
    char *stop;
    if (text == end || end - text > 60) return false;
    for (const char *c = text; c < end; c++)
        if (!strchr("0123456789+-.eE", *c)) return false;
    *out = strtod(text, &stop);
    return stop == end;
}

enum jl_status sample_params_read(struct sample_params *params, enum sample_param param,
                                  const char *text, struct jl_error *err) {
    double value;
    char quoted[64];
    snprintf(quoted, sizeof quoted, "'%.50s'", text);
    if (!read_number(text, text + strlen(text), &value) || !fits(param, value))
        return refuse(param, quoted, err);
    store(params, param, value);
    return JL_OK;
}

/* ---- biases ---- */

static bool read_bias(const char *at, const char *end, struct sample_bias *out) {
    char *stop;
    double value;
    if (*at < '0' || *at > '9') return false;
    errno = 0;
    long id = strtol(at, &stop, 10);
    if (errno || id > INT32_MAX || *stop != '=' || stop >= end) return false;
    at = stop + 1;
    *out = (struct sample_bias){(int32_t)id, -INFINITY};
    if (end - at == 4 && !memcmp(at, "-inf", 4)) return true;
    if (!read_number(at, end, &value) || !(fabs(value) <= (double)__FLT_MAX__)) return false;
    out->bias = (float)value;
    return true;
}

enum jl_status sample_bias_read(const char *text, struct sample_bias **list, int32_t *n,
                                struct jl_error *err) {
    for (const char *at = text;; at++) {
        const char *end = at + strcspn(at, ",");
        struct sample_bias bias;
        if (!read_bias(at, end, &bias))
            return jl_fail(err, JL_ERR_USAGE,
                           "logit_bias is ID=NUMBER or ID=-inf, several with commas between, not "
                           "'%.60s'",
                           text);
        if (*n == SAMPLE_MAX_BIAS)
            return jl_fail(err, JL_ERR_USAGE, "more than %d biases", SAMPLE_MAX_BIAS);
        struct sample_bias *grown = realloc(*list, ((size_t)*n + 1) * sizeof *grown);
        if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for biases");
        *list = grown;
        grown[(*n)++] = bias;
        at = end;
        if (!*at) return JL_OK;
    }
}

/* ---- all of it ---- */

enum jl_status sample_params_check(const struct sample_params *params, int32_t n_vocab,
                                   struct jl_error *err) {
    struct sample_params copy = *params;
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++)
        JL_TRY(sample_params_set(&copy, (enum sample_param)i,
                                 sample_params_get(params, (enum sample_param)i), err));
    if (params->n_bias < 0 || params->n_bias > SAMPLE_MAX_BIAS)
        return jl_fail(err, JL_ERR_USAGE, "%d biases; 0 to %d are possible", params->n_bias,
                       SAMPLE_MAX_BIAS);
    for (int32_t i = 0; i < params->n_bias; i++) {
        const struct sample_bias *bias = &params->bias[i];
        if (bias->id < 0 || (n_vocab && bias->id >= n_vocab))
            return jl_fail(err, JL_ERR_USAGE,
                           "logit_bias names token %d; the vocabulary has 0 to %d", bias->id,
                           n_vocab ? n_vocab - 1 : INT32_MAX);
        if (!(bias->bias < INFINITY)) // NaN is not
            return jl_fail(err, JL_ERR_USAGE, "logit_bias of token %d is %g: a number or -inf",
                           bias->id, (double)bias->bias);
    }
    return JL_OK;
}

void sample_params_describe(const struct sample_params *params, char *out, size_t size) {
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < SAMPLE_PARAM_COUNT + 1; i++) {
        char item[64] = "";
        double value = i < SAMPLE_PARAM_COUNT ? sample_params_get(params, (enum sample_param)i) : 0;
        if (i == SAMPLE_PARAM_COUNT && params->n_bias)
            snprintf(item, sizeof item, "%d biases", params->n_bias);
        else if (i < SAMPLE_PARAM_COUNT && (i == 0 || value != rows[i].standard))
            snprintf(item, sizeof item, "%s %g", rows[i].name, value);
        if (!*item) continue;
        int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", item);
        if (n < 0 || (size_t)n >= size - used) return;
        used += (size_t)n;
    }
}
