#include "text/match.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_STEPS 10000000 // of PCRE2's own count
#define MATCH_HEAP 65536     // KiB

struct match {
    pcre2_code *code;
};

enum jl_status match_new(const char *pattern, size_t len, struct match **out,
                         struct jl_error *err) {
    int code = 0;
    PCRE2_SIZE at = 0;
    struct match *match = calloc(1, sizeof *match);
    *out = NULL;
    if (!match) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a pattern");
    match->code =
        pcre2_compile((PCRE2_SPTR)pattern, len,
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_MATCH_INVALID_UTF,
                      &code, &at, NULL);
    if (match->code) return *out = match, JL_OK;
    free(match);
    PCRE2_UCHAR message[128] = "";
    pcre2_get_error_message(code, message, sizeof message);
    return jl_fail(err, code == PCRE2_ERROR_HEAP_FAILED ? JL_ERR_MEMORY : JL_ERR_FORMAT,
                   "the pattern '%.*s' is wrong at byte %zu: %s", (int)(len < 200 ? len : 200),
                   pattern, (size_t)at, (const char *)message);
}

void match_free(struct match *match) {
    if (!match) return;
    pcre2_code_free(match->code);
    free(match);
}

enum jl_status match_search(const struct match *match, const char *text, size_t len, bool *found,
                            struct jl_error *err) {
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int code = PCRE2_ERROR_NOMEMORY;
    if (context && data) {
        pcre2_set_match_limit(context, MATCH_STEPS);
        pcre2_set_heap_limit(context, MATCH_HEAP);
        code = pcre2_match(match->code, (PCRE2_SPTR)text, len, 0, 0, data, context);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    *found = code >= 0;
    if (code >= 0 || code == PCRE2_ERROR_NOMATCH) return JL_OK;
    if (code == PCRE2_ERROR_NOMEMORY)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory looking for a pattern");
    return jl_fail(err, JL_ERR_LIMIT,
                   "the pattern takes too many steps in a text of %zu bytes: make it simpler", len);
}
