#include "cli/lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "session/open_tokenizer.h"

#define MAX_INPUT ((size_t)4 << 30)

enum jl_status lines_bad(size_t number, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "standard input, line %zu: %s", number, what);
}

static enum jl_status one_line(const char *line, size_t len, size_t number, json_t **value,
                               struct jl_error *err) {
    json_error_t where;
    enum jl_status status =
        jl_json_load(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, value, &where);
    if (status == JL_OK) return JL_OK;
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for standard input");
    return jl_fail(err, JL_ERR_FORMAT, "standard input, line %zu: %s", number, where.text);
}

static bool is_blank(const char *line, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r' && line[i] != '\n') return false;
    }
    return true;
}

static enum jl_status run_lines(const struct lines_command *command, const struct lines_run *run,
                                struct jl_error *err) {
    enum jl_status status = JL_OK;
    char *line = NULL;
    size_t cap = 0, number = 1;
    for (; status == JL_OK; number++) {
        ssize_t len = getline(&line, &cap, stdin);
        if (len < 0) break;
        if (is_blank(line, (size_t)len)) continue;
        json_t *value = NULL;
        status = one_line(line, (size_t)len, number, &value, err);
        if (status == JL_OK) status = command->line(run, value, number, err);
        json_decref(value);
    }
    free(line);
    if (status == JL_OK && ferror(stdin))
        return jl_fail(err, JL_ERR_IO, "standard input cannot be read: %s", strerror(errno));
    return status;
}

void lines_print_string(const char *text, size_t len) {
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        const char *found = byte ? memchr(special, byte, sizeof special - 1) : NULL;
        if (found)
            printf("\\%c", letters[found - special]);
        else if (byte < 0x20)
            printf("\\u%04x", (unsigned)byte);
        else
            putchar(byte);
    }
    putchar('"');
}

/* Writes the digits of `value` at `at`. */
static char *put_number(char *at, uint32_t value) {
    char digits[12];
    char *first = digits + sizeof digits;
    for (; value >= 100; value /= 100) { // two at a time
        *--first = (char)('0' + value % 10);
        *--first = (char)('0' + value / 10 % 10);
    }
    *--first = (char)('0' + value % 10);
    if (value >= 10) *--first = (char)('0' + value / 10);
    size_t n = (size_t)(digits + sizeof digits - first);
    memcpy(at, first, n);
    return at + n;
}

/* Millions of ids: printf would take longer than finding them did. */
void lines_print_ids(const int32_t *ids, size_t n) {
    char block[1 << 14], *at = block;
    *at++ = '[';
    for (size_t i = 0; i < n; i++) {
        if (block + sizeof block - at < 16) {
            fwrite(block, 1, (size_t)(at - block), stdout);
            at = block;
        }
        if (i) {
            *at++ = ',';
            *at++ = ' ';
        }
        at = put_number(at, (uint32_t)ids[i]);
    }
    fwrite(block, 1, (size_t)(at - block), stdout);
    fputs("]\n", stdout);
}

static enum jl_status run_all(const struct lines_command *command, const struct lines_run *run,
                              struct jl_error *err) {
    char *text;
    size_t len;
    JL_TRY(file_read_standard(MAX_INPUT, &text, &len, err));
    enum jl_status status = command->all(run, text, len, err);
    free(text);
    return status;
}

int lines_command_run(const struct lines_command *command, int argc, char **argv) {
    const char *model, *pre = NULL;
    bool lines = false, done;
    struct tokenizer *tokenizer = NULL;
    struct lines_run run = {0};
    struct jl_error err = {0};
    const struct cli_option options[] = {
        {"--special", NULL, CLI_FLAG, &run.special, NULL, command->special, 0, 0},
        {"--jsonl", NULL, CLI_FLAG, &lines, NULL, command->jsonl, 0, 0},
        {"--pre", NULL, CLI_TEXT, &pre, "NAME", "how a rank file's text is split, as in qwen2", 0,
         0},
    };
    const struct cli_spec spec = {command->name,
                                  command->usage,
                                  command->about,
                                  command->example,
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1,
                                  true};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = open_tokenizer_path(model, pre, &tokenizer, &err);
    run.tokenizer = tokenizer;
    if (status == JL_OK)
        status = lines ? run_lines(command, &run, &err) : run_all(command, &run, &err);
    tokenizer_free(tokenizer);
    return cli_finish(&spec, status, &err);
}
