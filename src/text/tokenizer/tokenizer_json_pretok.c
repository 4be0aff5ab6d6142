/* The pre-tokenizer of a tokenizer.json: each component is one or a few steps of pretok.h. Where
 * Hugging Face asks a predicate of each character, a pattern asks for the same characters. */
#include <string.h>

#include "text/tokenizer/pre.h"
#include "text/tokenizer/tokenizer_json.h"

#define WHERE "pre_tokenizer"
#define PUNCTUATION "[\\p{P}$+<=>^`|~]" // Unicode's and ASCII's

static struct pretok_step *next_step(struct tokenizer *t, enum pretok_kind kind,
                                     struct jl_error *err) {
    struct pretok *pretok = &t->pretok;
    if (pretok->n_step < PRETOK_MAX_STEPS) {
        pretok->steps[pretok->n_step] = (struct pretok_step){.kind = kind};
        return &pretok->steps[pretok->n_step++];
    }
    jl_fail(err, JL_ERR_LIMIT, JSON_READER_FILE ": " WHERE " has more than %d steps",
            PRETOK_MAX_STEPS);
    return NULL;
}

static enum jl_status add_split(struct tokenizer *t, const char *pattern,
                                enum pretok_behaviour behaviour, struct jl_error *err) {
    struct pretok_step *step = next_step(t, PRETOK_SPLIT, err);
    if (!step) return JL_ERR_LIMIT;
    step->behaviour = behaviour;
    return regex_compile(pattern, strlen(pattern), REGEX_RUST, &step->regex, err);
}

static enum jl_status read_behaviour(const json_t *part, const char *key,
                                     enum pretok_behaviour *behaviour, struct jl_error *err) {
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name;
    size_t len;
    JL_TRY(json_reader_string(part, WHERE, key, &name, &len, err));
    for (int i = 0; i < 5; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *behaviour = (enum pretok_behaviour)i;
        return JL_OK;
    }
    return json_reader_unknown(WHERE ".behavior", name, err);
}

/* ---- components ---- */

static enum jl_status read_split(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", "pattern", "behavior", "invert", NULL};
    static const char *const known_pattern[] = {"String", "Regex", NULL};
    const json_t *pattern = json_object_get(part, "pattern");
    struct pretok_step rules = {.kind = PRETOK_SPLIT};
    const char *text;
    size_t len;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_keys(pattern, WHERE ".pattern", known_pattern, err));
    if (json_object_size(pattern) != 1) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".pattern must hold a String or a Regex");
    }
    bool regex = json_object_get(pattern, "Regex") != NULL;
    JL_TRY(json_reader_string(pattern, WHERE, regex ? "Regex" : "String", &text, &len, err));
    JL_TRY(read_behaviour(part, "behavior", &rules.behaviour, err));
    JL_TRY(json_reader_bool(part, WHERE, "invert", false, &rules.invert, err));
    if (len == 0) return json_reader_unknown(WHERE, "Split at an empty pattern", err);
    if (regex && rules.behaviour == PRETOK_ISOLATED && !rules.invert)
        return pre_add_split(&t->pretok, text, len, REGEX_ONIG, err);
    struct pretok_step *step = next_step(t, PRETOK_SPLIT, err);
    if (!step) return JL_ERR_LIMIT;
    *step = rules;
    return regex ? regex_compile(text, len, REGEX_ONIG, &step->regex, err)
                 : regex_compile_text(text, len, &step->regex, err);
}

static enum jl_status read_byte_level(struct tokenizer *t, const json_t *part,
                                      struct jl_error *err) {
    static const char *const known[] = {"type", "add_prefix_space", "trim_offsets", "use_regex",
                                        NULL};
    bool prefix, use_regex, trim;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "add_prefix_space", true, &prefix, err));
    JL_TRY(json_reader_bool(part, WHERE, "use_regex", true, &use_regex, err));
    JL_TRY(json_reader_bool(part, WHERE, "trim_offsets", true, &trim, err)); // offsets only
    if (t->bpe.bytes) return json_reader_unknown(WHERE, "ByteLevel after ByteLevel", err);
    t->bpe.bytes = true;
    if (prefix && !next_step(t, PRETOK_PREFIX_SPACE, err)) return JL_ERR_LIMIT;
    if (use_regex) JL_TRY(add_split(t, PRE_GPT2, PRETOK_ISOLATED, err));
    return next_step(t, PRETOK_BYTES, err) ? JL_OK : JL_ERR_LIMIT;
}

static enum jl_status read_metaspace(struct tokenizer *t, const json_t *part,
                                     struct jl_error *err) {
    struct pretok_step *step = next_step(t, PRETOK_METASPACE, err);
    if (!step) return JL_ERR_LIMIT;
    if (t->bpe.bytes) return json_reader_unknown(WHERE, "Metaspace after ByteLevel", err);
    return tokenizer_json_metaspace(part, WHERE, &step->metaspace, err);
}

static enum jl_status read_digits(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    static const char *const known[] = {"type", "individual_digits", NULL};
    bool single;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_bool(part, WHERE, "individual_digits", false, &single, err));
    return add_split(t, "\\p{N}", single ? PRETOK_ISOLATED : PRETOK_CONTIGUOUS, err);
}

static enum jl_status read_punctuation(struct tokenizer *t, const json_t *part,
                                       struct jl_error *err) {
    static const char *const known[] = {"type", "behavior", NULL};
    enum pretok_behaviour behaviour = PRETOK_ISOLATED;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    if (!json_reader_absent(json_object_get(part, "behavior")))
        JL_TRY(read_behaviour(part, "behavior", &behaviour, err));
    return add_split(t, PUNCTUATION, behaviour, err);
}

static enum jl_status read_whitespace(struct tokenizer *t, const json_t *part,
                                      struct jl_error *err) {
    static const char *const known[] = {"type", NULL};
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(add_split(t, "\\w+|[^\\w\\s]+", PRETOK_REMOVED, err));
    t->pretok.steps[t->pretok.n_step - 1].invert = true;
    return JL_OK;
}

static enum jl_status read_whitespace_split(struct tokenizer *t, const json_t *part,
                                            struct jl_error *err) {
    static const char *const known[] = {"type", NULL};
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    return add_split(t, "\\s+", PRETOK_REMOVED, err);
}

static enum jl_status read_bert(struct tokenizer *t, const json_t *part, struct jl_error *err) {
    JL_TRY(read_whitespace_split(t, part, err));
    return add_split(t, PUNCTUATION, PRETOK_ISOLATED, err);
}

static enum jl_status read_delimiter(struct tokenizer *t, const json_t *part,
                                     struct jl_error *err) {
    static const char *const known[] = {"type", "delimiter", NULL};
    const char *text;
    size_t len;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    JL_TRY(json_reader_string(part, WHERE, "delimiter", &text, &len, err));
    if (len == 0 || (size_t)utf8_length(text, len) != len) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".delimiter must be one character");
    }
    struct pretok_step *step = next_step(t, PRETOK_SPLIT, err);
    if (!step) return JL_ERR_LIMIT;
    step->behaviour = PRETOK_REMOVED;
    return regex_compile_text(text, len, &step->regex, err);
}

static enum jl_status read_fixed_length(struct tokenizer *t, const json_t *part,
                                        struct jl_error *err) {
    static const char *const known[] = {"type", "length", NULL};
    const json_t *value = json_object_get(part, "length");
    json_int_t length = json_is_integer(value) ? json_integer_value(value) : value ? 0 : 5;
    JL_TRY(json_reader_keys(part, WHERE, known, err));
    if (length < 1 || length > INT32_MAX) {
        return jl_fail(err, JL_ERR_FORMAT,
                       JSON_READER_FILE ": " WHERE ".length must be a number of 1 or more");
    }
    struct pretok_step *step = next_step(t, PRETOK_FIXED, err);
    if (!step) return JL_ERR_LIMIT;
    step->length = (size_t)length;
    return JL_OK;
}

static enum jl_status read_pre_tokenizer(struct tokenizer *t, const json_t *part, const char *type,
                                         void *ctx, struct jl_error *err) {
    static const struct {
        const char *type;
        enum jl_status (*read)(struct tokenizer *t, const json_t *part, struct jl_error *err);
    } kinds[] = {
        {"Split", read_split},
        {"ByteLevel", read_byte_level},
        {"Metaspace", read_metaspace},
        {"Digits", read_digits},
        {"Punctuation", read_punctuation},
        {"Whitespace", read_whitespace},
        {"WhitespaceSplit", read_whitespace_split},
        {"BertPreTokenizer", read_bert},
        {"CharDelimiterSplit", read_delimiter},
        {"FixedLength", read_fixed_length},
    };
    (void)ctx;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].type, type) == 0) return kinds[i].read(t, part, err);
    }
    return json_reader_unknown(WHERE, type, err);
}

enum jl_status tokenizer_json_pretok(struct tokenizer *t, const json_t *root,
                                     struct jl_error *err) {
    const struct tokenizer_json_walk walk = {WHERE, "pretokenizers", read_pre_tokenizer, NULL};
    struct pretok *pretok = &t->pretok;
    JL_TRY(tokenizer_json_each(t, json_object_get(root, WHERE), &walk, err));
    // The model takes bytes as they are; only steps behind ByteLevel see them as characters.
    if (pretok->n_step && pretok->steps[pretok->n_step - 1].kind == PRETOK_BYTES) pretok->n_step--;
    return JL_OK;
}
