#include "text/bpe_train/rules.h"

#include <string.h>

#include "text/tokenizer/pre.h"
#include "text/tokenizer/pre_extra.h"

#define MOST_PATTERNS (PRE_MAX_PATTERNS + 4)

/* Rows of pre.c whose patterns mean the same in all libraries that read tokenizer.json. A GGUF file
 * holds the row's first name. */
static const char *const names[] = {"qwen2", "cl100k", "o200k", "gpt-2", NULL};

const char *bpe_train_pattern(int i) {
    return i >= 0 && (size_t)i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

/* All patterns in order; their number, 0: the name is not known. */
static int list(const struct bpe_train_rules *rules, const char *patterns[MOST_PATTERNS]) {
    const struct pre_row *row = NULL;
    int n = 0;
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], rules->pattern)) row = pre_find(names[i], strlen(names[i]));
    if (!row) return 0;
    while (n < PRE_MAX_PATTERNS && row->patterns[n]) {
        patterns[n] = row->patterns[n];
        n++;
    }
    if (rules->han_single) patterns[n++] = PRE_EXTRA_HAN;
    if (rules->digits_single) patterns[n++] = PRE_EXTRA_DIGIT;
    if (rules->newlines_single) patterns[n++] = PRE_EXTRA_NEWLINE;
    if (rules->spaces_apart) patterns[n++] = PRE_EXTRA_SPACES;
    return n;
}

enum jl_status bpe_rules_pretok(const struct bpe_train_rules *rules, struct pretok *out,
                                struct jl_error *err) {
    const char *patterns[MOST_PATTERNS];
    int n = list(rules, patterns);
    enum jl_status status = JL_OK;
    *out = (struct pretok){0};
    if (n == 0)
        return jl_fail(err, JL_ERR_USAGE, "the pattern '%.80s' is not one of %s, %s, %s, %s",
                       rules->pattern, names[0], names[1], names[2], names[3]);
    for (int i = 0; i < n && status == JL_OK; i++)
        status = pre_add_split(out, patterns[i], strlen(patterns[i]), REGEX_ONIG, err);
    if (status != JL_OK) pretok_free(out);
    return status;
}

json_t *bpe_rules_json(const struct bpe_train_rules *rules) {
    const char *patterns[MOST_PATTERNS];
    int n = list(rules, patterns);
    json_t *steps = json_array();
    for (int i = 0; i < n; i++) {
        json_t *step = json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                 patterns[i], "behavior", "Isolated", "invert", 0);
        if (json_array_append_new(steps, step)) goto fail;
    }
    json_t *bytes = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                              "trim_offsets", 0, "use_regex", 0);
    if (json_array_append_new(steps, bytes)) goto fail;
    return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps);
fail:
    json_decref(steps);
    return NULL;
}
