/* Keys are those of the GGUF specification, section "Tokenizer", and of llama.cpp's converter. */
#include "session/export_tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "format/report.h"
#include "session/open_template.h"
#include "session/open_tokenizer.h"

#define KEY(name) "tokenizer.ggml." name

/* ---- tokens that end an answer ---- */

static void add_stop(struct export_tokenizer *out, int64_t id) {
    if (id < 0 || id >= out->gguf.n_token || id == out->gguf.eos) return;
    if (out->gguf.eos == TOKEN_NONE) {
        out->gguf.eos = (int32_t)id;
        return;
    }
    for (int i = 0; i < out->n_stop; i++)
        if (out->stops[i] == id) return;
    if (out->n_stop < EXPORT_TOKENIZER_STOPS)
        out->stops[out->n_stop++] = (int32_t)id;
    else
        out->n_stop_lost++;
}

/* "eos_token_id": an id or a list of them. */
static void add_stops(struct export_tokenizer *out, struct meta *config) {
    const struct meta *value = config ? meta_find(config, "eos_token_id") : NULL;
    struct meta_iter iter = {.array = value};
    struct meta item;
    if (!value) return;
    if (value->kind == META_INT) add_stop(out, value->as.i);
    while (value->kind == META_ARRAY && meta_iter_next(&iter, &item))
        if (item.kind == META_INT) add_stop(out, item.as.i);
}

/* ---- templates ---- */

/* The template called `name`; a model without one is no failure. */
static enum jl_status read_template(const char *path, const char *name, int i,
                                    const struct tokenizer *tokenizer, struct export_tokenizer *out,
                                    struct jl_error *err) {
    struct model_template tmpl;
    enum jl_status status = open_template(path, name, false, &tmpl, err);
    if (status == JL_ERR_UNSUPPORTED || status == JL_ERR_USAGE) return JL_OK;
    if (status != JL_OK) return status;
    out->templates[i] = tmpl.source;
    out->template_len[i] = tmpl.len;
    tmpl.source = NULL;
    const json_t *pad = json_object_get(tmpl.tokens, "pad_token");
    if (pad)
        out->pad = tokenizer_find_added(tokenizer, json_string_value(pad), json_string_length(pad));
    open_template_free(&tmpl);
    return JL_OK;
}

/* ---- all ---- */

static enum jl_status read_all(struct model_file *file, const struct tokenizer *tokenizer,
                               int n_vocab, struct export_tokenizer *out, struct jl_error *err) {
    struct jl_error inner;
    enum jl_status status = tokenizer_to_gguf(tokenizer, n_vocab, &out->gguf, &inner);
    if (status != JL_OK)
        return report_fail(err, status, file->path, "%s; --no-tokenizer writes a file without one",
                           inner.message);
    add_stops(out, file->generation);
    add_stops(out, file->meta);
    JL_TRY(read_template(file->path, NULL, 0, tokenizer, out, err));
    return read_template(file->path, "tool_use", 1, tokenizer, out, err);
}

enum jl_status export_tokenizer_read(struct model_file *file, int n_vocab,
                                     struct export_tokenizer *out, struct jl_error *err) {
    struct tokenizer *tokenizer;
    *out = (struct export_tokenizer){.pad = TOKEN_NONE};
    JL_TRY(open_tokenizer(file, &tokenizer, err));
    enum jl_status status = read_all(file, tokenizer, n_vocab, out, err);
    tokenizer_free(tokenizer);
    if (status != JL_OK) export_tokenizer_free(out);
    return status;
}

void export_tokenizer_free(struct export_tokenizer *tokenizer) {
    tokenizer_gguf_free(&tokenizer->gguf);
    free(tokenizer->templates[0]);
    free(tokenizer->templates[1]);
    *tokenizer = (struct export_tokenizer){0};
}

/* ---- writing ---- */

static enum jl_status put_arrays(const struct tokenizer_gguf *gguf, struct gguf_writer *writer,
                                 struct jl_error *err) {
    size_t n = (size_t)gguf->n_token, n_merge = gguf->n_merge, most = n > n_merge ? n : n_merge;
    struct gguf_string *strings = calloc(most, sizeof *strings);
    float *scores = calloc(n, sizeof *scores);
    int32_t *types = calloc(n, sizeof *types);
    bool ok = strings && scores && types;
    for (size_t i = 0; ok && i < n; i++) {
        strings[i] = (struct gguf_string){gguf->tokens[i].text, gguf->tokens[i].len};
        scores[i] = gguf->tokens[i].score;
        types[i] = (int32_t)gguf->tokens[i].type;
    }
    if (ok) {
        gguf_put_strings(writer, KEY("tokens"), strings, n);
        if (!gguf->merges) gguf_put_array(writer, KEY("scores"), GGUF_FLOAT32, scores, n);
        gguf_put_array(writer, KEY("token_type"), GGUF_INT32, types, n);
    }
    for (size_t i = 0; ok && i < n_merge; i++)
        strings[i] = (struct gguf_string){gguf->merges[i].text, gguf->merges[i].len};
    if (ok && gguf->merges) gguf_put_strings(writer, KEY("merges"), strings, n_merge);
    free(strings);
    free(scores);
    free(types);
    return ok ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory writing a vocabulary");
}

static void put_id(struct gguf_writer *writer, const char *key, int32_t id) {
    if (id != TOKEN_NONE) gguf_put_u32(writer, key, (uint32_t)id);
}

enum jl_status export_tokenizer_put(const struct export_tokenizer *tokenizer,
                                    struct gguf_writer *writer, struct jl_error *err) {
    const struct tokenizer_gguf *gguf = &tokenizer->gguf;
    static const struct gguf_string tool_use = {"tool_use", 8};
    gguf_put_text(writer, KEY("model"), gguf->model);
    gguf_put_text(writer, KEY("pre"), gguf->pre);
    JL_TRY(put_arrays(gguf, writer, err));
    put_id(writer, KEY("bos_token_id"), gguf->bos);
    put_id(writer, KEY("eos_token_id"), gguf->eos);
    put_id(writer, KEY("unknown_token_id"), gguf->unk);
    put_id(writer, KEY("padding_token_id"), tokenizer->pad);
    if (tokenizer->n_stop > 0) put_id(writer, KEY("eot_token_id"), tokenizer->stops[0]);
    if (tokenizer->n_stop > 1) put_id(writer, KEY("eom_token_id"), tokenizer->stops[1]);
    gguf_put_bool(writer, KEY("add_bos_token"), gguf->add_bos);
    gguf_put_bool(writer, KEY("add_eos_token"), gguf->add_eos);
    gguf_put_bool(writer, KEY("add_space_prefix"), gguf->add_space_prefix);
    if (tokenizer->templates[0])
        gguf_put_string(writer, "tokenizer.chat_template", tokenizer->templates[0],
                        tokenizer->template_len[0]);
    if (tokenizer->templates[1]) {
        gguf_put_strings(writer, "tokenizer.chat_templates", &tool_use, 1);
        gguf_put_string(writer, "tokenizer.chat_template.tool_use", tokenizer->templates[1],
                        tokenizer->template_len[1]);
    }
    return JL_OK;
}

void export_tokenizer_put_none(struct gguf_writer *writer) {
    gguf_put_text(writer, KEY("model"), "none");
}
