/* Text <-> token ids. No tensors and no files here: the caller brings bytes or arrays.
 *
 * const after construction and shared by all threads. */
#ifndef JL_TEXT_TOKENIZER_H
#define JL_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

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
void tokenizer_free(struct tokenizer *tokenizer); // NULL is fine

int tokenizer_vocab_size(const struct tokenizer *tokenizer);
int32_t tokenizer_bos(const struct tokenizer *tokenizer); // TOKEN_NONE when absent
int32_t tokenizer_eos(const struct tokenizer *tokenizer);
bool tokenizer_is_control(const struct tokenizer *tokenizer, int32_t id);

enum encode_flags {
    ENCODE_SPECIAL =
        1, // special tokens written in the text become tokens (markup, never user text)
    ENCODE_ADD_BOS = 2, // add BOS / EOS where the tokenizer says so
};

/* Ids of `text` (any bytes) into *ids, a heap array the caller frees; not NULL on success. */
enum jl_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t len,
                                int flags, int32_t **ids, size_t *n_ids, struct jl_error *err);

/* Streaming decode: feed ids one at a time; only whole UTF-8 characters come out, the rest waits.
 * Control and unknown tokens give no text. */
struct token_stream {
    const struct tokenizer *tokenizer;
    bool started; // the first token's leading space may be dropped
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

#endif
