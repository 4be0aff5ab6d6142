/* Byte-pair encoding: normalised text, cut into words -> ids. Over characters with byte fallback,
 * or over bytes.
 *
 * Built by spm.c (scores), tokenizer_json_vocab.c and bpe_build.c (merge lists) and bpe_ranks.c
 * (ranks), const afterwards. Symbols are token ids, or BPE_BARE + code for a character (or stray
 * byte) that is no token of its own. Byte and unknown tokens never take part in merges: bare
 * characters become such tokens at the very end. */
#ifndef JL_TEXT_BPE_H
#define JL_TEXT_BPE_H

#include "base/status.h"
#include "text/buffer.h"
#include "text/tokenizer/bpe_merge.h"
#include "text/tokenizer/vocab.h"

#define BPE_BARE 0x40000000
#define BPE_JOIN_BITS 20 // of the hash of two neighbours

struct bpe {
    const struct vocab *vocab;
    struct bpe_pairs pairs;
    struct u64map chars;  // code (utf8_step) -> token; over bytes: of bytes, UTF8_CODE_END + byte
    struct u64map splits; // token that is never given out -> the two symbols it is merged from
    int32_t byte_token[256];     // byte fallback; TOKEN_NONE where absent
    bool bytes;                  // symbols are bytes, not characters
    int32_t byte_symbol[256];    // of bytes: token or bare; after bpe_finish
    uint64_t *byte_pairs;        // of bytes: what two bytes become, [left * 256 + right]
    struct bpe_first *first;     // of bytes: by code, below 0x10000 (bpe_first.h)
    bool byte_fallback;          // all 256 bytes have a token
    bool cuts_words;             // no unknown token reaches across characters that are known
    bool fuse_unknown;           // a run of unknown characters is one token
    bool ignore_merges;          // a word that is a token stays whole
    int32_t unknown;             // TOKEN_NONE when absent
    const char *prefix, *suffix; // of a symbol inside / at the end of a word; NULL without
    size_t prefix_len, suffix_len;

    /* Two neighbouring characters whose bit is clear stand side by side in no token that merging
     * makes, so no merge ever crosses that place and the text may be cut there. A false 1 (it is
     * a hash) only makes a piece longer. Tokens of bytes can begin or end inside a character:
     * `edges` says for which last and first byte that must be looked at. */
    uint64_t joins[(1 << BPE_JOIN_BITS) / 64];
    uint64_t edges[(1 << 16) / 64];
};

void bpe_free(struct bpe *bpe);

/* A character, or a stray byte, as a neighbour of the places before and behind it. */
struct bpe_letter {
    const struct bpe_first *first; // of bytes: its entry, NULL where there is none
    uint32_t packed;               // its n bytes as a number, the first one highest
    uint8_t n;
    bool sound; // the text may be cut beside it
    uint8_t
        borders; // bit k: behind k bytes a symbol may end before anything merges across its ends
};
#define BPE_ALL_BORDERS 0xEu
/* Whether some token that merging makes spans the place between two neighbours. */
bool bpe_may_join(const struct bpe *bpe, const struct bpe_letter *left,
                  const struct bpe_letter *right);

/* The next symbol of a text: a character, or a byte. */
size_t bpe_symbol_step(const struct bpe *bpe, const char *text, size_t len, uint32_t *code);

/* For builders; false is out of memory. */
int32_t bpe_symbol(const struct bpe *bpe, uint32_t code);
bool bpe_add_char(struct bpe *bpe, int32_t token);                   // ignored unless one symbol
void bpe_allow_joins(struct bpe *bpe, const char *text, size_t len); // text of a merged token
void bpe_set_byte_fallback(struct bpe *bpe);                         // after byte_token is filled
bool bpe_finish(struct bpe *bpe);                                    // after all pairs are there
/* Adds every way to cut the token in two symbols as a pair of this rank. */
bool bpe_add_cuts(struct bpe *bpe, int32_t token, uint32_t rank);

/* SentencePiece's unused pieces: the token takes part in merges, but where it comes out in the end
 * it is taken apart again. After all merges are there; *fits is false for a token that is too long.
 */
#define BPE_MAX_UNUSED 64 // characters
bool bpe_split_unused(struct bpe *bpe, int32_t token, bool *fits);

/* One encoding: scratch memory and the pieces seen lately. A short piece is its own key: up to 15
 * bytes, the rest of the 16 zero but for the last, which holds the length and what kind of piece
 * it was. */
#define BPE_SEEN_BYTES 15
#define BPE_SEEN_IDS 3
#define BPE_WAITING 4
struct bpe_key {
    uint64_t low, high;
};
struct bpe_seen {       // half a cache line
    struct bpe_key key; // high 0 is a free place
    int32_t n_id, ids[BPE_SEEN_IDS];
};
struct bpe_run {
    const struct bpe *bpe;
    struct id_buffer *ids; // output; only grows
    struct bpe_merge_scratch merge;
    struct id_buffer symbols;
    struct byte_buffer affixed;
    /* Cuts a piece into words from a step of the pre-tokenizer on, and gives them to bpe_run_word;
     * for bpe_run_piece. */
    enum jl_status (*cut)(void *ctx, int step, const char *text, size_t len, struct jl_error *err);
    void *ctx;
    struct bpe_seen *cache; // NULL for short texts
    size_t cache_mask;
    struct bpe_waiting { // pieces whose places in the cache are on their way from memory
        struct bpe_key key;
        size_t place;
        const struct bpe_first *letter; // not NULL: this character instead
    } waiting[BPE_WAITING];             // a ring
    unsigned first_waiting, n_waiting;
    bool nested;    // what was waiting is being encoded: its parts come before all that still waits
    size_t cutting; // its length, if it is being cut into words
};

/* Makes a cache that suits a text of `len` bytes; without memory for it there is none. */
void bpe_run_start(struct bpe_run *run, size_t len);
/* The ids of a word, some of which may come only with later words or the flush. Words do not see
 * each other. `before`: bytes that can be read before it. */
enum jl_status bpe_run_word(struct bpe_run *run, const char *word, size_t len, size_t before,
                            struct jl_error *err);
/* The same for a piece that `cut` has yet to make words of, if it was not seen before. */
enum jl_status bpe_run_piece(struct bpe_run *run, int step, const char *text, size_t len,
                             size_t before, struct jl_error *err);
/* All ids of the words given are in run->ids. */
enum jl_status bpe_run_flush(struct bpe_run *run, struct jl_error *err);
void bpe_run_free(struct bpe_run *run); // not run->ids

#endif
