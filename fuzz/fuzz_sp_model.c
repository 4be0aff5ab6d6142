/* A tokenizer.model: what opens must encode and decode. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

static void use(const struct tokenizer *t) {
    static const char text[] =
        " the golden <s>scale\t\xEF\xAC\x81 e\xCC\x81\xFF\xF0\x9F\x98\x80 aaaa";
    struct jl_error err;
    int32_t *ids;
    size_t n, len = 0, cap = 0;
    char *back = NULL;
    struct token_stream stream;
    int flags = ENCODE_SPECIAL | ENCODE_ADD_BOS;
    if (tokenizer_encode(t, text, sizeof text - 1, flags, &ids, &n, &err) != JL_OK) return;
    token_stream_init(&stream, t, true);
    for (size_t i = 0; i < n; i++) {
        if (token_stream_push(&stream, ids[i], &back, &len, &cap, &err) != JL_OK) abort();
    }
    if (token_stream_end(&stream, &back, &len, &cap, &err) != JL_OK) abort();
    free(back);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tokenizer *t;
    struct jl_error err = {0};
    if (tokenizer_from_sentencepiece(data, size, NULL, 0, &t, &err) == JL_OK) {
        use(t);
        tokenizer_free(t);
    } else if (err.message[0] == '\0' || t) {
        abort();
    }
    return 0;
}
