/* The decoder of a tokenizer.json. Decoding goes token by token, so the parts must come in an order
 * in which that is possible: rewriting of single tokens, bytes, fusing, then the ends of the whole
 * text. */
#include <string.h>

#include "text/tokenizer/tokenizer_json.h"

#define WHERE "decoder"

struct order {
    struct tokenizer_json_decoder *decoder;
    enum part {
        PART_NONE,
        PART_REWRITE,
        PART_METASPACE,
        PART_SUFFIX,
        PART_WORDPIECE,
        PART_CTC,
        PART_STRIP_TOKEN,
        PART_BYTES,
        PART_BYTE_LEVEL,
        PART_FUSE,
        PART_STRIP
    } last;
};

static enum jl_status read_strip(struct tokenizer *t, const json_t *part,
                                 struct pipeline_strip *strip, struct jl_error *err) {
    static const char *const known[] = {"type", "content", "start", "stop", NULL};
    const char *content;
    size_t len;
    (void)t;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_string(part, WHERE, "content", &content, &len, err));
    if (len == 0 || (size_t)utf8_length(content, len) != len) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ": Strip's content must be one character");
    }
    JL_TRY(json_reader_id(json_object_get(part, "start"), WHERE, "start", PIPELINE_MAX_STRIP + 1,
                          &strip->start, err));
    JL_TRY(json_reader_id(json_object_get(part, "stop"), WHERE, "stop", PIPELINE_MAX_STRIP + 1,
                          &strip->stop, err));
    memcpy(strip->mark, content, len);
    strip->mark_len = len;
    return JL_OK;
}

/* Of the whole text. */
static enum jl_status read_text_strip(struct tokenizer *t, const json_t *part,
                                      struct jl_error *err) {
    JL_TRY(read_strip(t, part, &t->strip, err));
    if (t->strip.start == 0 && t->strip.stop == 0) return JL_OK;
    if (t->first != PIPELINE_FIRST_KEEP)
        return json_reader_unknown(WHERE, "Strip together with Metaspace", err);
    t->first = PIPELINE_FIRST_STRIP;
    return JL_OK;
}

static enum jl_status read_metaspace(struct tokenizer *t, const json_t *part,
                                     struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    struct metaspace metaspace;
    JL_TRY(tokenizer_json_metaspace(part, WHERE, &metaspace, err));
    if (decoder->rewrite.n_step) return json_reader_unknown(WHERE, "Metaspace after Replace", err);
    struct normalize_step *step = tokenizer_json_step(&decoder->rewrite, WHERE, err);
    if (!step) return JL_ERR_LIMIT;
    *step = (struct normalize_step){.kind = NORMALIZE_REPLACE, .content = " ", .content_len = 1};
    step->pattern_len = metaspace.mark_len;
    JL_TRY(tokenizer_json_keep(t, metaspace.mark, metaspace.mark_len, &step->pattern, err));
    if (metaspace.prepend == METASPACE_NEVER) return JL_OK;
    t->first = PIPELINE_FIRST_DROP_MARKS;
    memcpy(t->first_mark, metaspace.mark, metaspace.mark_len);
    t->first_mark_len = metaspace.mark_len;
    return JL_OK;
}

static enum jl_status read_suffix(struct tokenizer *t, const json_t *part,
                                  struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    static const char *const known[] = {"type", "suffix", NULL};
    const char *text;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_string(part, WHERE, "suffix", &text, &decoder->suffix_len, err));
    if (decoder->suffix_len == 0)
        return json_reader_unknown(WHERE, "BPEDecoder without suffix", err);
    return tokenizer_json_keep(t, text, decoder->suffix_len, &decoder->suffix, err);
}

static enum jl_status read_byte_level(const json_t *part, struct tokenizer_json_decoder *decoder,
                                      struct jl_error *err) {
    static const char *const known[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                        NULL};
    decoder->byte_level = true; // the settings are the pre-tokenizer's
    return json_reader_keys(part, WHERE, known, err);
}

static enum jl_status keep_text(struct tokenizer *t, const json_t *part, const char *key,
                                const char **text, size_t *len, struct jl_error *err) {
    JL_TRY(json_reader_string(part, WHERE, key, text, len, err));
    return tokenizer_json_keep(t, *text, *len, text, err);
}

static enum jl_status read_wordpiece(struct tokenizer *t, const json_t *part,
                                     struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    static const char *const known[] = {"type", "prefix", "cleanup", NULL};
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "cleanup", true, &decoder->cleanup, err));
    t->first = PIPELINE_FIRST_TEXT;
    return keep_text(t, part, "prefix", &decoder->prefix, &decoder->prefix_len, err);
}

static enum jl_status read_ctc(struct tokenizer *t, const json_t *part,
                               struct tokenizer_json_decoder *decoder, struct jl_error *err) {
    static const char *const known[] = {"type", "pad_token", "word_delimiter_token", "cleanup",
                                        NULL};
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "cleanup", true, &decoder->cleanup, err));
    JL_TRY(keep_text(t, part, "pad_token", &decoder->pad, &decoder->pad_len, err));
    JL_TRY(keep_text(t, part, "word_delimiter_token", &decoder->delimiter, &decoder->delimiter_len,
                     err));
    if (decoder->pad_len == 0 || decoder->delimiter_len == 0)
        return json_reader_unknown(WHERE, "CTC with an empty token", err);
    t->drop_repeats = true;
    return JL_OK;
}

static enum part part_of(const char *type, enum part last) {
    static const struct {
        const char *type;
        enum part part;
    } kinds[] = {
        {"Replace", PART_REWRITE},      {"Metaspace", PART_METASPACE},
        {"BPEDecoder", PART_SUFFIX},    {"ByteFallback", PART_BYTES},
        {"ByteLevel", PART_BYTE_LEVEL}, {"Fuse", PART_FUSE},
        {"WordPiece", PART_WORDPIECE},  {"CTC", PART_CTC},
    };
    bool whole = last == PART_FUSE || last == PART_BYTE_LEVEL || last == PART_STRIP;
    if (strcmp(type, "Strip") == 0) return whole ? PART_STRIP : PART_STRIP_TOKEN;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, type) == 0) return kinds[i].part;
    }
    return PART_NONE;
}

static enum jl_status read_decoder(struct tokenizer *t, const json_t *part, const char *type,
                                   void *ctx, struct jl_error *err) {
    static const char *const only_type[] = {"type", NULL};
    struct order *order = ctx;
    struct tokenizer_json_decoder *decoder = order->decoder;
    enum part now = part_of(type, order->last);
    if (now == PART_NONE) return json_reader_unknown(WHERE, type, err);
    bool alone = now == PART_WORDPIECE || now == PART_CTC;
    if (alone && order->last != PART_NONE)
        return json_reader_unknown(WHERE, "WordPiece or CTC behind another one", err);
    if (now <= order->last && !(now == PART_REWRITE && order->last == PART_REWRITE)) {
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       JSON_READER_FILE ": the decoder's %s is not supported at its place; the "
                                        "order must be Replace or Metaspace or BPEDecoder, Strip "
                                        "of tokens, ByteFallback or ByteLevel, Fuse, Strip",
                       type);
    }
    order->last = now;
    switch (now) {
    case PART_REWRITE: return tokenizer_json_replace(t, part, WHERE, &decoder->rewrite, err);
    case PART_METASPACE: return read_metaspace(t, part, decoder, err);
    case PART_SUFFIX: return read_suffix(t, part, decoder, err);
    case PART_WORDPIECE: return read_wordpiece(t, part, decoder, err);
    case PART_CTC: return read_ctc(t, part, decoder, err);
    case PART_STRIP_TOKEN: return read_strip(t, part, &decoder->strip, err);
    case PART_STRIP: return read_text_strip(t, part, err);
    case PART_BYTE_LEVEL: return read_byte_level(part, decoder, err);
    case PART_BYTES: decoder->byte_fallback = true; break;
    default: break;
    }
    return json_reader_keys(part, WHERE, only_type, err);
}

enum jl_status tokenizer_json_decoder(struct tokenizer *t, const json_t *root,
                                      struct tokenizer_json_decoder *decoder,
                                      struct jl_error *err) {
    struct order order = {.decoder = decoder};
    const struct tokenizer_json_walk walk = {WHERE, "decoders", read_decoder, &order};
    const json_t *part = json_object_get(root, WHERE);
    if (json_reader_absent(part)) t->glue = PIPELINE_GLUE_SPACE;
    JL_TRY(tokenizer_json_each(t, part, &walk, err));
    if (t->bpe.bytes == decoder->byte_level) return JL_OK;
    return json_reader_unknown(WHERE,
                               decoder->byte_level ? "ByteLevel without such a pre_tokenizer"
                                                   : "that is not ByteLevel as the pre_tokenizer",
                               err);
}
