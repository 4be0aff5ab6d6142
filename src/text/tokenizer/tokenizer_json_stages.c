/* Normaliser, pre-tokenizer, decoder and post-processor of a tokenizer.json. Components are those
 * of Hugging Face tokenizers; what is not in these tables is refused by name. */
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, JSON_READER_FILE ": out of memory");
}

/* ---- steps that the normaliser and the decoder have in common ---- */

/* A place for one more step, NULL when there is none left. */
static struct normalize_step *next_step(struct normalizer *normalizer, const char *where,
                                        struct jl_error *err) {
    if (normalizer->n_step < NORMALIZE_MAX_STEPS) return &normalizer->steps[normalizer->n_step++];
    jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": %s has more than %d steps", where,
            NORMALIZE_MAX_STEPS);
    return NULL;
}

static enum jl_status keep(struct tokenizer *t, const char *text, size_t len, const char **out,
                           struct jl_error *err) {
    *out = arena_strndup(&t->arena, text, len);
    return *out ? JL_OK : no_memory(err);
}

/* {"type": "Replace", "pattern": {"String": " "}, "content": "_"} */
static enum jl_status read_replace(struct tokenizer *t, const json_t *part, const char *where,
                                   struct normalizer *normalizer, struct jl_error *err) {
    static const char *const known[] = {"type", "pattern", "content", NULL};
    static const char *const known_pattern[] = {"String", NULL};
    const json_t *pattern = json_object_get(part, "pattern");
    const char *text;
    JL_TRY(json_reader_keys(part, where, known, err));
    struct normalize_step *step = next_step(normalizer, where, err);
    if (!step) return JL_ERR_LIMIT;
    if (json_is_object(pattern) && json_object_get(pattern, "Regex"))
        return json_reader_unknown(where, "Replace with a Regex pattern", err);
    JL_TRY(json_reader_keys(pattern, where, known_pattern, err));
    step->kind = NORMALIZE_REPLACE;
    JL_TRY(json_reader_string(pattern, where, "String", &text, &step->pattern_len, err));
    if (step->pattern_len == 0)
        return jl_fail(err, JL_ERR_FORMAT, JSON_READER_FILE ": %s replaces an empty text", where);
    JL_TRY(keep(t, text, step->pattern_len, &step->pattern, err));
    JL_TRY(json_reader_string(part, where, "content", &text, &step->content_len, err));
    return keep(t, text, step->content_len, &step->content, err);
}

/* {"type": "Prepend", "prepend": "_"} */
static enum jl_status read_prepend(struct tokenizer *t, const json_t *part, const char *where,
                                   struct normalizer *normalizer, struct jl_error *err) {
    static const char *const known[] = {"type", "prepend", NULL};
    const char *text;
    JL_TRY(json_reader_keys(part, where, known, err));
    struct normalize_step *step = next_step(normalizer, where, err);
    if (!step) return JL_ERR_LIMIT;
    step->kind = NORMALIZE_PREPEND;
    JL_TRY(json_reader_string(part, where, "prepend", &text, &step->content_len, err));
    return keep(t, text, step->content_len, &step->content, err);
}

/* Both spellings: prepend_scheme with split, and the older add_prefix_space. */
static enum jl_status read_metaspace(const json_t *part, const char *where,
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
    metaspace->present = true;
    return JL_OK;
}

/* The parts of a Sequence in order, or `part` alone. */
static enum jl_status for_each_part(struct tokenizer *t, const json_t *part, const char *where,
                                    const char *list_key, void *ctx,
                                    enum jl_status (*read)(struct tokenizer *t, const json_t *part,
                                                           const char *type, void *ctx,
                                                           struct jl_error *err),
                                    struct jl_error *err) {
    const char *type;
    if (json_reader_absent(part)) return JL_OK;
    JL_TRY(json_reader_type(part, where, &type, err));
    if (strcmp(type, "Sequence") != 0) return read(t, part, type, ctx, err);
    const char *const known[] = {"type", list_key, NULL};
    const json_t *list, *item;
    size_t i;
    JL_TRY(json_reader_keys(part, where, known, err));
    JL_TRY(json_reader_array(part, where, list_key, &list, err));
    json_array_foreach(list, i, item) {
        if (!json_is_object(item)) return json_reader_type(item, where, &type, err);
        JL_TRY(for_each_part(t, item, where, list_key, ctx, read, err));
    }
    return JL_OK;
}

/* ---- the stages ---- */

static enum jl_status read_normalizer(struct tokenizer *t, const json_t *part, const char *type,
                                      void *ctx, struct jl_error *err) {
    (void)ctx;
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(t, part, "normalizer", &t->normalizer, err);
    if (strcmp(type, "Replace") == 0)
        return read_replace(t, part, "normalizer", &t->normalizer, err);
    return json_reader_unknown("normalizer", type, err);
}

static enum jl_status read_pre_tokenizer(struct tokenizer *t, const json_t *part, const char *type,
                                         void *ctx, struct jl_error *err) {
    (void)ctx;
    if (strcmp(type, "Metaspace") != 0) return json_reader_unknown("pre_tokenizer", type, err);
    if (t->metaspace.present)
        return json_reader_unknown("pre_tokenizer", "Metaspace after Metaspace", err);
    return read_metaspace(part, "pre_tokenizer", &t->metaspace, err);
}

/* Decoding goes token by token, so the parts must come in the order in which that is possible:
 * rewriting of single tokens, bytes, fusing, then the start of the whole text. */
struct decoder_ctx {
    struct tokenizer_json_decoder *decoder;
    enum decoder_part {
        PART_NONE,
        PART_REWRITE,
        PART_METASPACE,
        PART_BYTES,
        PART_FUSE,
        PART_STRIP
    } last;
};

static enum jl_status read_strip(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", "content", "start", "stop", NULL};
    const char *content;
    size_t len;
    int start, stop;
    JL_TRY(json_reader_keys(part, "decoder", known, err));
    JL_TRY(json_reader_string(part, "decoder", "content", &content, &len, err));
    JL_TRY(
        json_reader_id(json_object_get(part, "start"), "decoder", "start", INT32_MAX, &start, err));
    JL_TRY(json_reader_id(json_object_get(part, "stop"), "decoder", "stop", INT32_MAX, &stop, err));
    if (start == 0 && stop == 0) return JL_OK;
    if (start != 1 || stop != 0 || strcmp(content, " ") != 0)
        return json_reader_unknown("decoder", "Strip of anything but one leading space", err);
    if (t->first != PIPELINE_FIRST_KEEP)
        return json_reader_unknown("decoder", "Strip together with Metaspace", err);
    t->first = PIPELINE_FIRST_DROP_SPACE;
    return JL_OK;
}

static enum jl_status read_decoder_metaspace(struct tokenizer *t, const json_t *part,
                                             struct tokenizer_json_decoder *decoder,
                                             struct jl_error *err) {
    struct metaspace metaspace;
    JL_TRY(read_metaspace(part, "decoder", &metaspace, err));
    if (decoder->rewrite.n_step)
        return json_reader_unknown("decoder", "Metaspace after Replace", err);
    struct normalize_step *step = next_step(&decoder->rewrite, "decoder", err);
    if (!step) return JL_ERR_LIMIT;
    *step = (struct normalize_step){.kind = NORMALIZE_REPLACE, .content = " ", .content_len = 1};
    step->pattern_len = metaspace.mark_len;
    JL_TRY(keep(t, metaspace.mark, metaspace.mark_len, &step->pattern, err));
    if (metaspace.prepend == METASPACE_NEVER) return JL_OK;
    t->first = PIPELINE_FIRST_DROP_MARKS;
    memcpy(t->first_mark, metaspace.mark, metaspace.mark_len);
    t->first_mark_len = metaspace.mark_len;
    return JL_OK;
}

static enum jl_status read_decoder(struct tokenizer *t, const json_t *part, const char *type,
                                   void *ctx, struct jl_error *err) {
    static const char *const only_type[] = {"type", NULL};
    struct decoder_ctx *order = ctx;
    enum decoder_part now = strcmp(type, "Replace") == 0        ? PART_REWRITE
                            : strcmp(type, "Metaspace") == 0    ? PART_METASPACE
                            : strcmp(type, "ByteFallback") == 0 ? PART_BYTES
                            : strcmp(type, "Fuse") == 0         ? PART_FUSE
                            : strcmp(type, "Strip") == 0        ? PART_STRIP
                                                                : PART_NONE;
    if (now == PART_NONE) return json_reader_unknown("decoder", type, err);
    bool in_order = now > order->last || (now == PART_REWRITE && order->last == PART_REWRITE);
    if (!in_order || (now == PART_STRIP && order->last != PART_FUSE)) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": the decoder's %s is not supported at its place; the "
                                        "order must be Replace or Metaspace, ByteFallback, Fuse, "
                                        "Strip",
                       type);
    }
    order->last = now;
    switch (now) {
    case PART_REWRITE: return read_replace(t, part, "decoder", &order->decoder->rewrite, err);
    case PART_METASPACE: return read_decoder_metaspace(t, part, order->decoder, err);
    case PART_STRIP: return read_strip(t, part, err);
    case PART_BYTES: order->decoder->byte_fallback = true; break;
    default: break;
    }
    return json_reader_keys(part, "decoder", only_type, err);
}

enum jl_status tokenizer_json_stages(struct tokenizer *t, const json_t *root,
                                     struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    struct decoder_ctx order = {.decoder = decoder};
    JL_TRY(for_each_part(t, json_object_get(root, "normalizer"), "normalizer", "normalizers", NULL,
                         read_normalizer, err));
    JL_TRY(for_each_part(t, json_object_get(root, "pre_tokenizer"), "pre_tokenizer",
                         "pretokenizers", NULL, read_pre_tokenizer, err));
    // Without a decoder, tokens are joined by spaces: nothing of this kind of vocabulary.
    if (json_reader_absent(json_object_get(root, "decoder")))
        return json_reader_unknown("decoder", "null", err);
    return for_each_part(t, json_object_get(root, "decoder"), "decoder", "decoders", &order,
                         read_decoder, err);
}

/* ---- post-processor ---- */

static enum jl_status add_template_ids(struct tokenizer *t, const json_t *table, const char *name,
                                       int32_t *ids, int *n, struct jl_error *err) {
    const json_t *entry = json_object_get(table, name), *list, *item;
    size_t i;
    if (!json_is_object(entry)) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": post_processor.special_tokens lacks '%.80s'", name);
    }
    JL_TRY(json_reader_array(entry, "post_processor", "ids", &list, err));
    json_array_foreach(list, i, item) {
        int id;
        JL_TRY(json_reader_id(item, "post_processor", name, t->vocab.n, &id, err));
        if (!vocab_has(&t->vocab, id)) {
            return jl_fail(err, JL_ERR_FORMAT,
                           JSON_READER_FILE ": post_processor adds token %d, which does not exist",
                           id);
        }
        if (*n == PIPELINE_MAX_EXTRA) {
            return jl_fail(err, JL_ERR_LIMIT,
                           JSON_READER_FILE ": post_processor adds more than %d tokens",
                           PIPELINE_MAX_EXTRA);
        }
        ids[(*n)++] = id;
    }
    return JL_OK;
}

/* "single" is a list of special tokens around the one sequence A. */
static enum jl_status read_template(struct tokenizer *t, const json_t *part, const char *type,
                                    void *ctx, struct jl_error *err) {
    static const char *const known[] = {"type", "single", "pair", "special_tokens", NULL};
    static const char *const known_item[] = {"SpecialToken", "Sequence", NULL};
    const json_t *single, *item;
    bool *seen = ctx, behind = false;
    size_t i, len;
    const char *name;
    if (strcmp(type, "TemplateProcessing") != 0)
        return json_reader_unknown("post_processor", type, err);
    if (*seen) return json_reader_unknown("post_processor", "a second TemplateProcessing", err);
    *seen = true;
    JL_TRY(json_reader_keys(part, "post_processor", known, err));
    JL_TRY(json_reader_array(part, "post_processor", "single", &single, err));
    json_array_foreach(single, i, item) {
        JL_TRY(json_reader_keys(item, "post_processor.single", known_item, err));
        const json_t *special = json_object_get(item, "SpecialToken");
        const json_t *inner = special ? special : json_object_get(item, "Sequence");
        JL_TRY(json_reader_string(inner, "post_processor.single", "id", &name, &len, err));
        if (special) {
            JL_TRY(add_template_ids(t, json_object_get(part, "special_tokens"), name,
                                    behind ? t->after : t->before,
                                    behind ? &t->n_after : &t->n_before, err));
        } else if (behind || strcmp(name, "A") != 0) {
            return jl_fail(err, JL_ERR_FORMAT,
                           JSON_READER_FILE ": post_processor.single must hold sequence A once");
        } else {
            behind = true;
        }
    }
    if (behind) return JL_OK;
    return jl_fail(err, JL_ERR_FORMAT,
                   JSON_READER_FILE ": post_processor.single does not hold sequence A");
}

enum jl_status tokenizer_json_post(struct tokenizer *t, const json_t *root, struct jl_error *err) {
    bool seen = false;
    return for_each_part(t, json_object_get(root, "post_processor"), "post_processor", "processors",
                         &seen, read_template, err);
}
