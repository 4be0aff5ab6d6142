/* tokenize: text on standard input, token ids on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/lines.h"

static enum jl_status print_ids(const struct lines_run *run, const char *text, size_t len,
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
static enum jl_status tokenize_line(const struct lines_run *run, const json_t *value, size_t number,
                                    struct jl_error *err) {
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

static enum jl_status tokenize_all(const struct lines_run *run, const char *text, size_t len,
                                   struct jl_error *err) {
    return print_ids(run, text, len, run->special, err);
}

int cmd_tokenize(int argc, char **argv) {
    static const struct lines_command command = {
        .name = "tokenize",
        .usage = "MODEL [options] < TEXT",
        .about = "text to token ids: prints a JSON list, without the tokens put around a text",
        .example = "printf 'a text' | jinlin tokenize model.gguf",
        .special = "special tokens written in the text become tokens",
        .jsonl = "lines {\"text\": \"...\", \"special\": true}, a list each",
        .all = tokenize_all,
        .line = tokenize_line,
    };
    return lines_command_run(&command, argc, argv);
}
