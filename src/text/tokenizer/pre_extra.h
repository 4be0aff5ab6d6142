/* Cuts that may follow a named pre-tokenizer: each depends on nothing but the two characters on
 * either side. Where no merge makes a token that such a cut would go through, the tokenizer gives
 * the same ids without it: so a GGUF file, which can only name a pre-tokenizer, can hold it. */
#ifndef JL_TEXT_PRE_EXTRA_H
#define JL_TEXT_PRE_EXTRA_H

#include "text/tokenizer/pretok.h"

/* Han characters by block and not by script, so that every version of Unicode cuts alike:
 * U+2E80..2EF3, 2F00..2FD5, 3005, 3007, 3021..3029, 3038..303B, 3400..4DBF, 4E00..9FFF,
 * F900..FAD9, 20000..323AF. Written as characters, which all libraries read. */
#define PRE_EXTRA_HAN                                                                              \
    "[\xE2\xBA\x80-\xE2\xBB\xB3\xE2\xBC\x80-\xE2\xBF\x95\xE3\x80\x85\xE3\x80\x87"                  \
    "\xE3\x80\xA1-\xE3\x80\xA9\xE3\x80\xB8-\xE3\x80\xBB\xE3\x90\x80-\xE4\xB6\xBF"                  \
    "\xE4\xB8\x80-\xE9\xBF\xBF\xEF\xA4\x80-\xEF\xAB\x99\xF0\xA0\x80\x80-\xF0\xB2\x8E\xAF]"
#define PRE_EXTRA_DIGIT "\\p{N}"
#define PRE_EXTRA_NEWLINE "[\\r\\n]"
#define PRE_EXTRA_SPACES "\\s+"

/* Whether a step is one of them: a split at its matches, which are isolated. */
bool pre_extra_is(const struct pretok_step *step);
/* Whether `text`, whole characters, stays in one piece. Zeroed, the run may be used for many texts
 * of the same steps; *whole is the answer. */
struct pre_extra_probe {
    struct pretok extra;
    struct pretok_run run;
    int n_piece;
};
enum jl_status pre_extra_keeps(struct pre_extra_probe *probe, const char *text, size_t len,
                               bool *whole, struct jl_error *err);
bool pre_extra_is_han(const char *text, size_t len); // one character, and PRE_EXTRA_HAN has it

#endif
