/* tokenize: text on standard input, token ids on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/lines.h"
#include "session/open_tokenizer.h"

struct tokenize {
    const struct tokenizer *tokenizer;
    bool special;
};

static enum jl_status print_ids(const struct tokenize *run, const char *text, size_t len,
                                bool special, struct jl_error *err) {
    int32_t *ids;
    size_t n;
    JL_TRY(
        tokenizer_encode(run->tokenizer, text, len, special ? ENCODE_SPECIAL : 0, &ids, &n, err));
    lines_print_ids(ids, n);
    free(ids);
    return JL_OK;
}

/* {"text": "...", "special": true} */
static enum jl_status tokenize_line(void *ctx, const json_t *value, size_t number,
                                    struct jl_error *err) {
    const struct tokenize *run = ctx;
    const json_t *text = json_object_get(value, "text");
    const json_t *special = json_object_get(value, "special");
    struct jl_error inner;
    if (!json_is_string(text))
        return lines_bad(number, "it must be an object with a string \"text\"", err);
    if (special && !json_is_boolean(special))
        return lines_bad(number, "\"special\" must be true or false", err);
    if (json_object_size(value) != (special ? 2u : 1u))
        return lines_bad(number, "it may have the keys \"text\" and \"special\", and no other",
                         err);
    enum jl_status status = print_ids(run, json_string_value(text), json_string_length(text),
                                      special ? json_is_true(special) : run->special, &inner);
    if (status == JL_OK) return JL_OK;
    return jl_fail(err, status, "standard input, line %zu: %s", number, inner.message);
}

static enum jl_status tokenize_all(const struct tokenize *run, struct jl_error *err) {
    char *text;
    size_t len;
    JL_TRY(lines_read_all(&text, &len, err));
    enum jl_status status = print_ids(run, text, len, run->special, err);
    free(text);
    return status;
}

int cmd_tokenize(int argc, char **argv) {
    const char *model, *pre = NULL;
    bool special = false, lines = false, done;
    const struct cli_option options[] = {
        {"--special", NULL, CLI_FLAG, &special, NULL,
         "special tokens written in the text become tokens", 0, 0},
        {"--jsonl", NULL, CLI_FLAG, &lines, NULL,
         "lines {\"text\": \"...\", \"special\": true}, a list each", 0, 0},
        {"--pre", NULL, CLI_TEXT, &pre, "NAME", "how a rank file's text is split, as in qwen2", 0,
         0},
    };
    const struct cli_spec spec = {
        "tokenize",
        "MODEL [options] < TEXT",
        "text to token ids: prints a JSON list, without the tokens put around a text",
        "printf 'a text' | jinlin tokenize model.gguf",
        options,
        sizeof options / sizeof options[0],
        1,
        1};
    struct jl_error err = {0};
    struct tokenizer *tokenizer = NULL;
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = open_tokenizer_path(model, pre, &tokenizer, &err);
    struct tokenize run = {tokenizer, special};
    if (status == JL_OK)
        status = lines ? lines_for_each(tokenize_line, &run, &err) : tokenize_all(&run, &err);
    tokenizer_free(tokenizer);
    return cli_finish(&spec, status, &err);
}
