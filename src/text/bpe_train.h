/* Training of byte-level BPE: texts -> tokenizer.json, as Hugging Face's libraries read it.
 *
 * The same texts and options give the same bytes, whatever the pool: counts are exact, and of pairs
 * that occur equally often the one whose bytes are lower comes first. No files here: the caller
 * brings bytes. docs/tokenizer-train.md says what the rules mean. */
#ifndef JL_TEXT_BPE_TRAIN_H
#define JL_TEXT_BPE_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/tokenizer.h"

struct pool;

#define BPE_TRAIN_WEIGHT_MAX 1000
#define BPE_TRAIN_SPECIAL_MAX 64    // special tokens
#define BPE_TRAIN_SPECIAL_BYTES 256 // of one
#define BPE_TRAIN_TOKEN_BYTES 1024  // most that max_token_bytes may be

struct bpe_train_source {
    const char *name; // for messages
    const char *text; // len bytes
    size_t len;
    bool lines; // of JSON, {"text": "..."} or {"messages": [{"content": "..."}]}; else one text
    uint32_t weight; // how many times its text counts
};

/* How texts are cut into words, which merges never cross. */
struct bpe_train_rules {
    const char *pattern;  // the first cut: a name of bpe_train_pattern
    bool han_single;      // each Han character apart
    bool digits_single;   // each digit apart
    bool newlines_single; // each \n and \r apart
    bool spaces_apart;    // white space apart from what follows it
};
/* The names of patterns, NULL behind the last; the first is the default. */
const char *bpe_train_pattern(int i);

struct bpe_train_options {
    int vocab_size; // all tokens: 256 bytes, merges, special tokens
    struct bpe_train_rules rules;
    uint64_t min_count;     // of a pair to be merged, of a Han character to become a token
    size_t max_token_bytes; // 4 to BPE_TRAIN_TOKEN_BYTES
    bool cross_characters;  // a token may hold a part of one character and some of another
    const char *special[BPE_TRAIN_SPECIAL_MAX];
    int n_special;
    bool special_first;          // their ids begin at 0; else they follow all others
    const char *bos, *eos, *pad; // each one of `special`, or NULL
    bool add_bos;                // in front of every text
    const char *chat_template;   // or NULL
};
void bpe_train_defaults(struct bpe_train_options *options);

struct bpe_trained {
    char *tokenizer; // tokenizer.json
    char *config;    // tokenizer_config.json
    size_t tokenizer_len, config_len;
    int n_token; // of the vocabulary: less than asked for where no pair was left
    int n_merge; // of them made by merging
    int n_han;   // of these, Han characters that have a token because of han_single
    int n_special;
    uint64_t n_piece; // different words
};
/* JL_ERR_FORMAT names the source and the byte or line; JL_ERR_USAGE: options that cannot be. */
enum jl_status bpe_train(const struct bpe_train_source *sources, int n_source,
                         const struct bpe_train_options *options, struct pool *pool,
                         struct bpe_trained *out, struct jl_error *err);
void bpe_trained_free(struct bpe_trained *trained); // zeroed is fine

/* What a tokenizer makes of a source; its weight does not matter. */
struct bpe_train_measure {
    uint64_t n_byte, n_token; // of the texts
};
enum jl_status bpe_train_measure(const struct tokenizer *tokenizer,
                                 const struct bpe_train_source *source, struct pool *pool,
                                 struct bpe_train_measure *out, struct jl_error *err);

#endif
