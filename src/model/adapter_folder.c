/* An adapter as PEFT saves it: adapter_config.json and adapter_model.safetensors. Keys follow
 * peft.LoraConfig; a key that is not known here counts only when it says something. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/config.h"
#include "format/report.h"
#include "format/st.h"
#include "model/adapter_self.h"

/* ---- keys ---- */

/* What says nothing about the numbers that are added: how it was made, and what for. */
static bool is_about(const char *key) {
    static const char *const texts[] = {
        "task_type",      "base_model_name_or_path",
        "revision",       "inference_mode",
        "lora_dropout",   "auto_mapping",
        "peft_version",   "runtime_config",
        "loftq_config",   "megatron_config",
        "megatron_core",  "eva_config",
        "corda_config",   "layers_to_transform",
        "layers_pattern", "exclude_modules",
        "lora_ga_config", "qalora_group_size",
        "arrow_config",   "ensure_weight_tying",
        "target_modules", "init_lora_weights",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(key, texts[i])) return true;
    return false;
}

static bool says_something(const struct meta *value) {
    switch (value->kind) {
    case META_NULL: return false;
    case META_BOOL: return value->as.b;
    case META_STRING: return value->as.s.len > 0;
    case META_ARRAY:
    case META_OBJECT: return value->as.list.count > 0;
    default: return true;
    }
}

static enum jl_status refuse(const char *path, const char *key, const char *why,
                             struct jl_error *err) {
    return report_fail(err, JL_ERR_UNSUPPORTED, path, "adapter_config.json: key %s %s",
                       report_quote_str(key).text, why);
}

static bool is_text(struct meta *config, const char *key, const char *want) {
    const struct meta *value = meta_find(config, key);
    return value && value->kind == META_STRING && !strcmp(value->as.s.text, want);
}

/* Some ways to begin take what A and B hold out of the base's weights. */
static enum jl_status check_init(const char *path, struct meta *config, struct jl_error *err) {
    static const char *const changing[] = {"pissa", "olora", "loftq", "corda", "lora_ga"};
    const struct meta *init = meta_find(config, "init_lora_weights");
    for (size_t i = 0; init && i < sizeof changing / sizeof changing[0]; i++)
        if (init->kind == META_STRING &&
            !strncmp(init->as.s.text, changing[i], strlen(changing[i])))
            return refuse(path, "init_lora_weights",
                          "names a start that changes the base, too; save the adapter converted "
                          "to a plain one",
                          err);
    return JL_OK;
}

static bool is_number(const struct meta *value) {
    return value && (value->kind == META_INT || value->kind == META_FLOAT);
}

static double number(const struct meta *value) {
    return value->kind == META_INT ? (double)value->as.i : value->as.f;
}

static enum jl_status check_patterns(const char *path, struct meta *config, const char *key,
                                     struct jl_error *err) {
    const struct meta *patterns = meta_find(config, key);
    if (!patterns || patterns->kind == META_NULL) return JL_OK;
    if (patterns->kind != META_OBJECT) return refuse(path, key, "must be an object", err);
    for (size_t i = 0; i < patterns->as.list.count; i++) {
        const struct meta *item = &patterns->as.list.items[i];
        if (!is_number(item)) return refuse(path, key, "must map names to numbers", err);
        if (strpbrk(item->key, "\\[](){}*+?|^$"))
            return refuse(path, key,
                          "has a regular expression; only names of modules are read. Write each "
                          "module's name",
                          err);
    }
    return JL_OK;
}

static enum jl_status check_config(const char *path, struct meta *config, struct jl_error *err) {
    const struct meta *bias = meta_find(config, "bias");
    const struct meta *rank = meta_find(config, "r"), *alpha = meta_find(config, "lora_alpha");
    const struct meta *rslora = meta_find(config, "use_rslora");
    if (!is_text(config, "peft_type", "LORA"))
        return refuse(path, "peft_type", "is not LORA, the only kind that is read", err);
    if (bias && bias->kind != META_NULL && !is_text(config, "bias", "none"))
        return refuse(path, "bias", "is not none: biases that were trained are not read", err);
    if (!rank || rank->kind != META_INT || rank->as.i < 1 || rank->as.i > ADAPTER_MAX_RANK)
        return refuse(path, "r", "must be a whole number above zero", err);
    if (!is_number(alpha)) return refuse(path, "lora_alpha", "must be a number", err);
    if (rslora && rslora->kind != META_BOOL)
        return refuse(path, "use_rslora", "must be true or false", err);
    JL_TRY(check_patterns(path, config, "rank_pattern", err));
    JL_TRY(check_patterns(path, config, "alpha_pattern", err));
    JL_TRY(check_init(path, config, err));
    for (size_t i = 0; i < config->as.list.count; i++) {
        const struct meta *item = &config->as.list.items[i];
        if (!item->read && !is_about(item->key) && says_something(item))
            return refuse(path, item->key, "changes what the adapter means and is not supported",
                          err);
    }
    return JL_OK;
}

/* ---- a pair ---- */

/* Is `name` the module, or the end of it behind a dot? */
static bool names_module(const char *name, const char *module, size_t n) {
    size_t m = strlen(name);
    if (m > n || strncmp(module + n - m, name, m)) return false;
    return m == n || module[n - m - 1] == '.';
}

/* The value of the pattern that the module fits, or `usual`. Two that fit must agree: which comes
 * first is not known here. */
static enum jl_status look_up(const struct adapter_file *file, const char *key, const char *module,
                              size_t n, double usual, double *out, struct jl_error *err) {
    const struct meta *patterns = meta_find(file->config, key);
    size_t n_pattern = patterns && patterns->kind == META_OBJECT ? patterns->as.list.count : 0;
    bool found = false;
    *out = usual;
    for (size_t i = 0; i < n_pattern; i++) {
        const struct meta *item = &patterns->as.list.items[i];
        if (!names_module(item->key, module, n)) continue;
        if (found && number(item) != *out)
            return refuse(file->path, key, "has two values for one module", err);
        *out = number(item);
        found = true;
    }
    return JL_OK;
}

static enum jl_status check_target(const struct adapter_file *file, const char *module, size_t n,
                                   struct jl_error *err) {
    const struct meta *targets = meta_find(file->config, "target_modules");
    struct meta_iter iter = {.array = targets};
    struct meta item;
    if (!targets || targets->kind != META_ARRAY) return JL_OK; // an expression: PEFT's own affair
    while (meta_iter_next(&iter, &item))
        if (item.kind == META_STRING && names_module(item.as.s.text, module, n)) return JL_OK;
    return report_fail(err, JL_ERR_FORMAT, file->path,
                       "there are tensors for %s, which target_modules does not name",
                       report_quote(module, n).text);
}

static enum jl_status pair_alpha(const struct adapter_file *file, const char *tensor, int rank,
                                 double *alpha, struct jl_error *err) {
    size_t n = strlen(tensor) - strlen(".weight");
    const struct meta *rslora = meta_find(file->config, "use_rslora");
    double want;
    JL_TRY(check_target(file, tensor, n, err));
    JL_TRY(
        look_up(file, "rank_pattern", tensor, n, number(meta_find(file->config, "r")), &want, err));
    if (want != rank)
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "the matrices for %s have rank %d, but the configuration says %g",
                           report_quote(tensor, n).text, rank, want);
    JL_TRY(look_up(file, "alpha_pattern", tensor, n, number(meta_find(file->config, "lora_alpha")),
                   alpha, err));
    if (rslora && rslora->as.b) *alpha *= sqrt((double)rank);
    return JL_OK;
}

/* ---- the folder ---- */

static const char *last_part(struct arena *arena, const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && path[from - 1] != '/')
        from--;
    return arena_strndup(arena, path + from, n - from);
}

enum jl_status adapter_parse_folder(const struct model *base, const char *path,
                                    const struct adapter_bytes *bytes, struct adapter **out,
                                    struct jl_error *err) {
    struct arena arena = {0};
    struct tensor_list list;
    struct adapter_file file = {.kind = MODEL_FILE_HF, .path = path, .pair = pair_alpha};
    *out = NULL;
    enum jl_status status =
        config_parse(bytes->config, bytes->config_size, path, &arena, &file.config, err);
    if (status == JL_OK) status = check_config(path, file.config, err);
    if (status == JL_OK)
        status = st_parse(bytes->weights, bytes->weights_size, path, &arena, &list, err);
    if (status == JL_OK) {
        file.tensors = list.items;
        file.n = list.count;
        file.name = last_part(&arena, path);
        status =
            file.name ? adapter_read_pairs(base, &file, out, err) : adapter_no_memory(path, err);
    }
    arena_free(&arena);
    return status;
}

static enum jl_status open_files(const struct model *base, const char *path, const char *config,
                                 const char *weights, struct adapter **out, struct jl_error *err) {
    struct adapter_bytes bytes;
    struct file_map map = {0};
    char *text;
    if (!file_exists(config))
        return report_fail(err, JL_ERR_IO, path,
                           "the folder has no adapter_config.json; an adapter's folder or a GGUF "
                           "file is needed");
    if (!file_exists(weights))
        return report_fail(err, JL_ERR_IO, path,
                           "the folder has no adapter_model.safetensors (PyTorch files, which may "
                           "run code, are not read)");
    JL_TRY(file_read_regular(config, CONFIG_MAX_BYTES, &text, &bytes.config_size, err));
    bytes.config = text;
    enum jl_status status = file_map_open(weights, &map, err);
    bytes.weights = map.data;
    bytes.weights_size = map.size;
    if (status == JL_OK) status = adapter_parse_folder(base, path, &bytes, out, err);
    file_map_close(&map);
    free(text);
    return status;
}

enum jl_status adapter_open_folder(const struct model *base, const char *path, struct adapter **out,
                                   struct jl_error *err) {
    char *config = file_path_in(path, "adapter_config.json");
    char *weights = file_path_in(path, "adapter_model.safetensors");
    enum jl_status status = config && weights ? open_files(base, path, config, weights, out, err)
                                              : adapter_no_memory(path, err);
    free(config);
    free(weights);
    return status;
}
