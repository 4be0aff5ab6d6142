/* Text <-> token ids. No tensors and no files here: the caller brings bytes or arrays.
 *
 * const after construction and shared by all threads. */
#ifndef JL_TEXT_TOKENIZER_H
#define JL_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/span.h"

struct arena;
struct tokenizer;

/* What a token is; numbers are those of tokenizer.ggml.token_type. */
enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER_DEFINED = 4,
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
};

struct token_entry {
    const char *text; // len bytes, need not end in NUL; copied
    size_t len;
    float score;
    enum token_type type;
};

#define TOKEN_NONE (-1)

/* SentencePiece-style BPE with byte fallback, as GGUF's tokenizer model "llama" stores it: the pair
 * with the highest score merges first, ties to the left. */
struct spm_spec {
    const struct token_entry *tokens;
    int n_token;
    int32_t bos, eos, unk; // TOKEN_NONE when absent
    bool add_bos, add_eos;
    bool add_space_prefix;
};
enum jl_status tokenizer_from_spm(const struct spm_spec *spec, struct tokenizer **out,
                                  struct jl_error *err);

/* Hugging Face tokenizer.json; `config` is tokenizer_config.json or NULL. Both are whole texts. */
enum jl_status tokenizer_from_json(const char *json, size_t json_len, const char *config,
                                   size_t config_len, struct tokenizer **out, struct jl_error *err);

/* Byte-level BPE as GGUF's tokenizer model "gpt2" stores it: token texts in the byte alphabet, a
 * list of merges ("a b", first is best), and the name of the pre-tokenizer. */
struct bpe_merge_text {
    const char *text;
    size_t len;
};
struct bpe_spec {
    const struct token_entry *tokens; // scores are not looked at
    int n_token;
    const struct bpe_merge_text *merges;
    size_t n_merge;
    const char *pre; // tokenizer.ggml.pre
    size_t pre_len;
    int32_t bos, eos, unk; // TOKEN_NONE when absent
    bool add_bos, add_eos;
    bool add_space_prefix;
};
enum jl_status tokenizer_from_bpe(const struct bpe_spec *spec, struct tokenizer **out,
                                  struct jl_error *err);

/* A tiktoken rank file: lines of a token's bytes in base64 and its rank, which is its id. `pre`
 * names the pre-tokenizer and, with it, the special tokens (docs/text.md). */
enum jl_status tokenizer_from_ranks(const char *text, size_t len, const char *pre,
                                    struct tokenizer **out, struct jl_error *err);

/* The pre-tokenizer names that are known, for help texts: those of one pattern together, separated
 * by spaces, the usual one first. NULL behind the last row. */
const char *tokenizer_pre_names(int row);
/* Whether BPE of this pre-tokenizer adds BOS when its file does not say; false for unknown names.
 */
bool tokenizer_pre_adds_bos(const char *pre, size_t len);

/* SentencePiece's tokenizer.model, all of the file; `config` is tokenizer_config.json or NULL. */
enum jl_status tokenizer_from_sentencepiece(const void *bytes, size_t len, const char *config,
                                            size_t config_len, struct tokenizer **out,
                                            struct jl_error *err);

/* Unigram as GGUF's tokenizer model "t5" stores it: SentencePiece's settings as keys. */
struct unigram_spec {
    const struct token_entry *tokens;
    int n_token;
    const void *charsmap; // precompiled_charsmap, NULL without
    size_t charsmap_len;
    int32_t bos, eos; // TOKEN_NONE when absent
    bool add_bos, add_eos;
    bool add_space_prefix, remove_extra_whitespaces, escape_whitespaces;
    bool treat_whitespace_as_suffix;
};
enum jl_status tokenizer_from_unigram(const struct unigram_spec *spec, struct tokenizer **out,
                                      struct jl_error *err);

/* WordPiece as GGUF's tokenizer model "bert" stores it: U+2581 before what begins a word. */
struct wordpiece_spec {
    const struct token_entry *tokens;
    int n_token;
    int32_t bos, eos, unk; // [CLS], [SEP], [UNK]; TOKEN_NONE when absent
    bool add_bos, add_eos;
};
enum jl_status tokenizer_from_wordpiece(const struct wordpiece_spec *spec, struct tokenizer **out,
                                        struct jl_error *err);

/* vocab.json, merges.txt and what stands beside them, as whole texts; absent ones are NULL. */
struct tokenizer_files {
    const char *vocab, *merges;
    const char *config;         // tokenizer_config.json
    const char *added;          // added_tokens.json
    const char *special_tokens; // special_tokens_map.json
    const char *model_type;     // of config.json; for folders whose tokenizer_config.json lacks
                                // the class of the tokenizer
    size_t vocab_len, merges_len, config_len, added_len, special_tokens_len;
};
enum jl_status tokenizer_from_files(const struct tokenizer_files *files, struct tokenizer **out,
                                    struct jl_error *err);

void tokenizer_free(struct tokenizer *tokenizer); // NULL is fine

/* A tokenizer as a GGUF file stores it: what tokenizer_from_spm and tokenizer_from_bpe take. */
struct tokenizer_gguf {
    const char *model; // tokenizer.ggml.model, "llama" or "gpt2"
    const char *pre;   // tokenizer.ggml.pre
    struct token_entry *tokens;
    int n_token;
    struct bpe_merge_text *merges; // of "gpt2"
    size_t n_merge;
    int32_t bos, eos, unk; // TOKEN_NONE when absent
    bool add_bos, add_eos, add_space_prefix;
    const char *notes[8]; // what a GGUF file cannot say; ends with NULL
    struct arena *arena;  // owns all of it
};

/* Ids up to n_token without a token get a placeholder. What comes out has been made into a
 * tokenizer again and compared: the same merges, the same added tokens, the same ids for a set of
 * texts. What GGUF cannot hold is JL_ERR_UNSUPPORTED, but for the settings that `notes` names,
 * which concern unusual texts only. */
enum jl_status tokenizer_to_gguf(const struct tokenizer *tokenizer, int n_token,
                                 struct tokenizer_gguf *out, struct jl_error *err);
void tokenizer_gguf_free(struct tokenizer_gguf *gguf); // zeroed is fine

/* What the tokenizer was made from: two of the same identity give the same ids for every text. One
 * vocabulary that came from files of two kinds has two. */
#define TOKENIZER_IDENTITY_BYTES 16
void tokenizer_identity(const struct tokenizer *tokenizer, uint8_t out[TOKENIZER_IDENTITY_BYTES]);

/* A tokenizer of a GGUF file as the files of a folder: byte-level BPE as tokenizer.json, that of
 * SentencePiece as tokenizer.model, and tokenizer_config.json beside it, without chat templates. */
struct tokenizer_folder {
    const char *name; // of the file
    char *bytes;      // heap
    size_t len;
    char *config; // heap, ends in NUL
};

/* What comes out has been read again and compared, as above. JL_ERR_UNSUPPORTED: such files cannot
 * hold this tokenizer. */
enum jl_status tokenizer_bpe_to_folder(const struct bpe_spec *spec, struct tokenizer_folder *out,
                                       struct jl_error *err);
enum jl_status tokenizer_spm_to_folder(const struct spm_spec *spec, struct tokenizer_folder *out,
                                       struct jl_error *err);
void tokenizer_folder_free(struct tokenizer_folder *folder); // zeroed is fine

int tokenizer_vocab_size(const struct tokenizer *tokenizer);
int32_t tokenizer_bos(const struct tokenizer *tokenizer); // TOKEN_NONE when absent
int32_t tokenizer_eos(const struct tokenizer *tokenizer);
bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t id);
/* Control, unknown and added tokens, but for added white space: they mean more than their letters.
 */
bool tokenizer_is_mark(const struct tokenizer *tokenizer, int32_t id);
/* The text of a token that is found as it stands (special or added), as the id; TOKEN_NONE. */
int32_t tokenizer_find_added(const struct tokenizer *tokenizer, const char *text, size_t len);

enum encode_flags {
    ENCODE_SPECIAL =
        1, // special tokens written in the text become tokens (markup, never user text)
    ENCODE_ADD_BOS = 2, // add BOS / EOS where the tokenizer says so
};

/* Ids of `text` (any bytes) into *ids, a heap array the caller frees; not NULL on success. */
enum jl_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t len,
                                int flags, int32_t **ids, size_t *n_ids, struct jl_error *err);

/* A text in which some parts are a user's words: spans ascend and do not overlap. */
struct tokenizer_text {
    const char *text;
    size_t len;
    const struct text_span *user;
    size_t n_user;
};
struct token_ids {
    int32_t *data; // heap, the caller frees; not NULL on success
    size_t len;
};
/* A mark that was found in the text, as ids[at]: its bytes, with the white space it took. `bytes`
 * is empty where a normaliser has rewritten them. */
struct token_place {
    size_t at;
    struct text_span bytes;
};
struct token_places {
    struct token_place *data; // heap, the caller frees; ascending
    size_t len, cap;
};
/* As tokenizer_encode, the text as one; but a special token is found only where none of its bytes
 * lies in a user's span. Added tokens that are not special are found everywhere. `places` may be
 * NULL. */
enum jl_status tokenizer_encode_marked(const struct tokenizer *tokenizer,
                                       const struct tokenizer_text *text, int flags,
                                       struct token_ids *ids, struct token_places *places,
                                       struct jl_error *err);

/* Streaming decode: feed ids one at a time; only whole UTF-8 characters come out, the rest waits.
 * Control and unknown tokens give no text unless `show_control` is set. With `raw` bytes come out
 * as they are, whether or not they make characters. */
struct token_stream {
    const struct tokenizer *tokenizer;
    bool show_control, raw;   // false after token_stream_init; set them before the first id
    bool started;             // the first token's leading space may be dropped
    bool space_waits;         // between two tokens, if another one comes
    int n_dropped, n_waiting; // marks of the decoder's Strip
    int32_t last;             // the token before, plus 1
    unsigned char held[8];
    int n_held;
};
void token_stream_init(struct token_stream *stream, const struct tokenizer *tokenizer,
                       bool at_start);
/* Appends to *text (heap, grown; *len and *cap are the caller's, start at zero) and keeps a NUL
 * behind it. An id outside the vocabulary is JL_ERR_USAGE; on failure nothing has changed. */
enum jl_status token_stream_push(struct token_stream *stream, int32_t id, char **text, size_t *len,
                                 size_t *cap, struct jl_error *err);
/* Flushes what waits: bytes that never became a character come out as U+FFFD. */
enum jl_status token_stream_end(struct token_stream *stream, char **text, size_t *len, size_t *cap,
                                struct jl_error *err);
/* Do both give the same text for whatever ids come next? */
bool token_stream_agree(const struct token_stream *a, const struct token_stream *b);

#endif
