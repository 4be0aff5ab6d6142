#include "text/tokenizer/regex.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define STACK_START ((size_t)64 << 10)
#define STACK_MAX ((size_t)128 << 20) // grown only while a match needs it
#define MATCH_LIMIT UINT32_MAX        // of PCRE2's own: steps are counted here

struct regex {
    pcre2_code *code;
    bool jit;
    char *source; // NULL of a plain text
    size_t source_len;
    struct automaton *automaton; // NULL: PCRE2 does it all
    uint64_t steps_byte;         // what a byte of a text allows
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a pattern");
}

/* Patterns whose plain form takes quadratic time, and an equal one that does not. `\s+$` starts
 * anew at each space of a run that does not end the text: only a run's start can match. */
static const struct {
    enum regex_flavour flavour;
    const char *pattern, *same;
} rewrites[] = {
    {REGEX_RUST, "\\s+$", "(?<!\\s)\\s++$"},
    {REGEX_ONIG, "\\s+$", "(?<!\\s)\\s++\\z|(?<!\\s)\\s+(?=\\n)"},
};

static enum jl_status compile(const char *pattern, size_t len, uint32_t options, struct regex **out,
                              struct jl_error *err) {
    int code;
    PCRE2_SIZE at;
    struct regex *regex = calloc(1, sizeof *regex);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!regex || !context) {
        free(regex);
        pcre2_compile_context_free(context);
        return no_memory(err);
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!regex->code) {
        PCRE2_UCHAR message[128] = "";
        free(regex);
        pcre2_get_error_message(code, message, sizeof message);
        return jl_fail(err, code == PCRE2_ERROR_NOMEMORY ? JL_ERR_MEMORY : JL_ERR_UNSUPPORTED,
                       "the pattern '%.*s' is not supported: %s", (int)(len < 200 ? len : 200),
                       pattern, (const char *)message);
    }
    regex->jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
    regex->steps_byte = REGEX_STEPS + REGEX_STEPS_ITEM * len;
    *out = regex;
    return JL_OK;
}

static enum jl_status add_automaton(struct regex **regex, const struct byte_buffer *pattern,
                                    bool multiline, struct jl_error *err) {
    if (automaton_build(pattern->data, pattern->len, multiline, &(*regex)->automaton)) return JL_OK;
    regex_free(*regex);
    *regex = NULL;
    return no_memory(err);
}

enum jl_status regex_compile(const char *pattern, size_t len, enum regex_flavour flavour,
                             struct regex **out, struct jl_error *err) {
    struct byte_buffer text = {0};
    const char *source = pattern;
    size_t source_len = len;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT;
    options |= flavour == REGEX_ONIG ? PCRE2_MULTILINE : PCRE2_DOLLAR_ENDONLY;
    *out = NULL;
    for (size_t i = 0; i < sizeof rewrites / sizeof rewrites[0]; i++) {
        if (rewrites[i].flavour != flavour || strlen(rewrites[i].pattern) != len ||
            memcmp(rewrites[i].pattern, pattern, len) != 0)
            continue;
        pattern = rewrites[i].same;
        len = strlen(pattern);
        break;
    }
    enum jl_status status = regex_translate(pattern, len, flavour, &text, err);
    if (status == JL_OK) status = compile(text.data, text.len, options, out, err);
    if (status == JL_OK) status = add_automaton(out, &text, flavour == REGEX_ONIG, err);
    buffer_free(&text);
    if (status != JL_OK) return status;
    (*out)->source = strndup(source, source_len);
    (*out)->source_len = source_len;
    if ((*out)->source) return JL_OK;
    regex_free(*out);
    *out = NULL;
    return no_memory(err);
}

const char *regex_source(const struct regex *regex, size_t *len) {
    *len = regex->source_len;
    return regex->source;
}

enum jl_status regex_compile_text(const char *text, size_t len, struct regex **out,
                                  struct jl_error *err) {
    struct byte_buffer pattern = {0};
    *out = NULL;
    if (len == 0 || len > REGEX_MAX_BYTES)
        return jl_fail(err, JL_ERR_LIMIT, "a text to split at has %zu bytes", len);
    JL_TRY(compile(text, len, PCRE2_UTF | PCRE2_LITERAL | PCRE2_AUTO_CALLOUT, out, err));
    enum jl_status status = regex_translate_text(text, len, &pattern, err);
    if (status == JL_OK) status = add_automaton(out, &pattern, false, err);
    buffer_free(&pattern);
    return status;
}

void regex_free(struct regex *regex) {
    if (!regex) return;
    pcre2_code_free(regex->code);
    free(regex->source);
    automaton_free(regex->automaton);
    free(regex);
}

bool regex_is_table(const struct regex *regex) { return regex->automaton != NULL; }

/* ---- matching ---- */

void regex_scratch_free(struct regex_scratch *scratch) {
    pcre2_match_data_free(scratch->match);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    *scratch = (struct regex_scratch){0};
}

/* PCRE2 reports before each item of the pattern that it tries, also from machine code. Between two
 * reports one item at most has passed over characters: those count too. Its own limits would not
 * do: a run of characters is one step to them, and each start of a match begins anew. */
static int count_steps(pcre2_callout_block *report, void *ctx) {
    struct regex_scratch *scratch = ctx;
    size_t at = report->current_position;
    scratch->steps += at > scratch->at ? at - scratch->at + 1 : 1;
    scratch->at = at;
    return scratch->steps > scratch->allowed ? PCRE2_ERROR_CALLOUT : 0;
}

static bool reserve(struct regex_scratch *scratch) {
    if (scratch->match) return true;
    scratch->match = pcre2_match_data_create(1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    if (!scratch->match || !scratch->context) return false;
    pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_depth_limit(scratch->context, MATCH_LIMIT);
    pcre2_set_callout(scratch->context, count_steps, scratch);
    return true;
}

static int match_once(const struct regex *regex, struct regex_scratch *scratch, const char *text,
                      size_t len, size_t from) {
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    scratch->at = from;
    if (!regex->jit)
        return pcre2_match(regex->code, subject, len, from, PCRE2_NO_UTF_CHECK, scratch->match,
                           scratch->context);
    int rc = pcre2_jit_match(regex->code, subject, len, from, 0, scratch->match, scratch->context);
    if (rc != PCRE2_ERROR_JIT_STACKLIMIT || scratch->stack) return rc;
    // The machine stack's share is enough for nearly all texts; the rest gets a large one.
    scratch->stack = pcre2_jit_stack_create(STACK_START, STACK_MAX, NULL);
    if (!scratch->stack) return PCRE2_ERROR_NOMEMORY;
    pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    scratch->at = from;
    return pcre2_jit_match(regex->code, subject, len, from, 0, scratch->match, scratch->context);
}

static enum jl_status spent(size_t len, struct jl_error *err) {
    return jl_fail(err, JL_ERR_LIMIT,
                   "a pattern of the tokenizer takes too many steps, far more than a text of %zu "
                   "bytes should need: cut it into parts",
                   len);
}

/* The leftmost match from search->in.at on, in place of the automaton or where it leaves. */
static enum jl_status find_with_pcre2(struct regex_search *search, bool *found,
                                      struct jl_error *err) {
    struct automaton_search *in = &search->in;
    struct regex_scratch *scratch = search->scratch;
    if (!reserve(scratch)) return no_memory(err);
    int rc = match_once(search->regex, scratch, in->text, in->len, in->at);
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return JL_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return no_memory(err);
    if (rc == PCRE2_ERROR_CALLOUT) return spent(in->len, err);
    if (rc < 0)
        return jl_fail(err, JL_ERR_LIMIT,
                       "a pattern of the tokenizer gives up on a text of %zu bytes (PCRE2 error "
                       "%d): cut it into parts",
                       in->len, rc);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(scratch->match);
    in->match = (struct text_span){at[0], at[1]};
    return JL_OK;
}

/* The leftmost match, empty or not. */
static inline enum jl_status find_any(struct regex_search *search, bool *found,
                                      struct jl_error *err) {
    struct automaton_search *in = &search->in;
    if (search->regex->automaton) {
        in->steps = search->scratch->steps;
        in->limit = search->scratch->allowed;
        enum automaton_answer answer = automaton_find(search->regex->automaton, in);
        search->scratch->steps = in->steps;
        *found = answer == AUTOMATON_MATCH;
        if (answer == AUTOMATON_SPENT) return spent(in->len, err);
        if (answer != AUTOMATON_LEAVES) return JL_OK;
        in->at = in->match.start;
    }
    return find_with_pcre2(search, found, err);
}

void regex_begin(struct regex_search *search, const struct regex *regex,
                 struct regex_scratch *scratch, const char *text, size_t len) {
    uint64_t more;
    if (scratch->allowed == 0) scratch->allowed = REGEX_STEPS_FREE;
    if (__builtin_mul_overflow((uint64_t)len + 1, regex->steps_byte, &more) ||
        __builtin_add_overflow(scratch->allowed, more, &scratch->allowed))
        scratch->allowed = UINT64_MAX;
    search->in.text = text;
    search->in.at = 0;
    search->in.len = len;
    search->regex = regex;
    search->scratch = scratch;
    search->last_empty = 0;
}

enum jl_status regex_next(struct regex_search *search, bool *found, struct jl_error *err) {
    struct automaton_search *in = &search->in;
    while (in->at <= in->len) {
        JL_TRY(find_any(search, found, err));
        if (!*found) return JL_OK;
        in->at = in->match.stop;
        if (in->match.start < in->match.stop || in->match.stop + 1 != search->last_empty) {
            search->last_empty = in->match.stop + 1;
            return JL_OK;
        }
        in->at++; // an empty match just behind the last one: on to the next character
        while (in->at < in->len && ((unsigned char)in->text[in->at] & 0xC0) == 0x80)
            in->at++;
    }
    *found = false;
    return JL_OK;
}
