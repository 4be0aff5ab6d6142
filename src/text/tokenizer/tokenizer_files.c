/* vocab.json with merges.txt: the files of Hugging Face's older tokenizer classes. Which class it
 * is decides over normaliser and pre-tokenizer, so it must be said somewhere; what the files hold
 * is then put together as the tokenizer.json that the class would write, and built as such. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pre.h"
#include "text/tokenizer/tokenizer_json.h"

#define VOCAB "vocab.json"
#define MERGES "merges.txt"
#define CONFIG "tokenizer_config.json"
#define ADDED "added_tokens.json"
#define MAP "special_tokens_map.json"

static const struct class_row {
    const char *names;           // classes, without "Fast", and model types; separated by spaces
    const char *normalizer;      // NULL: none
    const char *pattern;         // NULL: GPT-2's
    const char *end, *cls, *sep; // usual special tokens; cls and sep stand around a text
} classes[] = {
    {"GPT2Tokenizer CodeGenTokenizer gpt2 codegen phi", NULL, NULL, "<|endoftext|>", NULL, NULL},
    {"Qwen2Tokenizer qwen2 qwen2_moe qwen3 qwen3_moe", "NFC", PRE_QWEN2, "<|endoftext|>", NULL,
     NULL},
    {"RobertaTokenizer BartTokenizer LongformerTokenizer roberta bart longformer", NULL, NULL, NULL,
     "<s>", "</s>"},
};

static const char *const special_keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                           "pad_token", "cls_token", "mask_token"};
#define N_SPECIAL_KEY ((int)(sizeof special_keys / sizeof special_keys[0]))

/* Everything that was read, and the file that is put together. */
struct parts {
    json_t *vocab, *config, *added, *map; // parsed; NULL when absent
    json_t *root;                         // the tokenizer.json
    json_t *tokens;                       // its added_tokens
    const struct class_row *row;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, VOCAB ": out of memory");
}

/* ---- the class ---- */

static const struct class_row *find_class(const char *name) {
    size_t len = strlen(name);
    if (len > 4 && strcmp(name + len - 4, "Fast") == 0) len -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        for (const char *at = classes[i].names; *at; at += strspn(at, " ")) {
            size_t n = strcspn(at, " ");
            if (n == len && memcmp(at, name, len) == 0) return &classes[i];
            at += n;
        }
    }
    return NULL;
}

static enum jl_status read_class(struct parts *p, const char *model_type, struct jl_error *err) {
    const char *name = json_string_value(json_object_get(p->config, "tokenizer_class"));
    if (!name) name = model_type;
    if (!name) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the folder has " VOCAB " and " MERGES ", but neither " CONFIG
                       " nor config.json says which tokenizer they belong to");
    }
    p->row = find_class(name);
    if (p->row) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   VOCAB ": how the tokenizer '%.80s' splits text is not known; give the folder a "
                         "tokenizer.json, or use token ids (--tokens)",
                   name);
}

/* ---- merges.txt ---- */

static enum jl_status read_merges(const char *text, size_t len, json_t *out, struct jl_error *err) {
    size_t number = 1;
    for (const char *at = text, *end = text + len; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        if (stop > at && stop[-1] == '\r') stop--;
        const char *line = at;
        size_t n = (size_t)(stop - at);
        at = next;
        if (n == 0 || (n >= 8 && memcmp(line, "#version", 8) == 0)) continue;
        const char *space = memchr(line, ' ', n);
        bool two = space && space > line && space + 1 < stop &&
                   !memchr(space + 1, ' ', (size_t)(stop - space) - 1);
        json_t *item = two ? json_stringn(line, n) : NULL;
        if (!item) {
            return jl_fail(err, JL_ERR_FORMAT,
                           MERGES ", line %zu: it must be two texts with a space between", number);
        }
        if (json_array_append_new(out, item) != 0) return no_memory(err);
    }
    return JL_OK;
}

/* ---- added tokens ---- */

static const char *content_of(const json_t *value) {
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

static json_t *find_token(const struct parts *p, const char *content) {
    json_t *token;
    size_t i;
    json_array_foreach(p->tokens, i, token) {
        if (strcmp(json_string_value(json_object_get(token, "content")), content) == 0)
            return token;
    }
    return NULL;
}

static enum jl_status add_token(struct parts *p, json_int_t id, const json_t *like,
                                const char *content, bool special, struct jl_error *err) {
    static const char *const flags[] = {"lstrip", "rstrip", "single_word", "normalized"};
    json_t *token = json_pack("{s:I, s:s, s:b}", "id", id, "content", content, "special", special);
    if (!token) return no_memory(err);
    for (int i = 0; i < 4; i++) {
        json_t *flag = json_is_object(like) ? json_object_get(like, flags[i]) : NULL;
        if (flag && json_object_set(token, flags[i], flag) != 0) {
            json_decref(token);
            return no_memory(err);
        }
    }
    return json_array_append_new(p->tokens, token) == 0 ? JL_OK : no_memory(err);
}

/* "added_tokens_decoder": {"5": {"content": "<x>", "special": true, ...}} */
static enum jl_status add_decoder_tokens(struct parts *p, struct jl_error *err) {
    json_t *table = json_object_get(p->config, "added_tokens_decoder"), *value;
    const char *key;
    if (!json_reader_absent(table) && !json_is_object(table))
        return jl_fail(err, JL_ERR_FORMAT, CONFIG ": added_tokens_decoder must be an object");
    json_object_foreach(table, key, value) {
        char *end;
        long id = strtol(key, &end, 10);
        const char *content = json_is_object(value) ? content_of(value) : NULL;
        if (end == key || *end || id < 0 || id >= VOCAB_MAX_TOKENS || !content || !*content) {
            return jl_fail(err, JL_ERR_FORMAT,
                           CONFIG ": added_tokens_decoder: '%.40s' is not the id of a token with a "
                                  "content",
                           key);
        }
        JL_TRY(
            add_token(p, id, value, content, json_is_true(json_object_get(value, "special")), err));
    }
    return JL_OK;
}

/* {"<x>": 5}, which may repeat what the configuration says. */
static enum jl_status add_added_tokens(struct parts *p, struct jl_error *err) {
    const char *content;
    json_t *value;
    json_object_foreach(p->added, content, value) {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= VOCAB_MAX_TOKENS || !*content)
            return jl_fail(err, JL_ERR_FORMAT, ADDED ": '%.80s' has no id", content);
        const json_t *same = find_token(p, content);
        if (same && json_integer_value(json_object_get(same, "id")) != id) {
            return jl_fail(err, JL_ERR_FORMAT,
                           ADDED ": '%.80s' is token %lld, but another one in " CONFIG, content,
                           (long long)id);
        }
        if (!same) JL_TRY(add_token(p, id, NULL, content, false, err));
    }
    return JL_OK;
}

/* A token that a setting names: it is special, wherever its id comes from. */
static enum jl_status mark_special(struct parts *p, const json_t *value, const char *key,
                                   const char *file, struct jl_error *err) {
    if (json_reader_absent(value)) return JL_OK;
    const char *content = content_of(value);
    if (!content || !*content)
        return jl_fail(err, JL_ERR_FORMAT, "%s: %s must be a text", file, key);
    json_t *token = find_token(p, content);
    if (token)
        return json_object_set_new(token, "special", json_true()) == 0 ? JL_OK : no_memory(err);
    const json_t *id = json_object_get(p->vocab, content);
    if (json_is_integer(id)) return add_token(p, json_integer_value(id), value, content, true, err);
    return jl_fail(err, JL_ERR_FORMAT, "%s: %s '%.80s' has no id in any file of the folder", file,
                   key, content);
}

static enum jl_status mark_all(struct parts *p, const json_t *settings, const char *file,
                               struct jl_error *err) {
    static const char more[] = "additional_special_tokens";
    const json_t *list = json_object_get(settings, more), *item;
    size_t i;
    for (int k = 0; k < N_SPECIAL_KEY; k++)
        JL_TRY(mark_special(p, json_object_get(settings, special_keys[k]), special_keys[k], file,
                            err));
    if (!json_reader_absent(list) && !json_is_array(list))
        return jl_fail(err, JL_ERR_FORMAT, "%s: %s must be a list", file, more);
    json_array_foreach(list, i, item) JL_TRY(mark_special(p, item, more, file, err));
    return JL_OK;
}

/* The class's own special tokens count when the vocabulary has them. */
static enum jl_status mark_usual(struct parts *p, struct jl_error *err) {
    const char *const usual[] = {p->row->end, p->row->cls, p->row->sep};
    for (int i = 0; i < 3; i++) {
        if (!usual[i] || find_token(p, usual[i])) continue;
        const json_t *id = json_object_get(p->vocab, usual[i]);
        if (id) JL_TRY(add_token(p, json_integer_value(id), NULL, usual[i], true, err));
    }
    return JL_OK;
}

static enum jl_status add_tokens(struct parts *p, struct jl_error *err) {
    p->tokens = json_array();
    if (!p->tokens || json_object_set_new(p->root, "added_tokens", p->tokens) != 0)
        return no_memory(err);
    JL_TRY(add_decoder_tokens(p, err));
    JL_TRY(add_added_tokens(p, err));
    JL_TRY(mark_all(p, p->config, CONFIG, err));
    JL_TRY(mark_all(p, p->map, MAP, err));
    return mark_usual(p, err);
}

/* ---- the stages ---- */

static json_t *pre_tokenizer(const struct parts *p, bool prefix) {
    json_t *bytes = json_pack("{s:s, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix,
                              "use_regex", p->row->pattern == NULL);
    if (!p->row->pattern || !bytes) return bytes;
    return json_pack("{s:s, s:[{s:s, s:{s:s}, s:s}, o]}", "type", "Sequence", "pretokenizers",
                     "type", "Split", "pattern", "Regex", p->row->pattern, "behavior", "Isolated",
                     bytes);
}

/* The class's cls and sep around a text, where the vocabulary has them. */
static json_t *post_processor(const struct parts *p) {
    const char *sep = p->row->sep, *cls = p->row->cls;
    const json_t *sep_token = sep ? find_token(p, sep) : NULL;
    const json_t *cls_token = cls ? find_token(p, cls) : NULL;
    if (!sep_token || !cls_token) return json_null();
    return json_pack("{s:s, s:[s, O], s:[s, O]}", "type", "RobertaProcessing", "sep", sep,
                     json_object_get(sep_token, "id"), "cls", cls,
                     json_object_get(cls_token, "id"));
}

static enum jl_status set_stages(struct parts *p, struct jl_error *err) {
    bool prefix;
    JL_TRY(json_reader_bool(p->config, CONFIG, "add_prefix_space", false, &prefix, err));
    if (p->row->normalizer) {
        json_t *normalizer = json_pack("{s:s}", "type", p->row->normalizer);
        if (json_object_set_new(p->root, "normalizer", normalizer) != 0) return no_memory(err);
    }
    if (json_object_set_new(p->root, "pre_tokenizer", pre_tokenizer(p, prefix)) != 0 ||
        json_object_set_new(p->root, "post_processor", post_processor(p)) != 0 ||
        json_object_set_new(p->root, "decoder", json_pack("{s:s}", "type", "ByteLevel")) != 0)
        return no_memory(err);
    return JL_OK;
}

static enum jl_status set_model(struct parts *p, const struct tokenizer_files *files,
                                struct jl_error *err) {
    json_t *merges = json_array();
    json_t *model =
        json_pack("{s:s, s:O, s:o}", "type", "BPE", "vocab", p->vocab, "merges", merges);
    if (!model || json_object_set_new(p->root, "model", model) != 0) return no_memory(err);
    return read_merges(files->merges, files->merges_len, merges, err);
}

static enum jl_status build(struct parts *p, const struct tokenizer_files *files,
                            struct tokenizer **out, struct jl_error *err) {
    JL_TRY(tokenizer_json_parse(files->vocab, files->vocab_len, VOCAB, &p->vocab, err));
    if (files->config)
        JL_TRY(tokenizer_json_parse(files->config, files->config_len, CONFIG, &p->config, err));
    if (files->added)
        JL_TRY(tokenizer_json_parse(files->added, files->added_len, ADDED, &p->added, err));
    if (files->special_tokens)
        JL_TRY(tokenizer_json_parse(files->special_tokens, files->special_tokens_len, MAP, &p->map,
                                    err));
    JL_TRY(read_class(p, files->model_type, err));
    p->root = json_object();
    if (!p->root) return no_memory(err);
    JL_TRY(set_model(p, files, err));
    JL_TRY(add_tokens(p, err));
    JL_TRY(set_stages(p, err));
    return tokenizer_json_build(p->root, p->config, out, err);
}

static void identify(struct identity *identity, const struct tokenizer_files *f) {
    identity_begin(identity, "files");
    identity_add(identity, f->vocab, f->vocab_len);
    identity_add(identity, f->merges, f->merges_len);
    identity_add(identity, f->config, f->config_len);
    identity_add(identity, f->added, f->added_len);
    identity_add(identity, f->special_tokens, f->special_tokens_len);
    identity_add(identity, f->model_type, f->model_type ? strlen(f->model_type) : 0);
}

enum jl_status tokenizer_from_files(const struct tokenizer_files *files, struct tokenizer **out,
                                    struct jl_error *err) {
    struct parts parts = {0};
    *out = NULL;
    enum jl_status status = build(&parts, files, out, err);
    if (status == JL_OK) identify(&(*out)->identity, files);
    json_decref(parts.vocab);
    json_decref(parts.config);
    json_decref(parts.added);
    json_decref(parts.map);
    json_decref(parts.root);
    return status;
}
