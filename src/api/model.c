/* The library's versions, and models. */
#include <stdlib.h>

#include "api/self.h"
#include "model/adapter.h"
#include "session/open_tokenizer.h"

const char *jl_version(void) { return JINLIN_VERSION; }

const char *jl_numeric_rules(void) { return CLASS_RULES; }

void jl_free(void *memory) { free(memory); }

enum jl_status jl_no_memory(struct jl_error *err, const char *what) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", what);
}

enum jl_status jl_need_tokenizer(const struct jl_model *model, struct jl_error *err) {
    if (model->tokenizer) return JL_OK;
    return jl_fail(err, model->no_tokenizer.status, "%s", model->no_tokenizer.message);
}

/* A model whose tokenizer or template cannot be read can still be fed with ids: the error waits for
 * who needs them. */
static enum jl_status open_text(const char *path, struct jl_model *out, struct jl_error *err) {
    struct model *model = out->model;
    enum jl_status status = open_tokenizer(model->file, &out->tokenizer, &out->no_tokenizer);
    if (status == JL_ERR_MEMORY) return jl_no_memory(err, "a tokenizer");
    if (status != JL_OK) return JL_OK;
    if (tokenizer_vocab_size(out->tokenizer) > model->hp.n_vocab)
        return jl_fail(err, JL_ERR_FORMAT, "%s: the tokenizer has %d tokens, the model %d", path,
                       tokenizer_vocab_size(out->tokenizer), model->hp.n_vocab);
    end_tokens_find(model->file, out->tokenizer, model->hp.n_vocab, &out->ends);
    status = chat_form_open(path, out->tokenizer, &out->form, &out->no_template);
    if (status == JL_ERR_MEMORY) return jl_no_memory(err, "a chat template");
    out->no_template.status = status;
    chat_form_ends(&out->form, out->tokenizer, model->hp.n_vocab, &out->ends);
    return JL_OK;
}

static enum jl_status load(const char *path, const struct jl_model_options *options,
                           struct model **out, struct jl_error *err) {
    const struct class_request request = {options->act, options->kv};
    int n = options->n_adapter;
    if (n < 0 || (n > 0 && !options->adapters))
        return jl_fail(err, JL_ERR_USAGE, "n_adapter is %d, but there are no adapters", n);
    struct adapter_path *adapters = calloc((size_t)n + 1, sizeof *adapters);
    if (!adapters) return jl_no_memory(err, "a model");
    enum jl_status status = JL_OK;
    for (int i = 0; i < n && status == JL_OK; i++) {
        const struct jl_adapter *from = &options->adapters[i];
        adapters[i] = (struct adapter_path){from->path, from->scale == 0 ? 1 : from->scale};
        if (!from->path) status = jl_fail(err, JL_ERR_USAGE, "an adapter needs a path");
    }
    if (status == JL_OK) status = adapter_model_load(path, &request, adapters, n, out, err);
    free(adapters);
    return status;
}

enum jl_status jl_model_open(const char *path, const struct jl_model_options *options,
                             jl_model **out, struct jl_error *err) {
    static const struct jl_model_options defaults;
    *out = NULL;
    if (!path) return jl_fail(err, JL_ERR_USAGE, "a model needs a path");
    struct jl_model *model = calloc(1, sizeof *model);
    if (!model) return jl_no_memory(err, "a model");
    enum jl_status status = load(path, options ? options : &defaults, &model->model, err);
    if (status == JL_OK) status = open_text(path, model, err);
    if (status != JL_OK) {
        jl_model_free(model);
        return status;
    }
    class_name(&model->model->cls, model->numeric_class);
    *out = model;
    return JL_OK;
}

void jl_model_free(jl_model *model) {
    if (!model) return;
    chat_form_close(&model->form);
    tokenizer_free(model->tokenizer);
    model_free(model->model);
    free(model);
}

struct jl_model_info jl_model_info(const jl_model *model) {
    const struct hparams *hp = &model->model->hp;
    return (struct jl_model_info){
        .family = model->model->family->name,
        .numeric_class = model->numeric_class,
        .n_vocab = hp->n_vocab,
        .n_ctx = hp->n_ctx_train,
        .n_layer = hp->n_layer,
        .n_embd = hp->n_embd,
        .weight_bytes = model_weight_bytes(model->model),
        .has_tokenizer = model->tokenizer != NULL,
        .has_template = model->form.tmpl != NULL,
    };
}

bool jl_is_end(const jl_model *model, int32_t id) { return end_tokens_has(&model->ends, id); }
