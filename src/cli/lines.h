/* Commands over a tokenizer that read standard input: whole, or a JSON value a line. */
#ifndef JL_CLI_LINES_H
#define JL_CLI_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/tokenizer.h"

/* What such a command works with: MODEL and --special of its command line. */
struct lines_run {
    const struct tokenizer *tokenizer;
    bool special;
};

struct lines_command {
    const char *name, *usage, *about, *example; // as in struct cli_spec
    const char *special, *jsonl;                // help of these options
    // Any bytes.
    enum jl_status (*all)(const struct lines_run *run, const char *text, size_t len,
                          struct jl_error *err);
    // With --jsonl: a line that is not blank; numbers count from 1. Duplicate keys are refused.
    enum jl_status (*line)(const struct lines_run *run, const json_t *value, size_t number,
                           struct jl_error *err);
};

/* All of the command: options, tokenizer, work; its exit code. */
int lines_command_run(const struct lines_command *command, int argc, char **argv);

enum jl_status lines_bad(size_t number, const char *what, struct jl_error *err);

/* `text`, well-formed UTF-8, as a JSON string on standard output, as json.dumps of Python writes it
 * with ensure_ascii=False. */
void lines_print_string(const char *text, size_t len);

/* A JSON list of ids and a newline on standard output. */
void lines_print_ids(const int32_t *ids, size_t n);

#endif
