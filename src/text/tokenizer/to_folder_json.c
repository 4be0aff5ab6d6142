/* Byte-level BPE of a GGUF file as a tokenizer.json. All tokens stand in the model's vocabulary,
 * added ones too, so that no reader gives them other ids; only placeholders are left out. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/pre.h"
#include "text/tokenizer/to_folder.h"

struct writer {
    const struct bpe_spec *spec;
    const struct tokenizer *source; // built of it
    bool ok;                        // false: out of memory
};

static void set(struct writer *w, json_t *object, const char *key, json_t *value) {
    to_folder_set(object, key, value, &w->ok);
}

static void append(struct writer *w, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) w->ok = false;
}

/* ---- stages ---- */

static json_t *byte_level(struct writer *w) {
    json_t *part = json_object();
    set(w, part, "type", json_string("ByteLevel"));
    set(w, part, "add_prefix_space", json_false());
    set(w, part, "trim_offsets", json_true());
    set(w, part, "use_regex", json_false());
    return part;
}

static json_t *pre_tokenizer(struct writer *w) {
    const struct pre_row *row = pre_find(w->spec->pre, w->spec->pre_len);
    json_t *sequence = json_object(), *list = json_array();
    for (int i = 0; i < PRE_MAX_PATTERNS && row->patterns[i]; i++) {
        json_t *part = json_object(), *pattern = json_object();
        set(w, pattern, "Regex", json_string(row->patterns[i]));
        set(w, part, "type", json_string("Split"));
        set(w, part, "pattern", pattern);
        set(w, part, "behavior", json_string("Isolated"));
        set(w, part, "invert", json_false());
        append(w, list, part);
    }
    append(w, list, byte_level(w));
    set(w, sequence, "type", json_string("Sequence"));
    set(w, sequence, "pretokenizers", list);
    return sequence;
}

static json_t *one_key(struct writer *w, const char *key, json_t *value) {
    json_t *object = json_object();
    set(w, object, key, value);
    return object;
}

static json_t *special_item(struct writer *w, int32_t id) {
    json_t *inner = json_object();
    set(w, inner, "id", to_folder_text(&w->spec->tokens[id]));
    set(w, inner, "type_id", json_integer(0));
    return one_key(w, "SpecialToken", inner);
}

static void put_special(struct writer *w, json_t *table, int32_t id) {
    json_t *entry = json_object(), *ids = json_array(), *texts = json_array();
    json_t *text = to_folder_text(&w->spec->tokens[id]);
    append(w, ids, json_integer(id));
    append(w, texts, to_folder_text(&w->spec->tokens[id]));
    set(w, entry, "id", to_folder_text(&w->spec->tokens[id]));
    set(w, entry, "ids", ids);
    set(w, entry, "tokens", texts);
    if (text)
        set(w, table, json_string_value(text), entry);
    else
        json_decref(entry);
    json_decref(text);
}

/* [BOS] A [EOS], the pair likewise twice. */
static json_t *post_processor(struct writer *w) {
    const struct bpe_spec *spec = w->spec;
    if (!spec->add_bos && !spec->add_eos) return byte_level(w);
    json_t *part = json_object(), *single = json_array(), *pair = json_array();
    json_t *table = json_object();
    for (int k = 0; k < 3; k++) { // the single one, and both of the pair
        json_t *inner = json_object(), *list = k ? pair : single;
        if (spec->add_bos) append(w, list, special_item(w, spec->bos));
        set(w, inner, "id", json_string(k == 2 ? "B" : "A"));
        set(w, inner, "type_id", json_integer(k == 2));
        append(w, list, one_key(w, "Sequence", inner));
        if (spec->add_eos) append(w, list, special_item(w, spec->eos));
    }
    if (spec->add_bos) put_special(w, table, spec->bos);
    if (spec->add_eos) put_special(w, table, spec->eos);
    set(w, part, "type", json_string("TemplateProcessing"));
    set(w, part, "single", single);
    set(w, part, "pair", pair);
    set(w, part, "special_tokens", table);
    return part;
}

/* ---- tokens ---- */

static int by_id(const void *a, const void *b) {
    const struct added_token *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static json_t *added_tokens(struct writer *w) {
    const struct added_set *set_of = &w->source->added_raw;
    json_t *list = json_array();
    struct added_token *sorted = calloc((size_t)set_of->n + 1, sizeof *sorted);
    if (!sorted) {
        w->ok = false;
        return list;
    }
    if (set_of->n) memcpy(sorted, set_of->tokens, (size_t)set_of->n * sizeof *sorted);
    qsort(sorted, (size_t)set_of->n, sizeof *sorted, by_id);
    for (int i = 0; i < set_of->n; i++) {
        json_t *item = json_object();
        set(w, item, "id", json_integer(sorted[i].id));
        set(w, item, "content", json_stringn(sorted[i].text, sorted[i].len));
        set(w, item, "single_word", json_false());
        set(w, item, "lstrip", json_false());
        set(w, item, "rstrip", json_false());
        set(w, item, "normalized", json_false());
        set(w, item, "special", json_boolean(sorted[i].special));
        append(w, list, item);
    }
    free(sorted);
    return list;
}

static bool is_placeholder(const struct token_entry *token) {
    return token->type == TOKEN_UNUSED && token->len > 4 && !memcmp(token->text, "[PAD", 4);
}

static enum jl_status put_vocab(struct writer *w, json_t *vocab, struct jl_error *err) {
    for (int32_t id = 0; id < w->spec->n_token; id++) {
        const struct token_entry *token = &w->spec->tokens[id];
        if (is_placeholder(token)) continue;
        json_t *text = to_folder_text(token);
        if (!text || strlen(json_string_value(text)) != token->len) {
            json_decref(text);
            return to_folder_cannot("a token's text is no UTF-8", err);
        }
        bool twice = json_object_get(vocab, json_string_value(text)) != NULL;
        set(w, vocab, json_string_value(text), json_integer(id));
        json_decref(text);
        if (twice) return to_folder_cannot("two tokens have the same text", err);
    }
    return JL_OK;
}

static json_t *model(struct writer *w, json_t *vocab) {
    const struct bpe_spec *spec = w->spec;
    json_t *part = json_object(), *merges = json_array();
    for (size_t i = 0; i < spec->n_merge; i++)
        append(w, merges, json_stringn(spec->merges[i].text, spec->merges[i].len));
    set(w, part, "type", json_string("BPE"));
    set(w, part, "dropout", json_null());
    set(w, part, "unk_token", json_null());
    set(w, part, "continuing_subword_prefix", json_null());
    set(w, part, "end_of_word_suffix", json_null());
    set(w, part, "fuse_unk", json_false());
    set(w, part, "byte_fallback", json_false());
    set(w, part, "ignore_merges", json_boolean(w->source->bpe.ignore_merges));
    set(w, part, "vocab", vocab);
    set(w, part, "merges", merges);
    return part;
}

/* ---- all of it ---- */

static enum jl_status make_json(struct writer *w, json_t **out, struct jl_error *err) {
    json_t *vocab = json_object(), *root;
    enum jl_status status = put_vocab(w, vocab, err);
    if (status != JL_OK) {
        json_decref(vocab);
        return status;
    }
    root = json_object();
    set(w, root, "version", json_string("1.0"));
    set(w, root, "truncation", json_null());
    set(w, root, "padding", json_null());
    set(w, root, "added_tokens", added_tokens(w));
    set(w, root, "normalizer", json_null());
    set(w, root, "pre_tokenizer", pre_tokenizer(w));
    set(w, root, "post_processor", post_processor(w));
    set(w, root, "decoder", byte_level(w));
    set(w, root, "model", model(w, vocab));
    if (w->ok) {
        *out = root;
        return JL_OK;
    }
    json_decref(root);
    return to_folder_no_memory(err);
}

static enum jl_status print(struct writer *w, struct byte_buffer text[2], struct jl_error *err) {
    const struct bpe_spec *spec = w->spec;
    const struct to_folder_ends ends = {spec->tokens, spec->bos,     spec->eos,
                                        spec->unk,    spec->add_bos, spec->add_eos};
    json_t *root = NULL;
    if (spec->add_space_prefix) return to_folder_cannot("it puts a space in front of texts", err);
    JL_TRY(make_json(w, &root, err));
    json_t *config = to_folder_config(&ends, "PreTrainedTokenizerFast");
    enum jl_status status = config ? JL_OK : to_folder_no_memory(err);
    if (status == JL_OK) status = to_folder_print(root, &text[0], err);
    if (status == JL_OK) status = to_folder_print(config, &text[1], err);
    json_decref(config);
    json_decref(root);
    return status;
}

enum jl_status tokenizer_bpe_to_folder(const struct bpe_spec *spec, struct tokenizer_folder *out,
                                       struct jl_error *err) {
    struct tokenizer *source = NULL, *made = NULL;
    struct byte_buffer text[2] = {0};
    *out = (struct tokenizer_folder){0};
    enum jl_status status = tokenizer_from_bpe(spec, &source, err);
    struct writer w = {.spec = spec, .source = source, .ok = true};
    if (status == JL_OK) status = print(&w, text, err);
    if (status == JL_OK)
        status =
            tokenizer_from_json(text[0].data, text[0].len, text[1].data, text[1].len, &made, err);
    if (status == JL_OK) status = to_folder_check(source, made, err);
    tokenizer_free(source);
    tokenizer_free(made);
    if (status == JL_OK && !buffer_append(&text[1], "", 1)) status = to_folder_no_memory(err);
    if (status == JL_OK) {
        *out = (struct tokenizer_folder){"tokenizer.json", text[0].data, text[0].len, text[1].data};
        return JL_OK;
    }
    buffer_free(&text[0]);
    buffer_free(&text[1]);
    return status;
}
