/* The built tokenizer: every stage between text and ids, as data.
 *
 *   text -> added tokens -> normaliser -> added tokens (normalised) -> Metaspace -> BPE -> ids
 *
 * A builder (spm.c, tokenizer_json.c) fills the struct, then nobody writes it. */
#ifndef JL_TEXT_PIPELINE_H
#define JL_TEXT_PIPELINE_H

#include "base/arena.h"
#include "text/tokenizer.h"
#include "text/tokenizer/added.h"
#include "text/tokenizer/bpe.h"
#include "text/tokenizer/metaspace.h"
#include "text/tokenizer/normalize.h"
#include "text/tokenizer/vocab.h"

/* What decoding does to the first text of a sequence: it undoes the mark that encoding prepends. */
enum pipeline_first {
    PIPELINE_FIRST_KEEP,
    PIPELINE_FIRST_DROP_SPACE, // one space at the very start
    PIPELINE_FIRST_DROP_MARKS, // all marks of the first token that gives text
};

#define PIPELINE_MAX_EXTRA 8 // ids put before or behind a text

struct tokenizer {
    struct arena arena; // texts and tables
    struct vocab vocab;
    struct bpe bpe;
    struct added_set added_raw;        // looked for in the text as given
    struct added_set added_normalized; // looked for in the normalised text
    struct normalizer normalizer;
    struct metaspace metaspace;
    enum pipeline_first first;
    char first_mark[UTF8_MAX]; // for PIPELINE_FIRST_DROP_MARKS
    size_t first_mark_len;
    int32_t before[PIPELINE_MAX_EXTRA], after[PIPELINE_MAX_EXTRA]; // with ENCODE_ADD_BOS
    int n_before, n_after;
    int32_t bos, eos;
};

#endif
