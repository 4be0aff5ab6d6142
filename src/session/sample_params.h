/* How the next token is chosen: one row a setting. docs/sampling.md says what each does.
 *
 * The list makes the struct, its defaults and checks, the options of commands, the chat's /set and
 * what is read from a model's files. */
#ifndef JL_SESSION_SAMPLE_PARAMS_H
#define JL_SESSION_SAMPLE_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/patterns.h"

/* `a` is handed through. kind, field, default, least, most, key of generation_config.json, key of
 * GGUF (NULL: none), option, label, help. The default turns a stage off; REAL is a double, WHOLE an
 * int32_t. */
#define SAMPLE_PARAM_LIST(X, a)                                                                    \
    X(a, REAL, temperature, 0, 0, 100, "temperature", "general.sampling.temp", "--temp", "T",      \
      "temperature; 0: the likeliest token")                                                       \
    X(a, WHOLE, top_k, 0, -1, INT32_MAX, "top_k", "general.sampling.top_k", "--top-k", "N",        \
      "only the N likeliest tokens; 0: all")                                                       \
    X(a, REAL, top_p, 1, 0, 1, "top_p", "general.sampling.top_p", "--top-p", "P",                  \
      "only the likeliest that have probability P together; 1: all")                               \
    X(a, REAL, min_p, 0, 0, 1, "min_p", "general.sampling.min_p", "--min-p", "P",                  \
      "only those at least P times as likely as the likeliest")                                    \
    X(a, REAL, typical_p, 1, 0, 1, "typical_p", NULL, "--typical", "P",                            \
      "locally typical sampling with probability P; 1: off")                                       \
    X(a, REAL, repetition_penalty, 1, 0.01, 100, "repetition_penalty",                             \
      "general.sampling.penalty_repeat", "--repeat-penalty", "R",                                  \
      "divides the logits of tokens that occurred; 1: off")                                        \
    X(a, WHOLE, repeat_last_n, -1, -1, INT32_MAX, NULL, "general.sampling.penalty_last_n",         \
      "--repeat-last-n", "N", "how far --repeat-penalty looks back; -1: to the start")             \
    X(a, REAL, presence_penalty, 0, -100, 100, NULL, NULL, "--presence-penalty", "A",              \
      "off the logits of tokens in the answer")                                                    \
    X(a, REAL, frequency_penalty, 0, -100, 100, NULL, NULL, "--frequency-penalty", "A",            \
      "the same, for each time a token occurred")                                                  \
    X(a, REAL, dry_multiplier, 0, 0, 100, NULL, NULL, "--dry-multiplier", "A",                     \
      "DRY, against repeated sequences: its strength; 0: off")                                     \
    X(a, REAL, dry_base, 1.75, 1, 100, NULL, NULL, "--dry-base", "B",                              \
      "DRY: growth a token (default 1.75)")                                                        \
    X(a, WHOLE, dry_allowed_length, 2, 1, INT32_MAX, NULL, NULL, "--dry-allowed-length", "N",      \
      "DRY: repeats shorter than N are free (default 2)")                                          \
    X(a, WHOLE, dry_penalty_last_n, -1, -1, INT32_MAX, NULL, NULL, "--dry-penalty-last-n", "N",    \
      "DRY: how far it looks back; -1: to the start")                                              \
    X(a, REAL, xtc_probability, 0, 0, 1, NULL, "general.sampling.xtc_probability",                 \
      "--xtc-probability", "P", "XTC: how often the likeliest tokens are left out; 0: off")        \
    X(a, REAL, xtc_threshold, 0.1, 0, 1, NULL, "general.sampling.xtc_threshold",                   \
      "--xtc-threshold", "P", "XTC: which ones, all but the least of those above P (default 0.1)")

enum sample_param {
#define X(a, kind, field, ...) SAMPLE_##field,
    SAMPLE_PARAM_LIST(X, )
#undef X
        SAMPLE_PARAM_COUNT
};

/* Added to a token's logit; -INFINITY: never this token. */
struct sample_bias {
    int32_t id;
    float bias;
};

struct sample_params {
#define SAMPLE_TYPE_REAL double
#define SAMPLE_TYPE_WHOLE int32_t
#define X(a, kind, field, ...) SAMPLE_TYPE_##kind field;
    SAMPLE_PARAM_LIST(X, )
#undef X
    const struct sample_bias *bias; // (n_bias), of several for one id the sum; the caller's
    int32_t n_bias;
    // Sequence breakers of DRY; NULL: SAMPLE_DRY_BREAKERS. The caller's.
    const struct pattern_text *dry_breakers;
    size_t n_dry_breaker;
};
#define SAMPLE_MAX_BIAS (1 << 20)
#define SAMPLE_DRY_BREAKERS                                                                        \
    {                                                                                              \
        {"\n", 1}, {":", 1}, {"\"", 1}, { "*", 1 }                                                 \
    }

/* What stands about each setting. */
struct sample_param_row {
    const char *name;
    bool whole;
    double standard, least, most;
    const char *config_key, *gguf_key, *option, *label, *help;
};
const struct sample_param_row *sample_param_row(enum sample_param param);
/* By its name or its option's, `-` and `_` being one: "top_k", "repeat_penalty", "temp". */
bool sample_param_find(const char *name, enum sample_param *out);

/* Every stage off: the likeliest token. */
struct sample_params sample_params_default(void);
double sample_params_get(const struct sample_params *params, enum sample_param param);
/* JL_ERR_USAGE names the setting, the value and the range; then nothing has changed. */
enum jl_status sample_params_set(struct sample_params *params, enum sample_param param,
                                 double value, struct jl_error *err);
/* The same from a number's text. */
enum jl_status sample_params_read(struct sample_params *params, enum sample_param param,
                                  const char *text, struct jl_error *err);
/* "ID=B" with B a number or -inf; several are separated by commas. Appends to a heap list. */
enum jl_status sample_bias_read(const char *text, struct sample_bias **list, int32_t *n,
                                struct jl_error *err);
/* All of it. n_vocab 0: ids are not looked at. */
enum jl_status sample_params_check(const struct sample_params *params, int32_t n_vocab,
                                   struct jl_error *err);
/* "temperature 0.6, top_k 20": what is not its default; cut where `size` ends. */
void sample_params_describe(const struct sample_params *params, char *out, size_t size);

#endif
