/* inspect: what a model file holds and how it will run, as text or JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "cli/adapters.h"
#include "cli/cli.h"
#include "model/model.h"
#include "session/open_tokenizer.h"
#include "session/sample_model.h"
#include "tensor/kvchunk.h"

static json_t *shape_json(const struct tensor_info *t) {
    json_t *shape = json_array();
    for (int i = 0; i < t->n_dim; i++)
        json_array_append_new(shape, json_integer(t->dim[i]));
    return shape;
}

static json_t *hparams_json(const struct hparams *hp) {
    json_t *out = json_object();
#define put_int(name, value) json_object_set_new(out, name, json_integer(value))
#define put_double(name, value) json_object_set_new(out, name, json_real(value))
#define put_tristate(name, value)                                                                  \
    json_object_set_new(out, name, (value) == UNSAID ? json_null() : json_boolean((value) == YES))
#define X(field, type, ...) put_##type(#field, hp->field);
    HPARAM_LIST(X)
#undef X
    const struct rope_hparams *rope = &hp->rope;
    json_object_set_new(out, "rope_scaling", json_string(hparams_rope_name(rope->scaling)));
    if (rope->scaling != ROPE_PLAIN) put_double("rope_factor", rope->factor);
    if (rope->scaling == ROPE_YARN) put_double("rope_magnitude", rope->magnitude);
    return out;
}

static const char *fate_name(const struct step *step) {
    switch (step->fate) {
    case VALUE_KEEP: return "keep";
    case VALUE_RECOMPUTE: return "recompute";
    default: return op_row(step->op)->out == OUT_NONE ? NULL : "drop";
    }
}

static json_t *step_json(const struct step *step) {
    json_t *out = json_pack("{s:s, s:i}", "op", op_row(step->op)->name, "layer", step->layer);
    if (step->out) json_object_set_new(out, "out", json_string(reg_name(step->out)));
    if (step->in) json_object_set_new(out, "in", json_string(reg_name(step->in)));
    if (step->in2) json_object_set_new(out, "in2", json_string(reg_name(step->in2)));
    if (step->in3) json_object_set_new(out, "in3", json_string(reg_name(step->in3)));
    json_object_set_new(out, "width", json_integer(step->width));
    if (fate_name(step)) json_object_set_new(out, "backward", json_string(fate_name(step)));
    if (step->alias) json_object_set_new(out, "alias", json_true());
    if (step->w.data) {
        json_object_set_new(out, "weight", json_string(step->w.name));
        json_object_set_new(out, "dtype", json_string(dtype_name(step->w.dtype)));
        json_object_set_new(out, "shape", json_pack("[ii]", step->w.n_out, step->w.n_in));
    }
    return out;
}

static void add_text(void *list, const char *text) {
    json_array_append_new(list, json_string(text));
}

static json_t *tokenizer_json(const struct model *model) {
    struct tokenizer *tokenizer = NULL;
    struct jl_error err = {0};
    json_t *out;
    if (open_tokenizer(model->file, &tokenizer, &err) == JL_OK)
        out = json_pack("{s:i, s:i, s:i}", "size", tokenizer_vocab_size(tokenizer), "bos",
                        tokenizer_bos(tokenizer), "eos", tokenizer_eos(tokenizer));
    else
        out = json_pack("{s:s}", "error", err.message);
    tokenizer_free(tokenizer);
    return out;
}

static json_t *program_json(const struct step_list *list) {
    json_t *program = json_array();
    for (int i = 0; i < list->n_step; i++)
        json_array_append_new(program, step_json(&list->steps[i]));
    return program;
}

/* Of each adapter of the model what stands beside the base. */
static json_t *adapters_json(const struct model *model) {
    json_t *list = json_array();
    for (int i = 0; i < model->n_adapter;) {
        int use = model->adapters[i].use, least = INT32_MAX, most = 0, first = i;
        int64_t numbers = 0;
        for (; i < model->n_adapter && model->adapters[i].use == use; i++) {
            const struct adapter_slot *slot = &model->adapters[i];
            int rank = slot->b.n_in;
            least = rank < least ? rank : least;
            most = rank > most ? rank : most;
            int64_t each = slot->a.n_expert ? slot->a.n_expert : 1;
            numbers +=
                each * ((int64_t)slot->a.n_out * slot->a.n_in + (int64_t)rank * slot->b.n_out);
        }
        json_array_append_new(list,
                              json_pack("{s:i, s:i, s:i, s:I}", "matrices", i - first, "rank_least",
                                        least, "rank_most", most, "numbers", (json_int_t)numbers));
    }
    return list;
}

/* What the model's files ask for when nobody says otherwise. */
static json_t *sampling_json(const struct model *model) {
    struct sample_params params = sample_params_default();
    struct jl_error err = {0};
    char unmet[SAMPLE_UNMET_BYTES], settings[400];
    if (sample_model_read(model->file, NULL, &params, unmet, &err) != JL_OK)
        return json_pack("{s:s}", "error", err.message);
    sample_params_describe(&params, settings, sizeof settings);
    return json_pack("{s:s, s:s}", "settings", settings, "not_offered", unmet);
}

static json_t *describe(struct model *model) {
    char cls[CLASS_NAME_BYTES];
    json_t *tensors = json_array(), *ignored = json_array(), *unread = json_array();
    for (size_t i = 0; i < model->file->n_tensor; i++) {
        const struct tensor_info *t = &model->file->tensors[i];
        json_array_append_new(tensors, json_pack("{s:s, s:s, s:o, s:I}", "name", t->name, "dtype",
                                                 dtype_name(t->dtype), "shape", shape_json(t),
                                                 "bytes", (json_int_t)t->bytes));
    }
    for (int i = 0; i < model->n_ignored; i++)
        json_array_append_new(ignored, json_pack("{s:s, s:s}", "name", model->ignored[i].name,
                                                 "why", model->ignored[i].why));
    // These two read their keys, so that they count as read.
    json_t *tokenizer = tokenizer_json(model), *sampling = sampling_json(model);
    meta_unread(model->file->meta, add_text, unread);
    class_name(&model->cls, cls);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:I, s:I, s:f, s:I, s:I, s:s, s:o, s:o, "
        "s:o, s:o, s:o, s:o}",
        "path", model->file->path, "format",
        model->file->kind == MODEL_FILE_GGUF ? "gguf" : "huggingface", "family",
        model->family->name, "class", cls, "tied", model->tied, "hparams", hparams_json(&model->hp),
        "tokenizer", tokenizer, "sampling", sampling, "weight_bytes",
        (json_int_t)model_weight_bytes(model), "file_bytes",
        (json_int_t)model_file_bytes(model->file), "state_bytes_per_token",
        (double)model->page_bytes / KV_CHUNK, "state_bytes_per_sequence",
        (json_int_t)model->recurrent_bytes, "backward_bytes_per_token",
        (json_int_t)model->plan.kept_bytes, "rope_pairs",
        model->rope.interleaved ? "interleaved" : "half", "program", program_json(&model->plan),
        "mtp_program", program_json(&model->mtp), "tensors", tensors, "ignored_tensors", ignored,
        "unread_keys", unread, "adapters", adapters_json(model));
}

static const char *text_of(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static void print_step(const json_t *step) {
    const char *in = text_of(step, "in"), *in2 = text_of(step, "in2"), *in3 = text_of(step, "in3");
    const char *out = text_of(step, "out");
    const char *weight = text_of(step, "weight"), *backward = text_of(step, "backward");
    printf("  %-9s %-5s  %-7s <- %-10s %s%s%s%s%s", backward ? backward : "",
           json_object_get(step, "alias") ? "alias" : "", out ? out : "", text_of(step, "op"),
           in ? in : "", in2 ? ", " : "", in2 ? in2 : "", in3 ? ", " : "", in3 ? in3 : "");
    if (weight) {
        const json_t *shape = json_object_get(step, "shape");
        printf("  %s %s (%" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT ")", weight,
               text_of(step, "dtype"), json_integer_value(json_array_get(shape, 0)),
               json_integer_value(json_array_get(shape, 1)));
    }
    putchar('\n');
}

/* Does an earlier layer run the same programs? */
static bool repeats(const struct model *model, int layer) {
    const struct family *family = model->family;
    for (int i = 0; i < layer; i++)
        if (model_mixer(family, &model->hp, i) == model_mixer(family, &model->hp, layer) &&
            model_ffn(family, &model->hp, i) == model_ffn(family, &model->hp, layer))
            return true;
    return false;
}

/* Each kind of layer once: those that repeat the steps of an earlier one are only counted. */
static void print_program(const struct model *model, const json_t *program) {
    int n_layer = model->hp.n_layer;
    for (int i = 0; i < model->plan.n_step; i++) {
        int layer = model->plan.steps[i].layer;
        if (layer > 0 && repeats(model, layer)) continue;
        if (i && layer != model->plan.steps[i - 1].layer) {
            if (layer < 0)
                printf("  -- head\n");
            else
                printf("  -- layer %d of %d, and those like it\n", layer, n_layer);
        }
        print_step(json_array_get(program, (size_t)i));
    }
}

static void print_text(const struct model *model, const json_t *all) {
    const json_t *tokenizer = json_object_get(all, "tokenizer"), *value;
    const char *key;
    size_t i;
    printf("%s: %s, %s%s\nclass: %s\n", text_of(all, "path"), text_of(all, "family"),
           text_of(all, "format"), model->tied ? ", head tied to the embedding" : "",
           text_of(all, "class"));
    printf("weights: %.1f MB of %.1f MB in the file; state: %.0f bytes a token",
           (double)model_weight_bytes(model) / 1e6, (double)model_file_bytes(model->file) / 1e6,
           json_real_value(json_object_get(all, "state_bytes_per_token")));
    if (model->recurrent_bytes) printf(", %zu bytes a sequence", model->recurrent_bytes);
    putchar('\n');
    if (text_of(tokenizer, "error"))
        printf("tokenizer: none: %s\n", text_of(tokenizer, "error"));
    else
        printf("tokenizer: %" JSON_INTEGER_FORMAT " tokens\n",
               json_integer_value(json_object_get(tokenizer, "size")));
    const json_t *sampling = json_object_get(all, "sampling");
    const char *settings = text_of(sampling, "settings"), *other = text_of(sampling, "not_offered");
    printf("sampling: %s%s%s\n", settings ? settings : text_of(sampling, "error"),
           other && *other ? "; not offered: " : "", other ? other : "");
    json_array_foreach(json_object_get(all, "adapters"), i, value)
        printf("adapter: %" JSON_INTEGER_FORMAT " matrices of rank %" JSON_INTEGER_FORMAT
               " to %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " numbers\n",
               json_integer_value(json_object_get(value, "matrices")),
               json_integer_value(json_object_get(value, "rank_least")),
               json_integer_value(json_object_get(value, "rank_most")),
               json_integer_value(json_object_get(value, "numbers")));
    printf("hyper-parameters:\n");
    json_object_foreach(json_object_get(all, "hparams"), key, value) {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(8));
        printf("  %-16s %s\n", key, text ? text : "");
        free(text);
    }
    printf(
        "program, each step with what a backward pass would do with its output (%zu bytes a token "
        "are kept):\n",
        model->plan.kept_bytes);
    print_program(model, json_object_get(all, "program"));
    if (model->mtp.n_step) printf("program of the layer that predicts the token after the next:\n");
    json_array_foreach(json_object_get(all, "mtp_program"), i, value) print_step(value);
    printf("tensors: %zu\n", json_array_size(json_object_get(all, "tensors")));
    json_array_foreach(json_object_get(all, "ignored_tensors"), i, value)
        printf("ignored tensor: %s (%s)\n", text_of(value, "name"), text_of(value, "why"));
    printf("keys nobody read:");
    json_array_foreach(json_object_get(all, "unread_keys"), i, value)
        printf("%s %s", i ? "," : "", json_string_value(value));
    printf("%s\n", i ? "" : " none");
}

int cmd_inspect(int argc, char **argv) {
    struct class_request request = {0};
    struct cli_list adapters = {0};
    const char *path;
    bool json = false, done;
    const struct cli_option options[] = {
        {"--json", NULL, CLI_FLAG, &json, NULL, "as one JSON object", 0, 0},
        {"--act", NULL, CLI_TEXT, &request.act, "f32|bf16", "as for run", 0, 0},
        {"--kv", NULL, CLI_TEXT, &request.kv, "f32|f16|bf16|q8", "as for run", 0, 0},
        ADAPTERS_OPTION(adapters),
    };
    const struct cli_spec spec = {"inspect",
                                  "MODEL [--json]",
                                  "what a model file holds and how it will run",
                                  "jinlin inspect model.gguf",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1,
                                  true};
    struct jl_error err = {0};
    struct model *model = NULL;
    enum jl_status status = cli_parse(&spec, argc, argv, &path, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = adapters_load(path, &request, &adapters, &model, &err);
    if (status == JL_OK) {
        json_t *all = describe(model);
        if (!all)
            status = jl_fail(&err, JL_ERR_MEMORY, "out of memory describing %s", path);
        else if (json)
            json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(17)), putchar('\n');
        else
            print_text(model, all);
        json_decref(all);
    }
    model_free(model);
    return cli_finish(&spec, status, &err);
}
