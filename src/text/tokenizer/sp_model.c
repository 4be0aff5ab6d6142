#include "text/tokenizer/sp_model.h"

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/vocab.h"

#define FILE_NAME "tokenizer.model"
#define MAX_PIECE_BYTES 8000 // as SentencePiece

/* ---- wire format ---- */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A message's bytes, read from front to back. */
struct cursor {
    const unsigned char *data;
    size_t len, at;
    size_t base; // of data in the file, for messages
};

struct field {
    uint32_t number;
    enum wire wire;
    uint64_t value;      // varint, or the bits of a fixed size
    struct cursor bytes; // WIRE_BYTES
};

static enum jl_status broken(const struct cursor *c, const char *what, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, FILE_NAME " is damaged at byte %zu: %s", c->base + c->at,
                   what);
}

static bool read_varint(struct cursor *c, uint64_t *value) {
    *value = 0;
    for (int shift = 0; shift < 70 && c->at < c->len; shift += 7) {
        unsigned char byte = c->data[c->at++];
        if (shift == 63 && byte > 1) return false;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

static bool read_fixed(struct cursor *c, int n, uint64_t *value) {
    if (c->len - c->at < (size_t)n) return false;
    *value = 0;
    for (int i = n - 1; i >= 0; i--)
        *value = *value << 8 | c->data[c->at + (size_t)i];
    c->at += (size_t)n;
    return true;
}

/* The next field; *more is false at the end. */
static enum jl_status next_field(struct cursor *c, struct field *field, bool *more,
                                 struct jl_error *err) {
    uint64_t key;
    *more = c->at < c->len;
    if (!*more) return JL_OK;
    if (!read_varint(c, &key) || key >> 3 == 0 || key >> 3 > 0x1FFFFFFF)
        return broken(c, "no field begins here", err);
    *field = (struct field){.number = (uint32_t)(key >> 3), .wire = (enum wire)(key & 7)};
    switch (field->wire) {
    case WIRE_VARINT:
        if (read_varint(c, &field->value)) return JL_OK;
        return broken(c, "a number does not end", err);
    case WIRE_64:
        if (read_fixed(c, 8, &field->value)) return JL_OK;
        return broken(c, "a field is cut off", err);
    case WIRE_32:
        if (read_fixed(c, 4, &field->value)) return JL_OK;
        return broken(c, "a field is cut off", err);
    case WIRE_BYTES:
        if (!read_varint(c, &field->value) || field->value > c->len - c->at)
            return broken(c, "a field is longer than what holds it", err);
        field->bytes = (struct cursor){
            .data = c->data + c->at, .len = (size_t)field->value, .base = c->base + c->at};
        c->at += (size_t)field->value;
        return JL_OK;
    default: return broken(c, "a field has a type that is not in use", err);
    }
}

/* ---- values ---- */

static enum jl_status wrong_wire(const struct cursor *c, const char *name, struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": %s before byte %zu has the wrong type", name,
                   c->base + c->at);
}

static enum jl_status get_bytes(const struct cursor *c, const struct field *field, const char *name,
                                struct sp_bytes *out, struct jl_error *err) {
    if (field->wire != WIRE_BYTES) return wrong_wire(c, name, err);
    *out = (struct sp_bytes){(const char *)field->bytes.data, field->bytes.len};
    return JL_OK;
}

static enum jl_status get_bool(const struct cursor *c, const struct field *field, const char *name,
                               bool *out, struct jl_error *err) {
    if (field->wire != WIRE_VARINT) return wrong_wire(c, name, err);
    *out = field->value != 0;
    return JL_OK;
}

static enum jl_status unknown_field(const char *message, const struct field *field,
                                    struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   FILE_NAME ": %s has the field %u, which this program does not know and will not "
                             "ignore; token ids still work (--tokens)",
                   message, field->number);
}

/* ---- messages ---- */

static enum jl_status read_piece(struct cursor c, struct token_entry *piece, struct jl_error *err) {
    struct field field;
    bool more;
    *piece = (struct token_entry){.text = "", .type = TOKEN_NORMAL};
    for (;;) {
        JL_TRY(next_field(&c, &field, &more, err));
        if (!more) return JL_OK;
        struct sp_bytes text = {0};
        switch (field.number) {
        case 1:
            JL_TRY(get_bytes(&c, &field, "a piece", &text, err));
            piece->text = text.data;
            piece->len = text.len;
            break;
        case 2: {
            uint32_t bits = (uint32_t)field.value;
            if (field.wire != WIRE_32) return wrong_wire(&c, "a score", err);
            memcpy(&piece->score, &bits, sizeof bits);
            break;
        }
        case 3:
            if (field.wire != WIRE_VARINT) return wrong_wire(&c, "a piece's type", err);
            if (field.value < TOKEN_NORMAL || field.value > TOKEN_BYTE)
                return broken(&c, "a piece has a type other than 1 to 6", err);
            piece->type = (enum token_type)field.value;
            break;
        default: return unknown_field("a piece", &field, err);
        }
    }
}

/* Only what encoding depends on; the rest says how the file was trained. */
static enum jl_status read_trainer(struct cursor c, struct sp_model *model, struct jl_error *err) {
    struct field field;
    bool more;
    for (;;) {
        JL_TRY(next_field(&c, &field, &more, err));
        if (!more) return JL_OK;
        switch (field.number) {
        case 3:
            if (field.wire != WIRE_VARINT) return wrong_wire(&c, "model_type", err);
            if (field.value < SP_UNIGRAM || field.value > SP_CHAR)
                return broken(&c, "the model type is not 1 to 4", err);
            model->type = (enum sp_model_type)field.value;
            break;
        case 24:
            JL_TRY(get_bool(&c, &field, "treat_whitespace_as_suffix",
                            &model->treat_whitespace_as_suffix, err));
            break;
        case 35: JL_TRY(get_bool(&c, &field, "byte_fallback", &model->byte_fallback, err)); break;
        case 44: JL_TRY(get_bytes(&c, &field, "unk_surface", &model->unk_surface, err)); break;
        case 45: JL_TRY(get_bytes(&c, &field, "unk_piece", &model->unk_piece, err)); break;
        case 46: JL_TRY(get_bytes(&c, &field, "bos_piece", &model->bos_piece, err)); break;
        case 47: JL_TRY(get_bytes(&c, &field, "eos_piece", &model->eos_piece, err)); break;
        case 48: JL_TRY(get_bytes(&c, &field, "pad_piece", &model->pad_piece, err)); break;
        default: break;
        }
    }
}

static enum jl_status read_normalizer(struct cursor c, struct sp_model *model,
                                      struct jl_error *err) {
    struct field field;
    struct sp_bytes rules;
    bool more;
    for (;;) {
        JL_TRY(next_field(&c, &field, &more, err));
        if (!more) return JL_OK;
        switch (field.number) {
        case 1: JL_TRY(get_bytes(&c, &field, "name", &model->normalizer_name, err)); break;
        case 2: JL_TRY(get_bytes(&c, &field, "charsmap", &model->charsmap, err)); break;
        case 3:
            JL_TRY(get_bool(&c, &field, "add_dummy_prefix", &model->add_dummy_prefix, err));
            break;
        case 4:
            JL_TRY(get_bool(&c, &field, "remove_extra_whitespaces",
                            &model->remove_extra_whitespaces, err));
            break;
        case 5:
            JL_TRY(get_bool(&c, &field, "escape_whitespaces", &model->escape_whitespaces, err));
            break;
        case 6: // the file the charsmap was made of, for the training only
            JL_TRY(get_bytes(&c, &field, "normalization_rule_tsv", &rules, err));
            break;
        default: return unknown_field("normalizer_spec", &field, err);
        }
    }
}

/* Rewrites decoded text; no model in use has rules here. */
static enum jl_status read_denormalizer(struct cursor c, struct jl_error *err) {
    struct sp_model model = {0};
    JL_TRY(read_normalizer(c, &model, err));
    if (model.charsmap.len == 0) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   FILE_NAME ": denormalizer_spec has rules, which are not supported; token ids "
                             "still work (--tokens)");
}

/* ---- the file ---- */

/* Pieces first, so that there is one array of the right size. */
static enum jl_status count_pieces(struct cursor c, struct sp_model *model, struct jl_error *err) {
    struct field field;
    bool more = true;
    size_t n = 0;
    while (more) {
        JL_TRY(next_field(&c, &field, &more, err));
        if (more && field.number == 1) n++;
    }
    if (n == 0 || n > VOCAB_MAX_TOKENS) {
        return jl_fail(err, n ? JL_ERR_LIMIT : JL_ERR_FORMAT,
                       FILE_NAME ": a vocabulary of %zu pieces; 1 to %d are possible", n,
                       VOCAB_MAX_TOKENS);
    }
    model->pieces = calloc(n, sizeof *model->pieces);
    if (model->pieces) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the vocabulary");
}

static enum jl_status read_model(struct cursor c, struct sp_model *model, struct jl_error *err) {
    static const char *const names[] = {
        NULL, "pieces", "trainer_spec", "normalizer_spec", "self_test_data", "denormalizer_spec"};
    struct field field;
    bool more;
    for (;;) {
        JL_TRY(next_field(&c, &field, &more, err));
        if (!more) return JL_OK;
        if (field.number > 5) return unknown_field("the file", &field, err);
        if (field.wire != WIRE_BYTES) return wrong_wire(&c, names[field.number], err);
        switch (field.number) {
        case 1: JL_TRY(read_piece(field.bytes, &model->pieces[model->n_piece++], err)); break;
        case 2: JL_TRY(read_trainer(field.bytes, model, err)); break;
        case 3: JL_TRY(read_normalizer(field.bytes, model, err)); break;
        case 5: JL_TRY(read_denormalizer(field.bytes, err)); break;
        default: break;
        }
    }
}

static enum jl_status check_pieces(const struct sp_model *model, struct jl_error *err) {
    for (int i = 0; i < model->n_piece; i++) {
        const struct token_entry *piece = &model->pieces[i];
        if (piece->len == 0 || piece->len >= MAX_PIECE_BYTES ||
            memchr(piece->text, '\0', piece->len)) {
            return jl_fail(err, JL_ERR_FORMAT,
                           FILE_NAME ": piece %d has %zu bytes of text; it must have 1 to %d and "
                                     "no NUL among them",
                           i, piece->len, MAX_PIECE_BYTES - 1);
        }
        float score = piece->score;
        if (!(score - score == 0.0f)) {
            return jl_fail(err, JL_ERR_FORMAT, FILE_NAME ": the score of piece %d is not finite",
                           i);
        }
        if (piece->type == TOKEN_BYTE && !model->byte_fallback) {
            return jl_fail(err, JL_ERR_FORMAT,
                           FILE_NAME ": piece %d is a byte, but byte_fallback is false", i);
        }
    }
    return JL_OK;
}

enum jl_status sp_model_parse(const void *bytes, size_t len, struct sp_model *model,
                              struct jl_error *err) {
    struct cursor c = {.data = bytes, .len = len};
    *model = (struct sp_model){.type = SP_UNIGRAM,
                               .add_dummy_prefix = true,
                               .remove_extra_whitespaces = true,
                               .escape_whitespaces = true};
    enum jl_status status = count_pieces(c, model, err);
    if (status == JL_OK) status = read_model(c, model, err);
    if (status == JL_OK) status = check_pieces(model, err);
    if (status != JL_OK) sp_model_free(model);
    return status;
}

void sp_model_free(struct sp_model *model) {
    free(model->pieces);
    *model = (struct sp_model){0};
}

int32_t sp_model_find(const struct sp_model *model, struct sp_bytes text, enum token_type type) {
    for (int32_t i = 0; i < model->n_piece; i++) {
        const struct token_entry *piece = &model->pieces[i];
        if (piece->type == type && piece->len == text.len &&
            memcmp(piece->text, text.data, text.len) == 0)
            return i;
    }
    return TOKEN_NONE;
}
