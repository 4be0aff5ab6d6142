/* The post-processor of a tokenizer.json: the ids around a text. */
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

#define WHERE "post_processor"

static enum jl_status add_extra(struct tokenizer *t, const json_t *value, const char *name,
                                int32_t *ids, int *n, struct jl_error *err) {
    int id;
    JL_TRY(json_reader_id(value, WHERE, name, t->vocab.n, &id, err));
    if (!vocab_has(&t->vocab, id)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE " adds token %d, which does not exist", id);
    }
    if (*n == PIPELINE_MAX_EXTRA) {
        return jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": " WHERE " adds more than %d tokens",
                       PIPELINE_MAX_EXTRA);
    }
    ids[(*n)++] = id;
    return JL_OK;
}

/* The ids of one special token of a template. */
static enum jl_status add_template_ids(struct tokenizer *t, const json_t *table, const char *name,
                                       bool behind, struct jl_error *err) {
    const json_t *entry = json_object_get(table, name), *list, *item;
    int32_t *ids = behind ? t->after : t->before;
    int *n = behind ? &t->n_after : &t->n_before;
    size_t i;
    if (!json_is_object(entry)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".special_tokens lacks '%.80s'", name);
    }
    JL_TRY(json_reader_array(entry, WHERE, "ids", &list, err));
    json_array_foreach(list, i, item) JL_TRY(add_extra(t, item, name, ids, n, err));
    return JL_OK;
}

/* "single" is a list of special tokens around the one sequence A. */
static enum jl_status read_template(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", "single", "pair", "special_tokens", NULL};
    static const char *const known_item[] = {"SpecialToken", "Sequence", NULL};
    const json_t *single, *item, *table = json_object_get(part, "special_tokens");
    bool behind = false;
    size_t i, len;
    const char *name;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_array(part, WHERE, "single", &single, err));
    json_array_foreach(single, i, item) {
        JL_TRY(json_reader_keys(item, WHERE ".single", known_item, err));
        const json_t *special = json_object_get(item, "SpecialToken");
        const json_t *inner = special ? special : json_object_get(item, "Sequence");
        JL_TRY(json_reader_string(inner, WHERE ".single", "id", &name, &len, err));
        if (special) {
            JL_TRY(add_template_ids(t, table, name, behind, err));
        } else if (behind || strcmp(name, "A") != 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           JSON_READER_FILE ": " WHERE ".single must hold sequence A once");
        } else {
            behind = true;
        }
    }
    if (behind) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": " WHERE ".single does not hold sequence A");
}

/* "sep": ["[SEP]", 102] */
static enum jl_status add_pair(struct tokenizer *t, const json_t *part, const char *key,
                               bool behind, struct jl_error *err) {
    const json_t *pair;
    JL_TRY(json_reader_array(part, WHERE, key, &pair, err));
    if (json_array_size(pair) != 2 || !json_is_string(json_array_get(pair, 0))) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".%s must be a text and an id", key);
    }
    return add_extra(t, json_array_get(pair, 1), json_string_value(json_array_get(pair, 0)),
                     behind ? t->after : t->before, behind ? &t->n_after : &t->n_before, err);
}

static enum jl_status read_bert(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", "sep", "cls", "trim_offsets", "add_prefix_space",
                                        NULL}; // the last two of RobertaProcessing: offsets only
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(add_pair(t, part, "cls", false, err));
    return add_pair(t, part, "sep", true, err);
}

static enum jl_status read_post(struct tokenizer *t, const json_t *part, const char *type,
                                void *ctx, struct jl_error *err) {
    static const char *const known[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                        NULL};
    bool *seen = ctx;
    if (strcmp(type, "ByteLevel") == 0) return json_reader_keys(part, WHERE, known, err); // offsets
    if (*seen) return json_reader_unknown(WHERE, "a second one that adds tokens", err);
    *seen = true;
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(t, part, err);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return read_bert(t, part, err);
    return json_reader_unknown(WHERE, type, err);
}

enum jl_status tokenizer_json_post(struct tokenizer *t, const json_t *root, struct jl_error *err) {
    bool seen = false;
    const struct tokenizer_json_walk walk = {WHERE, "processors", read_post, &seen};
    return tokenizer_json_each(t, json_object_get(root, WHERE), &walk, err);
}
