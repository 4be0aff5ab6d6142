/* The built tokenizer: every stage between text and ids, as data.
 *
 *   text -> added tokens -> normaliser -> added tokens (normalised) -> pre-tokenizer -> model
 *
 * A builder (spm.c, bpe_build.c, bpe_ranks.c, tokenizer_json.c) fills the struct, then nobody
 * writes it. Adding a normaliser, a pre-tokenizer or a model is one more kind and one more case. */
#ifndef JL_TEXT_PIPELINE_H
#define JL_TEXT_PIPELINE_H

#include "base/arena.h"
#include "text/tokenizer.h"
#include "text/tokenizer/added.h"
#include "text/tokenizer/bpe.h"
#include "text/tokenizer/identity.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/pretok.h"
#include "text/tokenizer/unigram.h"
#include "text/tokenizer/vocab.h"
#include "text/tokenizer/wordpiece.h"
#include "text/tokenizer/words.h"

enum pipeline_model { PIPELINE_BPE, PIPELINE_UNIGRAM, PIPELINE_WORDPIECE, PIPELINE_WORDS };

/* What decoding does to the first text of a sequence: it undoes the mark that encoding prepends. */
enum pipeline_first {
    PIPELINE_FIRST_KEEP,
    PIPELINE_FIRST_DROP_SPACE, // one space at the very start
    PIPELINE_FIRST_DROP_MARKS, // all marks of the first token that gives text
    PIPELINE_FIRST_STRIP,      // up to strip.start of strip.mark; and strip.stop at the end
    PIPELINE_FIRST_TEXT,       // the first token's text as the vocabulary has it
    PIPELINE_FIRST_ONE_MARK,   // one mark that the first token begins with
    PIPELINE_FIRST_EACH_MARK,  // one mark of each token, until some text has come
};

struct pipeline_strip {
    char mark[UTF8_MAX]; // one character
    size_t mark_len;
    int start, stop; // at most PIPELINE_MAX_STRIP
};
#define PIPELINE_MAX_STRIP 64

/* What decoding puts between two tokens. */
enum pipeline_glue {
    PIPELINE_GLUE_NONE,
    PIPELINE_GLUE_SPACE, // always a space
};

#define PIPELINE_MAX_EXTRA 8 // ids put before or behind a text

struct tokenizer {
    struct arena arena; // texts and tables
    struct vocab vocab;
    enum pipeline_model model;
    struct bpe bpe;                    // of PIPELINE_BPE
    struct unigram unigram;            // of PIPELINE_UNIGRAM
    struct wordpiece wordpiece;        // of PIPELINE_WORDPIECE
    struct words words;                // of PIPELINE_WORDS
    struct added_set added_raw;        // looked for in the text as given
    struct added_set added_normalized; // looked for in the normalised text
    struct added_set added_guarded;    // special ones of these as they are written: for stretches
                                       // that hold words of a user, whose places the normaliser
                                       // would blur
    struct normalizer normalizer;
    struct pretok pretok;
    enum pipeline_first first;
    enum pipeline_glue glue;
    char first_mark[UTF8_MAX]; // for PIPELINE_FIRST_DROP_MARKS, ONE_MARK and EACH_MARK
    size_t first_mark_len;
    struct pipeline_strip strip;                                   // for PIPELINE_FIRST_STRIP
    int32_t before[PIPELINE_MAX_EXTRA], after[PIPELINE_MAX_EXTRA]; // with ENCODE_ADD_BOS
    int n_before, n_after;
    int32_t bos, eos;
    bool unknown_has_text; // decoding writes something for the unknown token
    bool bad_bytes_alone;  // each byte that makes no character is a U+FFFD of its own
    bool drop_repeats;     // decoding takes a token that comes twice in a row once
    struct identity identity;
};

#endif
