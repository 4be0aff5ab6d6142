/* BPE of SentencePiece, as a GGUF file has it, as a tokenizer.model: a protocol buffer with the
 * fields of sentencepiece_model.proto. Pieces keep their scores, so that merging keeps its order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/to_folder.h"

enum wire { WIRE_VARINT = 0, WIRE_BYTES = 2, WIRE_32 = 5 };

struct message {
    struct byte_buffer bytes;
    bool ok; // false: out of memory
};

/* ---- fields ---- */

static void put_varint(struct message *m, uint64_t value) {
    char byte;
    do {
        byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        m->ok = m->ok && buffer_append(&m->bytes, &byte, 1);
        value >>= 7;
    } while (value);
}

static void put_number(struct message *m, int field, int64_t value) {
    put_varint(m, (uint64_t)field << 3 | WIRE_VARINT);
    put_varint(m, (uint64_t)value);
}

static void put_bytes(struct message *m, int field, const char *bytes, size_t len) {
    put_varint(m, (uint64_t)field << 3 | WIRE_BYTES);
    put_varint(m, len);
    m->ok = m->ok && buffer_append(&m->bytes, bytes, len);
}

static void put_float(struct message *m, int field, float value) {
    char bytes[sizeof value];
    memcpy(bytes, &value, sizeof value); // little endian, as the machines that we run on
    put_varint(m, (uint64_t)field << 3 | WIRE_32);
    m->ok = m->ok && buffer_append(&m->bytes, bytes, sizeof bytes);
}

static void put_message(struct message *m, int field, struct message *inner) {
    put_bytes(m, field, inner->bytes.len ? inner->bytes.data : "", inner->bytes.len);
    m->ok = m->ok && inner->ok;
}

/* ---- the model ---- */

static bool is_aside(enum token_type type) {
    return type == TOKEN_UNKNOWN || type == TOKEN_CONTROL;
}

/* A model has one unknown piece: the one that is named, else the first. */
static int32_t unknown_of(const struct spm_spec *spec) {
    if (spec->unk != TOKEN_NONE && is_aside(spec->tokens[spec->unk].type)) return spec->unk;
    for (int32_t i = 0; i < spec->n_token; i++)
        if (spec->tokens[i].type == TOKEN_UNKNOWN) return i;
    return TOKEN_NONE;
}

static void put_pieces(struct message *m, const struct spm_spec *spec) {
    struct message piece = {.ok = true};
    int32_t unk = unknown_of(spec);
    for (int32_t i = 0; i < spec->n_token; i++) {
        const struct token_entry *token = &spec->tokens[i];
        enum token_type type = !is_aside(token->type) ? token->type
                               : i == unk             ? TOKEN_UNKNOWN
                                                      : TOKEN_CONTROL;
        piece.bytes.len = 0;
        put_bytes(&piece, 1, token->text, token->len);
        put_float(&piece, 2, token->score);
        put_number(&piece, 3, type);
        put_message(m, 1, &piece);
    }
    buffer_free(&piece.bytes);
}

static bool has_all_bytes(const struct spm_spec *spec) {
    int n = 0;
    for (int i = 0; i < spec->n_token; i++)
        n += spec->tokens[i].type == TOKEN_BYTE;
    return n == 256;
}

/* trainer_spec: the kind of model and which pieces are the special ones. */
static void put_special(struct message *m, const struct spm_spec *spec, int id_field,
                        int piece_field, int32_t id) {
    put_number(m, id_field, id); // -1: there is none
    if (id == TOKEN_NONE) return;
    put_bytes(m, piece_field, spec->tokens[id].text, spec->tokens[id].len);
}

static void put_trainer(struct message *m, const struct spm_spec *spec) {
    struct message inner = {.ok = true};
    int32_t unk = unknown_of(spec);
    put_number(&inner, 3, 2); // BPE
    put_number(&inner, 4, spec->n_token);
    put_number(&inner, 35, has_all_bytes(spec));
    put_special(&inner, spec, 40, 45, unk);
    put_special(&inner, spec, 41, 46, spec->bos);
    put_special(&inner, spec, 42, 47, spec->eos);
    put_number(&inner, 43, TOKEN_NONE); // of padding
    if (unk != TOKEN_NONE) put_bytes(&inner, 44, spec->tokens[unk].text, spec->tokens[unk].len);
    put_message(m, 2, &inner);
    buffer_free(&inner.bytes);
}

static void put_normalizer(struct message *m, const struct spm_spec *spec) {
    struct message inner = {.ok = true};
    put_bytes(&inner, 1, "identity", 8);
    put_number(&inner, 3, spec->add_space_prefix);
    put_number(&inner, 4, 0); // remove_extra_whitespaces
    put_number(&inner, 5, 1); // escape_whitespaces
    put_message(m, 3, &inner);
    buffer_free(&inner.bytes);
}

/* ---- the configuration ---- */

/* Tokens that are found as they stand, whatever the normalizer does. */
static void put_added(json_t *config, const struct tokenizer *source, bool *ok) {
    json_t *table = json_object();
    for (int i = 0; i < source->added_raw.n; i++) {
        const struct added_token *token = &source->added_raw.tokens[i];
        json_t *item = json_object();
        char id[16];
        snprintf(id, sizeof id, "%d", token->id);
        to_folder_set(item, "content", json_stringn(token->text, token->len), ok);
        to_folder_set(item, "lstrip", json_false(), ok);
        to_folder_set(item, "normalized", json_false(), ok);
        to_folder_set(item, "rstrip", json_false(), ok);
        to_folder_set(item, "single_word", json_false(), ok);
        to_folder_set(item, "special", json_boolean(token->special), ok);
        to_folder_set(table, id, item, ok);
    }
    to_folder_set(config, "added_tokens_decoder", table, ok);
}

static enum jl_status print_config(const struct spm_spec *spec, const struct tokenizer *source,
                                   struct byte_buffer *out, struct jl_error *err) {
    const struct to_folder_ends ends = {spec->tokens, spec->bos,     spec->eos,
                                        spec->unk,    spec->add_bos, spec->add_eos};
    json_t *config = to_folder_config(&ends, "LlamaTokenizer");
    bool ok = config != NULL;
    if (ok) {
        to_folder_set(config, "legacy", json_true(), &ok);
        to_folder_set(config, "add_prefix_space", json_boolean(spec->add_space_prefix), &ok);
        put_added(config, source, &ok);
    }
    enum jl_status status = ok ? to_folder_print(config, out, err) : to_folder_no_memory(err);
    json_decref(config);
    return status;
}

/* ---- all of it ---- */

enum jl_status tokenizer_spm_to_folder(const struct spm_spec *spec, struct tokenizer_folder *out,
                                       struct jl_error *err) {
    struct tokenizer *source = NULL, *made = NULL;
    struct message m = {.ok = true};
    struct byte_buffer config = {0};
    *out = (struct tokenizer_folder){0};
    enum jl_status status = tokenizer_from_spm(spec, &source, err);
    if (status == JL_OK) {
        put_pieces(&m, spec);
        put_trainer(&m, spec);
        put_normalizer(&m, spec);
        status = m.ok ? print_config(spec, source, &config, err) : to_folder_no_memory(err);
    }
    if (status == JL_OK)
        status = tokenizer_from_sentencepiece(m.bytes.data, m.bytes.len, config.data, config.len,
                                              &made, err);
    if (status == JL_OK) status = to_folder_check(source, made, err);
    tokenizer_free(source);
    tokenizer_free(made);
    if (status == JL_OK && !buffer_append(&config, "", 1)) status = to_folder_no_memory(err);
    if (status == JL_OK) {
        *out = (struct tokenizer_folder){"tokenizer.model", m.bytes.data, m.bytes.len, config.data};
        return JL_OK;
    }
    buffer_free(&m.bytes);
    buffer_free(&config);
    return status;
}
