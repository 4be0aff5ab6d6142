/* One line of a file of tasks: what is asked, and what is expected. Closed-world: unknown keys,
 * wrong types and keys that the check does not read are errors. docs/eval.md has all keys. */
#ifndef JL_TRAIN_EVAL_LINE_H
#define JL_TRAIN_EVAL_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "text/patterns.h"
#include "train/verify/verify.h"

#define EVAL_MAX_TOKENS 256 // of an answer, unless the task says otherwise
#define EVAL_MOST_CHOICES 64
#define EVAL_MOST_STOPS 16

enum eval_kind {
    EVAL_ANSWER, // the model answers, a verifier judges
    EVAL_CHOICE, // the likeliest of several continuations
    EVAL_LOSS,   // how likely one continuation is
};

struct eval_line {
    enum eval_kind kind;
    const char *check;  // its name
    const char *group;  // NULL: none
    const char *prompt; // n_prompt bytes; NULL: a conversation
    size_t n_prompt;
    json_t *messages, *tools; // tools NULL without
    // EVAL_ANSWER
    const struct verifier *verifier;
    struct verify_expect expect; // EVAL_LOSS: its text
    int max_tokens;
    struct pattern_text stop[EVAL_MOST_STOPS];
    int n_stop;
    // EVAL_CHOICE
    struct pattern_text choices[EVAL_MOST_CHOICES];
    int n_choice, right;
    bool per_byte; // the sum of log-probabilities is divided by the bytes of the text
    json_t *root;  // owns the texts
};

/* The first line of a file may be {"task": NAME, "defaults": {...}}. */
struct eval_head {
    const char *task;
    json_t *defaults; // NULL: none
    json_t *root;
};

/* Whether the line is a head; then *out is one. JL_ERR_FORMAT as below. */
enum jl_status eval_head_parse(const char *bytes, size_t n, bool *is_head, struct eval_head *out,
                               struct jl_error *err);
void eval_head_free(struct eval_head *head); // zeroed is fine

/* `bytes` without the newline, not blank. Keys of `defaults` (NULL: none) stand for those that are
 * absent, where the line's check reads them. JL_ERR_FORMAT: the message says what is wrong, but
 * neither file nor line. */
enum jl_status eval_line_parse(const char *bytes, size_t n, json_t *defaults, struct eval_line *out,
                               struct jl_error *err);
void eval_line_free(struct eval_line *line); // zeroed is fine

#endif
