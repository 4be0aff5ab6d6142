/* What the readers of all stages of a tokenizer.json share. Components are those of Hugging Face
 * tokenizers; what is not in their tables is refused by name. */
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

#define MAX_DEPTH 16 // of sequences inside sequences

enum jl_status tokenizer_json_no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, JSON_READER_FILE ": out of memory");
}

enum jl_status tokenizer_json_keep(struct tokenizer *t, const char *text, size_t len,
                                   const char **out, struct jl_error *err) {
    *out = arena_strndup(&t->arena, text, len);
    return *out ? JL_OK : tokenizer_json_no_memory(err);
}

struct normalize_step *tokenizer_json_step(struct normalizer *normalizer, const char *where,
                                           struct jl_error *err) {
    if (normalizer->n_step < NORMALIZE_MAX_STEPS) {
        struct normalize_step *step = &normalizer->steps[normalizer->n_step++];
        *step = (struct normalize_step){.kind = NORMALIZE_PREPEND, .content = ""};
        return step;
    }
    jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": %s has more than %d steps", where,
            NORMALIZE_MAX_STEPS);
    return NULL;
}

enum jl_status tokenizer_json_replace(struct tokenizer *t, const json_t *part, const char *where,
                                      struct normalizer *normalizer, struct jl_error *err) {
    static const char *const known[] = {"type", "pattern", "content", NULL};
    static const char *const known_pattern[] = {"String", "Regex", NULL};
    const json_t *pattern = json_object_get(part, "pattern");
    const char *text;
    size_t len;
    JL_TRY(json_reader_keys(part, where, known, err));
    struct normalize_step *step = tokenizer_json_step(normalizer, where, err);
    if (!step) return JL_ERR_LIMIT;
    JL_TRY(json_reader_keys(pattern, where, known_pattern, err));
    if (json_object_size(pattern) != 1) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": %s.pattern must hold a String or a Regex", where);
    }
    bool regex = json_object_get(pattern, "Regex") != NULL;
    JL_TRY(json_reader_string(pattern, where, regex ? "Regex" : "String", &text, &len, err));
    if (len == 0)
        return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": %s replaces an empty text", where);
    if (regex) {
        JL_TRY(regex_compile(text, len, REGEX_ONIG, &step->regex, err));
    } else {
        JL_TRY(tokenizer_json_keep(t, text, len, &step->pattern, err));
        step->pattern_len = len;
    }
    JL_TRY(json_reader_string(part, where, "content", &text, &step->content_len, err));
    JL_TRY(tokenizer_json_keep(t, text, step->content_len, &step->content, err));
    step->kind = regex ? NORMALIZE_REPLACE_REGEX : NORMALIZE_REPLACE;
    return JL_OK;
}

enum jl_status tokenizer_json_metaspace(const json_t *part, const char *where,
                                        struct metaspace *metaspace, struct jl_error *err) {
    static const char *const known[] = {
        "type", "replacement", "add_prefix_space", "split", "str_rep", "prepend_scheme", NULL};
    const char *mark, *scheme = "always";
    size_t len;
    bool prefix;
    JL_TRY(json_reader_keys(part, where, known, err));
    JL_TRY(json_reader_string(part, where, "replacement", &mark, &len, err));
    if (len == 0 || (size_t)utf8_length(mark, len) != len) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": %s.replacement must be one character", where);
    }
    JL_TRY(json_reader_bool(part, where, "add_prefix_space", true, &prefix, err));
    JL_TRY(json_reader_bool(part, where, "split", true, &metaspace->split, err));
    if (!json_reader_absent(json_object_get(part, "prepend_scheme"))) {
        size_t scheme_len;
        JL_TRY(json_reader_string(part, where, "prepend_scheme", &scheme, &scheme_len, err));
        if (!prefix && strcmp(scheme, "never") != 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           JSON_READER_FILE ": %s.add_prefix_space is false, but prepend_scheme "
                                            "is '%.40s'",
                           where, scheme);
        }
    } else if (!prefix) {
        scheme = "never";
    }
    if (strcmp(scheme, "always") == 0)
        metaspace->prepend = METASPACE_ALWAYS;
    else if (strcmp(scheme, "first") == 0)
        metaspace->prepend = METASPACE_FIRST;
    else if (strcmp(scheme, "never") == 0)
        metaspace->prepend = METASPACE_NEVER;
    else
        return json_reader_unknown("Metaspace prepend_scheme", scheme, err);
    memcpy(metaspace->mark, mark, len);
    metaspace->mark_len = len;
    return JL_OK;
}

static enum jl_status each(struct tokenizer *t, const json_t *part,
                           const struct tokenizer_json_walk *walk, int depth,
                           struct jl_error *err) {
    const char *type;
    if (depth > MAX_DEPTH) {
        return jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": %s has sequences more than %d deep",
                       walk->where, MAX_DEPTH);
    }
    JL_TRY(json_reader_type(part, walk->where, &type, err));
    if (strcmp(type, "Sequence") != 0) return walk->read(t, part, type, walk->ctx, err);
    const char *const known[] = {"type", walk->list_key, NULL};
    const json_t *list, *item;
    size_t i;
    JL_TRY(json_reader_keys(part, walk->where, known, err));
    JL_TRY(json_reader_array(part, walk->where, walk->list_key, &list, err));
    json_array_foreach(list, i, item) JL_TRY(each(t, item, walk, depth + 1, err));
    return JL_OK;
}

enum jl_status tokenizer_json_each(struct tokenizer *t, const json_t *part,
                                   const struct tokenizer_json_walk *walk, struct jl_error *err) {
    return json_reader_absent(part) ? JL_OK : each(t, part, walk, 0, err);
}
