/* How tokens are chosen, as a person says it: the options of every command that generates, merged
 * with what the model asks for. */
#ifndef JL_CLI_SAMPLING_H
#define JL_CLI_SAMPLING_H

#include "cli/cli.h"
#include "format/model_file.h"
#include "session/sample_model.h"

struct sampling_options {
    const char *value[SAMPLE_PARAM_COUNT]; // NULL: not said
    const char *seed;
    bool greedy;
    struct cli_list bias, breakers, stop;
};

#define SAMPLING_ROW(o, kind, field, standard, least, most, config, gguf, option, label, help)     \
    {option, NULL, CLI_TEXT, &(o).value[SAMPLE_##field], label, help, 0, 0},
/* Rows for a command's table, a comma behind the last one. */
#define SAMPLING_OPTIONS(o)                                                                        \
    SAMPLE_PARAM_LIST(SAMPLING_ROW,                                                                \
                      o){"--dry-breaker",                                                          \
                         NULL,                                                                     \
                         CLI_LIST,                                                                 \
                         &(o).breakers,                                                            \
                         "TEXT",                                                                   \
                         "DRY: no repeat goes over TEXT (repeatable); `none`: it may",             \
                         0,                                                                        \
                         0},                                                                       \
        {"--logit-bias",                                                                           \
         NULL,                                                                                     \
         CLI_LIST,                                                                                 \
         &(o).bias,                                                                                \
         "ID=B",                                                                                   \
         "B onto a token's logit; -inf: never; repeatable",                                        \
         0,                                                                                        \
         0},                                                                                       \
        {"--stop", NULL, CLI_LIST, &(o).stop, "TEXT", "ends the text before TEXT; repeatable",     \
         0,        0},                                                                             \
        {"--seed", NULL, CLI_TEXT, &(o).seed, "N", "same seed, same text (default: drawn anew)",   \
         0,        0},                                                                             \
        {"--greedy", NULL, CLI_FLAG, &(o).greedy, NULL, "always the likeliest token, as --temp 0", \
         0,          0},

/* Copies share what `sampling_free` releases. */
struct sampling {
    struct sample_params params;
    uint64_t seed;
    uint32_t sequence; // counts the answers to one question
    struct pattern_text *stop;
    size_t n_stop;
    char unmet[SAMPLE_UNMET_BYTES]; // what the model asks for that is not offered; ""
    struct sample_bias *bias;
    struct pattern_text *breakers;
};

/* Checked before a model is loaded. */
enum jl_status sampling_check(const struct sampling_options *options, struct jl_error *err);
/* Options before the model's own wishes before the likeliest token. The seed is drawn where none is
 * given. Texts stay the options'. On failure there is nothing to free. */
enum jl_status sampling_choose(const struct sampling_options *options, struct model_file *file,
                               int32_t n_vocab, struct sampling *out, struct jl_error *err);
void sampling_free(struct sampling *sampling); // zeroed is fine

#endif
