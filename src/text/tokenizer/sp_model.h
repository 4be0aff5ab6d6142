/* SentencePiece's tokenizer.model: a protocol buffer (sentencepiece_model.proto, ModelProto).
 *
 * Reads what encoding and decoding depend on; settings of the training alone are passed over.
 * Fields of a message that decides encoding and that are not known here are refused. */
#ifndef JL_TEXT_SP_MODEL_H
#define JL_TEXT_SP_MODEL_H

#include "text/tokenizer.h"

enum sp_model_type { SP_UNIGRAM = 1, SP_BPE = 2, SP_WORD = 3, SP_CHAR = 4 };

struct sp_bytes {
    const char *data; // in the caller's bytes, no NUL behind; NULL when absent
    size_t len;
};

struct sp_model {
    struct token_entry *pieces; // heap; texts point into the caller's bytes
    int n_piece;
    enum sp_model_type type;
    bool byte_fallback;
    bool treat_whitespace_as_suffix;
    struct sp_bytes unk_surface;                                // absent: " U+2047 "
    struct sp_bytes unk_piece, bos_piece, eos_piece, pad_piece; // absent: <unk> <s> </s> <pad>
    struct sp_bytes normalizer_name;
    struct sp_bytes charsmap; // charsmap.h
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
};

/* `bytes` stay with the caller for as long as the model is used. On failure *model is empty. */
enum jl_status sp_model_parse(const void *bytes, size_t len, struct sp_model *model,
                              struct jl_error *err);
void sp_model_free(struct sp_model *model);

/* The piece with this text if it has this type, else TOKEN_NONE. */
int32_t sp_model_find(const struct sp_model *model, struct sp_bytes text, enum token_type type);

#endif
