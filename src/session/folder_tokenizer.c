#include "session/folder_tokenizer.h"

#include <string.h>

#include "base/json.h"
#include "format/report.h"
#include "session/folder_files.h"
#include "session/open_tokenizer.h"
#include "session/sample_model.h"

#define TEMPLATE "tokenizer.chat_template"
#define KEY(name) "tokenizer.ggml." name

static enum jl_status no_memory(const struct model_file *file, struct jl_error *err) {
    return report_no_memory(err, file->path, "the files of its tokenizer");
}

static bool set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0;
}

/* ---- chat templates ---- */

static json_t *text_of(const struct meta *value) {
    return value && value->kind == META_STRING ? json_stringn(value->as.s.text, value->as.s.len)
                                               : NULL;
}

static bool add_named(json_t *list, json_t *name, json_t *text) {
    json_t *item = json_object();
    bool ok = set(item, "name", name);
    ok = set(item, "template", text) && ok;
    return json_array_append_new(list, item) == 0 && ok;
}

/* One template as a text; several as a list of names and texts, the default one first. */
static enum jl_status put_templates(struct model_file *file, json_t *config, struct jl_error *err) {
    static const char prefix[] = TEMPLATE ".";
    const struct meta *plain = meta_find(file->meta, TEMPLATE);
    json_t *list = json_array();
    bool ok = list != NULL;
    if (ok && plain) ok = add_named(list, json_string("default"), text_of(plain));
    for (size_t i = 0; ok && i < file->meta->as.list.count; i++) {
        const struct meta *item = &file->meta->as.list.items[i];
        if (strncmp(item->key, prefix, sizeof prefix - 1) != 0) continue;
        ok = add_named(list, json_string(item->key + sizeof prefix - 1), text_of(item));
    }
    if (ok && json_array_size(list) == 1 && plain)
        ok = set(config, "chat_template", text_of(plain));
    else if (ok && json_array_size(list))
        ok = json_object_set(config, "chat_template", list) == 0;
    json_decref(list);
    if (ok) return JL_OK;
    if (plain && plain->kind == META_STRING) return no_memory(file, err);
    return report_fail(err, JL_ERR_FORMAT, file->path, TEMPLATE " is no text");
}

/* ---- generation_config.json ---- */

static void add_id(struct model_file *file, const char *key, json_t *list) {
    const struct meta *value = meta_find(file->meta, key);
    if (value && value->kind == META_INT) json_array_append_new(list, json_integer(value->as.i));
}

/* The sampling settings that differ from ours. */
static enum jl_status put_sampling(struct model_file *file, json_t *json, bool *ok,
                                   struct jl_error *err) {
    struct sample_params params = sample_params_default();
    char unmet[SAMPLE_UNMET_BYTES];
    bool any = false;
    JL_TRY(sample_model_read(file, NULL, &params, unmet, err));
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        double value = sample_params_get(&params, (enum sample_param)i);
        if (!row->config_key || (value == row->standard && i != SAMPLE_temperature)) continue;
        any = any || value != row->standard;
        *ok = set(json, row->config_key,
                  row->whole ? json_integer((json_int_t)value) : json_real(value)) &&
              *ok;
    }
    if (any)
        *ok = set(json, "do_sample", json_true()) && *ok;
    else
        json_object_del(json, sample_param_row(SAMPLE_temperature)->config_key);
    return JL_OK;
}

static enum jl_status write_generation(struct model_file *file, const char *folder,
                                       const json_t *config, struct jl_error *err) {
    json_t *json = json_object(), *ends = json_array(), *value;
    const char *key;
    bool ok = json && ends;
    json_object_foreach((json_t *)config, key, value) {
        size_t len = strlen(key);
        if (len > 9 && !strcmp(key + len - 9, "_token_id"))
            ok = json_object_set(json, key, value) == 0 && ok;
    }
    add_id(file, KEY("eos_token_id"), ends);
    add_id(file, KEY("eot_token_id"), ends);
    add_id(file, KEY("eom_token_id"), ends);
    if (json_array_size(ends) > 1) ok = json_object_set(json, "eos_token_id", ends) == 0 && ok;
    json_decref(ends);
    enum jl_status status = put_sampling(file, json, &ok, err);
    if (status == JL_OK && !ok) status = no_memory(file, err);
    if (status == JL_OK && json_object_size(json))
        status = folder_files_json(folder, "generation_config.json", json, err);
    json_decref(json);
    return status;
}

/* ---- all ---- */

static enum jl_status put_ids(struct model_file *file, json_t *config, struct jl_error *err) {
    static const char *const keys[][2] = {{"bos_token_id", KEY("bos_token_id")},
                                          {"eos_token_id", KEY("eos_token_id")},
                                          {"pad_token_id", KEY("padding_token_id")}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct meta *value = meta_find(file->meta, keys[i][1]);
        if (value && value->kind == META_INT && !set(config, keys[i][0], json_integer(value->as.i)))
            return no_memory(file, err);
    }
    return JL_OK;
}

static enum jl_status write_config(struct model_file *file, const char *folder, const char *text,
                                   struct jl_error *err) {
    json_t *config;
    if (jl_json_load(text, strlen(text), 0, &config, NULL) != JL_OK) return no_memory(file, err);
    enum jl_status status = put_templates(file, config, err);
    if (status == JL_OK) status = folder_files_json(folder, "tokenizer_config.json", config, err);
    json_decref(config);
    return status;
}

static enum jl_status make(struct model_file *file, struct tokenizer_folder *out,
                           struct jl_error *err) {
    struct open_tokenizer_spec spec;
    struct jl_error inner;
    JL_TRY(open_tokenizer_spec(file, &spec, err));
    enum jl_status status = spec.is_bpe ? tokenizer_bpe_to_folder(&spec.bpe, out, &inner)
                                        : tokenizer_spm_to_folder(&spec.spm, out, &inner);
    open_tokenizer_spec_free(&spec);
    if (status == JL_OK) return JL_OK;
    return report_fail(err, status, file->path, "%s; --no-tokenizer writes a folder without one",
                       inner.message);
}

enum jl_status folder_tokenizer_write(struct model_file *file, const char *folder, json_t *config,
                                      struct jl_error *err) {
    struct tokenizer_folder made;
    JL_TRY(make(file, &made, err));
    enum jl_status status = folder_files_put(folder, made.name, made.bytes, made.len, err);
    if (status == JL_OK) status = write_config(file, folder, made.config, err);
    tokenizer_folder_free(&made);
    if (status == JL_OK) status = put_ids(file, config, err);
    if (status == JL_OK) status = write_generation(file, folder, config, err);
    return status;
}
