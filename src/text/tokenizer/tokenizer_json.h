/* The parts of the tokenizer.json reader; each fills its stages of a tokenizer being built. */
#ifndef JL_TEXT_TOKENIZER_JSON_H
#define JL_TEXT_TOKENIZER_JSON_H

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/pipeline.h"

/* How a token's text becomes what is written: the `decoder` of the file. */
struct tokenizer_json_decoder {
    struct normalizer rewrite;   // of each token by itself
    struct pipeline_strip strip; // of each token by itself
    bool byte_fallback;          // <0xXX> is a byte
    bool byte_level;             // characters of the byte alphabet are bytes
    const char *suffix;          // of a word; becomes a space
    size_t suffix_len;
    const char *prefix; // of what continues a word: lost; other tokens have a space in front
    size_t prefix_len;
    const char *pad, *delimiter; // CTC: lost; a space, with `cleanup`
    size_t pad_len, delimiter_len;
    bool cleanup; // no space before punctuation and English endings
};

/* `root` is the whole file. The normaliser and the pre-tokenizer come before the vocabulary (they
 * also say what its texts mean), the post-processor after it. */
enum jl_status tokenizer_json_normalizer(struct tokenizer *t, const json_t *root,
                                         struct jl_error *err);
enum jl_status tokenizer_json_pretok(struct tokenizer *t, const json_t *root, struct jl_error *err);
enum jl_status tokenizer_json_decoder(struct tokenizer *t, const json_t *root,
                                      struct tokenizer_json_decoder *decoder, struct jl_error *err);
enum jl_status tokenizer_json_vocab(struct tokenizer *t, const json_t *root,
                                    const struct tokenizer_json_decoder *decoder,
                                    struct jl_error *err);
/* The model's kind into t->model, its keys checked; before everything else. */
enum jl_status tokenizer_json_model(struct tokenizer *t, const json_t *model, struct jl_error *err);
/* What each model builds of the vocabulary, behind it. */
enum jl_status tokenizer_json_merges(struct tokenizer *t, const json_t *model,
                                     struct jl_error *err);
enum jl_status tokenizer_json_unigram(struct tokenizer *t, const json_t *model,
                                      struct jl_error *err);
enum jl_status tokenizer_json_wordpiece(struct tokenizer *t, const json_t *model,
                                        struct jl_error *err);
enum jl_status tokenizer_json_post(struct tokenizer *t, const json_t *root, struct jl_error *err);

/* tokenizer_config.json, after all of these. */
enum jl_status tokenizer_json_config(struct tokenizer *t, const json_t *config,
                                     struct jl_error *err);

/* All of a file, `config` may be NULL. */
enum jl_status tokenizer_json_build(const json_t *root, const json_t *config,
                                    struct tokenizer **out, struct jl_error *err);
enum jl_status tokenizer_json_parse(const char *text, size_t len, const char *file, json_t **out,
                                    struct jl_error *err);

/* ---- shared by the parts ---- */

/* Sets token->out to what the decoder makes of its text. */
enum jl_status tokenizer_json_out(struct tokenizer *t, struct vocab_token *token,
                                  const struct tokenizer_json_decoder *decoder,
                                  struct byte_buffer scratch[2], struct jl_error *err);

enum jl_status tokenizer_json_no_memory(struct jl_error *err);
enum jl_status tokenizer_json_keep(struct tokenizer *t, const char *text, size_t len,
                                   const char **out, struct jl_error *err);

/* A place for one more step, NULL (and *err is set) when there is none left. */
struct normalize_step *tokenizer_json_step(struct normalizer *normalizer, const char *where,
                                           struct jl_error *err);
/* {"type": "Replace", "pattern": {"String": " "}, "content": "_"} */
enum jl_status tokenizer_json_replace(struct tokenizer *t, const json_t *part, const char *where,
                                      struct normalizer *normalizer, struct jl_error *err);
/* Both spellings: prepend_scheme with split, and the older add_prefix_space. */
enum jl_status tokenizer_json_metaspace(const json_t *part, const char *where,
                                        struct metaspace *metaspace, struct jl_error *err);

/* The parts of a Sequence in order, or `part` alone; nothing when it is absent. */
struct tokenizer_json_walk {
    const char *where, *list_key;
    enum jl_status (*read)(struct tokenizer *t, const json_t *part, const char *type, void *ctx,
                           struct jl_error *err);
    void *ctx;
};
enum jl_status tokenizer_json_each(struct tokenizer *t, const json_t *part,
                                   const struct tokenizer_json_walk *walk, struct jl_error *err);

#endif
