/* Ids: special tokens first or last, as asked for; between them the bytes by value, then the merges
 * in order. */
#include "text/bpe_train/write.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "text/bpe_train/rules.h"
#include "text/json_print.h"
#include "text/tokenizer/byte_alphabet.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory writing the tokenizer");
}

static int id_of_special(const struct bpe_learn *learn, const struct bpe_train_options *options,
                         int i) {
    return options->special_first ? i : learn->n_token + i;
}

static int id_of_name(const struct bpe_learn *learn, const struct bpe_train_options *options,
                      const char *name) {
    int i = 0;
    while (strcmp(options->special[i], name) != 0)
        i++;
    return id_of_special(learn, options, i);
}

/* ---- the model ---- */

/* A token in the byte alphabet, behind what *out holds. */
static bool spell(const struct bpe_learn *learn, int32_t id, struct byte_buffer *out) {
    return byte_alphabet_write(bpe_learn_bytes(learn, id), learn->tokens[id].len, out);
}

static bool put_vocab(const struct bpe_learn *learn, const struct bpe_train_options *options,
                      json_t *vocab, struct byte_buffer *text) {
    int first = options->special_first ? options->n_special : 0;
    // Libraries number added tokens behind the model's, unless the model has them.
    for (int i = 0; i < first; i++)
        if (json_object_set_new(vocab, options->special[i], json_integer(i))) return false;
    for (int32_t id = 0; id < learn->n_token; id++) {
        text->len = 0;
        if (!spell(learn, id, text) || !buffer_append(text, "", 1) ||
            json_object_set_new(vocab, text->data, json_integer(first + id)))
            return false;
    }
    return true;
}

static bool put_merges(const struct bpe_learn *learn, json_t *merges, struct byte_buffer *text) {
    for (int32_t id = 256; id < learn->n_token; id++) {
        text->len = 0;
        if (!spell(learn, learn->tokens[id].left, text) || !buffer_append(text, " ", 1) ||
            !spell(learn, learn->tokens[id].right, text) ||
            json_array_append_new(merges, json_stringn(text->data, text->len)))
            return false;
    }
    return true;
}

static json_t *make_model(const struct bpe_learn *learn, const struct bpe_train_options *options) {
    struct byte_buffer text = {0};
    json_t *vocab = json_object(), *merges = json_array(), *model = NULL;
    bool ok = vocab && merges && put_vocab(learn, options, vocab, &text) &&
              put_merges(learn, merges, &text);
    buffer_free(&text);
    if (ok)
        model = json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:O, s:O}", "type", "BPE",
                          "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
                          "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab,
                          "merges", merges);
    json_decref(vocab);
    json_decref(merges);
    return model;
}

/* ---- what stands around it ---- */

static json_t *make_special(const char *text, int id) {
    json_t *token = json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", text, "single_word", 0,
                              "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1);
    if (token && id >= 0) {
        json_t *with_id = json_pack("{s:i}", "id", id);
        if (with_id && json_object_update(with_id, token)) {
            json_decref(with_id);
            with_id = NULL;
        }
        json_decref(token);
        return with_id;
    }
    return token;
}

static json_t *make_added(const struct bpe_learn *learn, const struct bpe_train_options *options) {
    json_t *added = json_array();
    for (int i = 0; added && i < options->n_special; i++) {
        int id = id_of_special(learn, options, i);
        if (!json_array_append_new(added, make_special(options->special[i], id))) continue;
        json_decref(added);
        added = NULL;
    }
    return added;
}

/* BOS in front of a text, and in front of each of a pair. */
static json_t *make_post(const struct bpe_learn *learn, const struct bpe_train_options *options) {
    const char *bos = options->bos;
    if (!options->add_bos) return json_null();
    return json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}],"
                     " s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}],"
                     " s:{s:{s:s, s:[i], s:[s]}}}",
                     "type", "TemplateProcessing", "single", "SpecialToken", "id", bos, "type_id",
                     0, "Sequence", "id", "A", "type_id", 0, "pair", "SpecialToken", "id", bos,
                     "type_id", 0, "Sequence", "id", "A", "type_id", 0, "SpecialToken", "id", bos,
                     "type_id", 1, "Sequence", "id", "B", "type_id", 1, "special_tokens", bos, "id",
                     bos, "ids", id_of_name(learn, options, bos), "tokens", bos);
}

/* Takes `value` over. */
static enum jl_status print(json_t *value, char **text, size_t *len, struct jl_error *err) {
    const struct json_print_options options = {.indent = 2};
    struct byte_buffer out = {0};
    enum jl_status status = value ? json_print_value(value, &options, &out, err) : no_memory(err);
    json_decref(value);
    if (status == JL_OK && (!buffer_append(&out, "\n", 1) || !buffer_append(&out, "", 1)))
        status = no_memory(err);
    if (status != JL_OK) {
        buffer_free(&out);
        return status;
    }
    *text = out.data;
    *len = out.len - 1;
    return JL_OK;
}

enum jl_status bpe_write_tokenizer(const struct bpe_learn *learn,
                                   const struct bpe_train_options *options, char **text,
                                   size_t *len, struct jl_error *err) {
    json_t *decoder = json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                                "trim_offsets", 0, "use_regex", 0);
    return print(json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:o, s:o, s:o}", "version", "1.0",
                           "truncation", "padding", "added_tokens", make_added(learn, options),
                           "normalizer", "pre_tokenizer", bpe_rules_json(&options->rules),
                           "post_processor", make_post(learn, options), "decoder", decoder, "model",
                           make_model(learn, options)),
                 text, len, err);
}

/* ---- tokenizer_config.json ---- */

static bool put_role(json_t *config, const char *key, const char *text) {
    return !json_object_set_new(config, key, text ? json_string(text) : json_null());
}

static bool fill_config(const struct bpe_learn *learn, const struct bpe_train_options *options,
                        json_t *config) {
    json_t *added = json_object();
    if (json_object_set_new(config, "added_tokens_decoder", added)) return false;
    for (int i = 0; i < options->n_special; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", id_of_special(learn, options, i));
        if (json_object_set_new(added, key, make_special(options->special[i], -1))) return false;
    }
    if (!put_role(config, "bos_token", options->bos) ||
        !put_role(config, "eos_token", options->eos) ||
        !put_role(config, "pad_token", options->pad) || !put_role(config, "unk_token", NULL))
        return false;
    return !options->chat_template ||
           !json_object_set_new(config, "chat_template", json_string(options->chat_template));
}

enum jl_status bpe_write_config(const struct bpe_learn *learn,
                                const struct bpe_train_options *options, char **text, size_t *len,
                                struct jl_error *err) {
    json_t *config = json_pack("{s:s, s:b, s:b, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                               "add_bos_token", options->add_bos, "add_prefix_space", 0,
                               "clean_up_tokenization_spaces", 0);
    if (config && !fill_config(learn, options, config)) {
        json_decref(config);
        config = NULL;
    }
    return print(config, text, len, err);
}
