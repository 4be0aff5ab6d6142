/* tokenizer.json from outside: whatever opens must encode and decode without a fault. The bytes up
 * to the first NUL are the file, the rest is a text. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

static void try_text(const struct tokenizer *t, const char *text, size_t len) {
    int32_t *ids;
    size_t n, out_len = 0, cap = 0;
    struct jl_error err;
    char *out = NULL;
    if (tokenizer_encode(t, text, len, ENCODE_SPECIAL | ENCODE_ADD_BOS, &ids, &n, &err) != JL_OK)
        return;
    struct token_stream stream;
    token_stream_init(&stream, t, true);
    stream.show_control = len % 2;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= tokenizer_vocab_size(t)) abort();
        if (token_stream_push(&stream, ids[i], &out, &out_len, &cap, &err) != JL_OK) abort();
    }
    if (token_stream_end(&stream, &out, &out_len, &cap, &err) != JL_OK) abort();
    free(out);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *json = (const char *)data;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t len = nul ? (size_t)(nul - data) : size;
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_json(json, len, NULL, 0, &t, &err) != JL_OK) return 0;
    try_text(t, "The golden  scale's 12 \xE9\x87\x91\n", 26);
    if (nul && size - len - 1 < 4096) try_text(t, json + len + 1, size - len - 1);
    tokenizer_free(t);
    return 0;
}
