/* Pre-tokenizers as data: steps that cut a stretch of text into words, one after the other. Each
 * step sees every piece the step before left, as a text of its own. */
#ifndef JL_TEXT_PRETOK_H
#define JL_TEXT_PRETOK_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/metaspace.h"
#include "text/tokenizer/regex.h"

#define PRETOK_MAX_STEPS 24

enum pretok_kind {
    PRETOK_SPLIT,        // at the matches of `regex`
    PRETOK_DIGIT_GROUPS, // digits in groups of three, counted from the right
    PRETOK_FIXED,        // `length` characters a piece
    PRETOK_METASPACE,    // marks for spaces, and a cut before each mark
    PRETOK_PREFIX_SPACE, // a space in front of a piece that has none
    PRETOK_BYTES,        // bytes become characters of the byte alphabet (byte_alphabet.h)
};

enum pretok_behaviour { // what becomes of a match; Hugging Face's SplitDelimiterBehavior
    PRETOK_REMOVED,
    PRETOK_ISOLATED,
    PRETOK_MERGED_WITH_PREVIOUS,
    PRETOK_MERGED_WITH_NEXT,
    PRETOK_CONTIGUOUS,
};

struct pretok_step {
    enum pretok_kind kind;
    struct regex *regex; // owned
    enum pretok_behaviour behaviour;
    bool invert;   // what lies between the matches is taken for matches
    bool isolated; // digit groups: a group is never joined to what stands before the digits
    struct metaspace metaspace;
    size_t length;
};

struct pretok {
    struct pretok_step steps[PRETOK_MAX_STEPS];
    int n_step;
};

void pretok_free(struct pretok *pretok);

/* One run over texts; zeroed but for the first four. `word` gets each word in order; bytes it is
 * given live until it returns.
 *
 * `piece`, unless NULL, gets what a step left for the steps from `step` on, if what they make of it
 * depends on nothing but its bytes. It calls pretok_rest, at once or later but in the same order,
 * or does the same from memory. A piece it puts off must be done before it calls pretok_rest for
 * another one. */
struct pretok_run {
    const struct pretok *pretok;
    enum jl_status (*word)(void *ctx, const char *text, size_t len, struct jl_error *err);
    enum jl_status (*piece)(void *ctx, int step, const char *text, size_t len,
                            struct jl_error *err);
    void *ctx;
    struct pretok_level { // one a step
        struct regex_scratch scratch;
        struct byte_buffer text;
    } levels[PRETOK_MAX_STEPS];
    struct byte_buffer unmapped;
    size_t before;  // bytes that can be read before the text that `word` or `piece` is given
    int free_step;  // from here on steps look at the bytes of a piece only
    bool mapped;    // a PRETOK_BYTES step is among the steps: words are mapped back
    bool at_start;  // the text at hand begins the whole text
    bool continued; // the stretch at hand goes on behind ill-formed bytes
    struct jl_error *err;
};

/* Cuts `text`, any bytes: each run of bytes that is not UTF-8 is a word of its own. */
enum jl_status pretok_text(struct pretok_run *run, const char *text, size_t len, bool at_start,
                           struct jl_error *err);
/* Runs a piece through the steps from `step` on. */
enum jl_status pretok_rest(struct pretok_run *run, int step, const char *text, size_t len,
                           struct jl_error *err);
void pretok_run_free(struct pretok_run *run);

#endif
