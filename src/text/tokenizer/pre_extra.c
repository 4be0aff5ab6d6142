#include "text/tokenizer/pre_extra.h"

#include <string.h>

#include "text/utf8.h"

bool pre_extra_is(const struct pretok_step *step) {
    static const char *const known[] = {PRE_EXTRA_HAN, PRE_EXTRA_DIGIT, PRE_EXTRA_NEWLINE,
                                        PRE_EXTRA_SPACES};
    size_t len;
    if (step->kind != PRETOK_SPLIT || step->invert || step->behaviour != PRETOK_ISOLATED)
        return false;
    const char *source = regex_source(step->regex, &len);
    for (size_t i = 0; source && i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == len && !memcmp(known[i], source, len)) return true;
    return false;
}

static enum jl_status count_piece(void *ctx, const char *text, size_t len, struct jl_error *err) {
    struct pre_extra_probe *probe = ctx;
    (void)text, (void)len, (void)err;
    probe->n_piece++;
    return JL_OK;
}

enum jl_status pre_extra_keeps(struct pre_extra_probe *probe, const char *text, size_t len,
                               bool *whole, struct jl_error *err) {
    probe->run.pretok = &probe->extra;
    probe->run.word = count_piece;
    probe->run.ctx = probe;
    probe->n_piece = 0;
    JL_TRY(pretok_text(&probe->run, text, len, false, err));
    *whole = probe->n_piece == 1;
    return JL_OK;
}

bool pre_extra_is_han(const char *text, size_t len) {
    static const uint32_t ranges[][2] = {
        {0x2E80, 0x2EF3}, {0x2F00, 0x2FD5}, {0x3005, 0x3005}, {0x3007, 0x3007}, {0x3021, 0x3029},
        {0x3038, 0x303B}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xF900, 0xFAD9}, {0x20000, 0x323AF},
    };
    uint32_t code;
    if ((size_t)utf8_decode(text, len, &code) != len || len == 0) return false;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1]) return true;
    return false;
}
