/* Unigram language model: of all ways to cut a text into pieces, the one with the greatest sum of
 * scores (Viterbi), as in SentencePiece and Hugging Face tokenizers.
 *
 * Both keep the best cut that ends at each place and replace it by a strictly better one only. They
 * differ in arithmetic: Hugging Face adds doubles, SentencePiece rounds each sum to a float. Which
 * ties come out depends on it, so it is a setting. */
#ifndef JL_TEXT_UNIGRAM_H
#define JL_TEXT_UNIGRAM_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/trie.h"

#define UNIGRAM_MAX_PIECE 8000 // bytes, the limit of SentencePiece; bounds the work for each byte

struct unigram_piece {
    const char *text; // not empty
    size_t len;
    int32_t id;
    double score;
};

struct unigram {
    struct trie trie;        // piece -> id
    double *scores;          // heap, by id
    int32_t byte_token[256]; // TOKEN_NONE where absent
    bool byte_fallback;      // an unknown character becomes its bytes
    int32_t unknown;         // TOKEN_NONE when absent
    double unknown_score;    // of one character
    bool round_sums;         // to float
};

/* The other fields are the caller's, before or after. Pieces are only read here; ids are 0 to
 * n_id - 1. False: out of memory. */
bool unigram_build(struct unigram *unigram, const struct unigram_piece *pieces, size_t n,
                   size_t n_id);
void unigram_free(struct unigram *unigram);

/* Score of a user-defined piece in SentencePiece, with the greatest score of normal pieces. */
double unigram_user_score(size_t len, float max_score);

/* Scratch memory kept between calls; zero is the empty one. */
struct unigram_run {
    struct unigram_node *nodes;
    size_t cap;
    struct id_buffer path;
};
void unigram_run_free(struct unigram_run *run);

/* Appends the ids of a text of any bytes; a run of unknown characters gives one unknown token. */
enum jl_status unigram_encode(const struct unigram *unigram, struct unigram_run *run,
                              const char *text, size_t len, struct id_buffer *ids,
                              struct jl_error *err);

#endif
