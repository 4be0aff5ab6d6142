/* Any bytes through byte-level BPE and back. The first byte chooses the pre-tokenizer; the text
 * must come out as it went in, with a user's span over part of it as without. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer.h"

#define N_PRE 64

static struct tokenizer *make(const char *pre, size_t pre_len) {
    static const struct bpe_merge_text merges[] = {
        {"a b", 3},
        {"t h", 3},
        {"th e", 4},
        {"\xC4\xA0 the", 6},
        {"\xC4\xA0 a", 4},
        {"1 2", 3},
        {"12 3", 4},
        {"\xC3\xA9 \xC4\xA9", 5},
        {"\xC4\xA0 \xC4\xA0", 5},
    };
    static const char *const words[] = {"ab",
                                        "th",
                                        "the",
                                        "\xC4\xA0the",
                                        "\304\240a",
                                        "12",
                                        "123",
                                        "\xC3\xA9\xC4\xA9",
                                        "\xC4\xA0\xC4\xA0"};
    struct token_entry tokens[256 + 9 + 1];
    char letters[256][3];
    int n = 0;
    for (uint32_t byte = 0; byte < 256; byte++, n++) {
        bool itself = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        uint32_t other = byte <= 0x20 ? byte : byte <= 0xA0 ? byte - 94 : 67;
        uint32_t code = itself ? byte : 0x100 + other;
        letters[n][0] = (char)(code < 0x80 ? code : 0xC0 | code >> 6);
        letters[n][1] = (char)(0x80 | (code & 0x3F));
        tokens[n] = (struct token_entry){letters[n], code < 0x80 ? 1 : 2, 0, TOKEN_NORMAL};
    }
    for (size_t i = 0; i < 9; i++)
        tokens[n++] = (struct token_entry){words[i], strlen(words[i]), 0, TOKEN_NORMAL};
    tokens[n++] = (struct token_entry){"<s>", 3, 0, TOKEN_CONTROL};
    const struct bpe_spec spec = {.tokens = tokens,
                                  .n_token = n,
                                  .merges = merges,
                                  .n_merge = 9,
                                  .pre = pre,
                                  .pre_len = pre_len,
                                  .bos = TOKEN_NONE,
                                  .eos = TOKEN_NONE,
                                  .unk = TOKEN_NONE};
    struct tokenizer *t;
    struct jl_error err;
    if (tokenizer_from_bpe(&spec, &t, &err) != JL_OK) abort();
    return t;
}

/* One tokenizer a pattern, kept: compiling the patterns is most of the time. */
static struct tokenizer *tokenizer_of(unsigned choice) {
    static struct tokenizer *made[N_PRE];
    static int count;
    while (count < N_PRE && tokenizer_pre_names(count))
        count++;
    int row = (int)(choice % (unsigned)count);
    const char *names = tokenizer_pre_names(row);
    if (!made[row]) made[row] = make(names, strcspn(names, " "));
    return made[row];
}

static void check(const struct tokenizer *t, const struct tokenizer_text *text, int flags) {
    struct token_ids ids;
    struct token_stream stream;
    struct jl_error err;
    char *out = NULL;
    size_t len = 0, cap = 0;
    if (tokenizer_encode_marked(t, text, flags, &ids, NULL, &err) != JL_OK) abort();
    token_stream_init(&stream, t, true);
    stream.raw = stream.show_control = true;
    for (size_t i = 0; i < ids.len; i++) {
        if (token_stream_push(&stream, ids.data[i], &out, &len, &cap, &err) != JL_OK) abort();
    }
    if (token_stream_end(&stream, &out, &len, &cap, &err) != JL_OK) abort();
    if (len != text->len || (len && memcmp(out, text->text, len) != 0)) abort();
    free(out);
    free(ids.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    const struct tokenizer *t = tokenizer_of(data[0]);
    size_t len = size - 2, cut = len ? data[1] % len : 0;
    const struct text_span user = {cut / 2, cut};
    const struct tokenizer_text text = {(const char *)data + 2, len, &user, 1};
    check(t, &text, ENCODE_SPECIAL);
    check(t, &(struct tokenizer_text){text.text, len, NULL, 0}, 0);
    return 0;
}
