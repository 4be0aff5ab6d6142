/* Runs one tokenizer over many texts, for differential.py: pipes instead of a process a text.
 *
 *   tokenizer_driver json|model FILE [tokenizer_config.json]
 *
 * In: for each text two little-endian numbers of 32 bits, flags (enum encode_flags) and length, and
 * the bytes. Flags DRIVER_DECODE: the bytes are ids, to be decoded only. Out: the number of ids and
 * the ids, then the length of the decoded text and the text; or UINT32_MAX, and the length of a
 * message and the message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "text/tokenizer.h"

#define DRIVER_DECODE 0x80000000u

static void write_u32(uint32_t value) { fwrite(&value, sizeof value, 1, stdout); }

static void write_text(const char *text, size_t len) {
    write_u32((uint32_t)len);
    if (len) fwrite(text, 1, len, stdout);
}

static void write_failure(const struct jl_error *err) {
    write_u32(UINT32_MAX);
    write_text(err->message, strlen(err->message));
}

static enum jl_status decode(const struct tokenizer *t, const int32_t *ids, size_t n, char **text,
                             size_t *len, struct jl_error *err) {
    struct token_stream stream;
    size_t cap = 0;
    token_stream_init(&stream, t, true);
    for (size_t i = 0; i < n; i++)
        JL_TRY(token_stream_push(&stream, ids[i], text, len, &cap, err));
    return token_stream_end(&stream, text, len, &cap, err);
}

static void answer(const struct tokenizer *t, uint32_t flags, const char *bytes, size_t len) {
    struct jl_error err;
    int32_t *ids = NULL;
    size_t n = 0, text_len = 0;
    char *text = NULL;
    enum jl_status status = JL_OK;
    if (flags & DRIVER_DECODE) {
        n = len / sizeof *ids;
        ids = malloc(len ? len : 1);
        if (len) memcpy(ids, bytes, len);
    } else {
        status = tokenizer_encode(t, bytes, len, (int)flags, &ids, &n, &err);
    }
    if (status == JL_OK) status = decode(t, ids, n, &text, &text_len, &err);
    if (status == JL_OK) {
        write_u32((uint32_t)n);
        fwrite(ids, sizeof *ids, n, stdout);
        write_text(text, text_len);
    } else {
        write_failure(&err);
    }
    fflush(stdout);
    free(ids);
    free(text);
}

int main(int argc, char **argv) {
    struct tokenizer *t;
    struct jl_error err;
    char *file, *config = NULL, *bytes = NULL;
    size_t len, config_len = 0;
    uint32_t head[2];
    if (argc < 3 || file_read(argv[2], (size_t)256 << 20, &file, &len, &err) != JL_OK ||
        (argc > 3 && file_read(argv[3], (size_t)16 << 20, &config, &config_len, &err) != JL_OK)) {
        fprintf(stderr, "tokenizer_driver: %s\n", argc < 3 ? "which file?" : err.message);
        return 2;
    }
    enum jl_status status =
        strcmp(argv[1], "model") == 0
            ? tokenizer_from_sentencepiece(file, len, config, config_len, &t, &err)
            : tokenizer_from_json(file, len, config, config_len, &t, &err);
    free(file);
    free(config);
    if (status != JL_OK) {
        fprintf(stderr, "tokenizer_driver: %s\n", err.message);
        return 1;
    }
    while (fread(head, sizeof head, 1, stdin) == 1) {
        bytes = realloc(bytes, head[1] ? head[1] : 1);
        if (!bytes || fread(bytes, 1, head[1], stdin) != head[1]) break;
        answer(t, head[0], bytes, head[1]);
    }
    free(bytes);
    tokenizer_free(t);
    return 0;
}
