/* detokenize: token ids on standard input, text on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/lines.h"

struct text {
    char *data;
    size_t len, cap;
};

static enum jl_status push_id(struct token_stream *stream, const json_t *item, size_t i,
                              struct text *text, struct jl_error *err) {
    json_int_t id = json_integer_value(item);
    int size = tokenizer_vocab_size(stream->tokenizer);
    if (!json_is_integer(item)) return jl_fail(err, JL_ERR_FORMAT, "item %zu is no token id", i);
    if (id < 0 || id >= size) {
        return jl_fail(err, JL_ERR_FORMAT,
                       "item %zu is %lld, but the vocabulary has the ids 0 to %d", i, (long long)id,
                       size - 1);
    }
    return token_stream_push(stream, (int32_t)id, &text->data, &text->len, &text->cap, err);
}

/* `raw`: bytes as the tokens have them, also where they make no characters. */
static enum jl_status decode(const struct lines_run *run, const json_t *list, bool raw,
                             struct text *text, struct jl_error *err) {
    struct token_stream stream;
    const json_t *item;
    size_t i;
    if (!json_is_array(list)) return jl_fail(err, JL_ERR_FORMAT, "it must be a list of token ids");
    token_stream_init(&stream, run->tokenizer, true);
    stream.show_control = run->special;
    stream.raw = raw;
    json_array_foreach(list, i, item) JL_TRY(push_id(&stream, item, i, text, err));
    return token_stream_end(&stream, &text->data, &text->len, &text->cap, err);
}

static enum jl_status detokenize_line(const struct lines_run *run, const json_t *value,
                                      size_t number, struct jl_error *err) {
    struct text text = {0};
    struct jl_error inner;
    enum jl_status status = decode(run, value, false, &text, &inner);
    if (status == JL_OK) {
        lines_print_string(text.data, text.len);
        putchar('\n');
    } else {
        jl_fail(err, status, "standard input, line %zu: %s", number, inner.message);
    }
    free(text.data);
    return status;
}

static enum jl_status detokenize_all(const struct lines_run *run, const char *input, size_t len,
                                     struct jl_error *err) {
    struct text text = {0};
    json_error_t where;
    struct jl_error inner;
    json_t *list;
    enum jl_status status = jl_json_load(input, len, 0, &list, &where);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for standard input");
    if (status != JL_OK) {
        return jl_fail(err, status, "standard input, line %d: %s", where.line, where.text);
    }
    status = decode(run, list, true, &text, &inner);
    json_decref(list);
    if (status == JL_OK)
        fwrite(text.data, 1, text.len, stdout);
    else
        jl_fail(err, status, "standard input: %s", inner.message);
    free(text.data);
    return status;
}

int cmd_detokenize(int argc, char **argv) {
    static const struct lines_command command = {
        .name = "detokenize",
        .usage = "MODEL [options] < IDS",
        .about = "token ids to text: reads a JSON list, prints exactly the bytes of the text",
        .example = "echo '[1, 2, 3]' | jinlin detokenize model.gguf",
        .special = "write special tokens too, as their text",
        .jsonl = "a list a line, a JSON string each",
        .all = detokenize_all,
        .line = detokenize_line,
    };
    return lines_command_run(&command, argc, argv);
}
