/* An adapter as llama.cpp's convert_lora_to_gguf writes it: general.type adapter, adapter.type
 * lora, one alpha for all, tensors NAME.lora_a (rank, n_in) and NAME.lora_b (n_out, rank). */
#include <string.h>

#include "format/gguf.h"
#include "format/report.h"
#include "model/adapter_self.h"

static enum jl_status pair_alpha(const struct adapter_file *file, const char *tensor, int rank,
                                 double *alpha, struct jl_error *err) {
    (void)tensor, (void)err;
    *alpha = file->alpha == 0 ? rank : file->alpha; // 0: the scale is in the matrices
    return JL_OK;
}

static bool is_text(struct meta *meta, const char *key, const char *want) {
    const struct meta *value = meta_find(meta, key);
    return value && value->kind == META_STRING && value->as.s.len == strlen(want) &&
           !memcmp(value->as.s.text, want, value->as.s.len);
}

static enum jl_status check_kind(const struct model *base, const char *path, struct meta *meta,
                                 struct jl_error *err) {
    if (!is_text(meta, "general.type", "adapter"))
        return report_fail(err, JL_ERR_FORMAT, path,
                           "general.type is not 'adapter': this is no adapter file");
    if (!is_text(meta, "adapter.type", "lora"))
        return report_fail(err, JL_ERR_UNSUPPORTED, path,
                           "adapter.type is not 'lora', the only kind that is read");
    if (!is_text(meta, "general.architecture", base->family->gguf))
        return report_fail(err, JL_ERR_FORMAT, path,
                           "general.architecture is not that of the base, '%s'",
                           base->family->gguf);
    return JL_OK;
}

/* What says nothing about the numbers. */
static bool is_about(const char *key) {
    static const char *const texts[] = {"adapter.lora.task_name", "adapter.lora.prompt_prefix"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(key, texts[i])) return true;
    return !strncmp(key, "general.", strlen("general."));
}

static enum jl_status read_keys(const struct model *base, const char *path, struct meta *meta,
                                struct adapter_file *out, struct jl_error *err) {
    JL_TRY(check_kind(base, path, meta, err));
    const struct meta *alpha = meta_find(meta, "adapter.lora.alpha");
    if (!alpha || alpha->kind != META_FLOAT)
        return report_fail(err, JL_ERR_FORMAT, path,
                           "key 'adapter.lora.alpha' is missing or no float");
    out->alpha = alpha->as.f;
    const struct meta *name = meta_find(meta, "general.name");
    if (name && name->kind == META_STRING && name->as.s.len) out->name = name->as.s.text;
    for (size_t i = 0; i < meta->as.list.count; i++) {
        const struct meta *item = &meta->as.list.items[i];
        if (!item->read && !is_about(item->key))
            return report_fail(err, JL_ERR_UNSUPPORTED, path,
                               "key %s may change what the adapter means and is not supported",
                               report_quote_str(item->key).text);
    }
    return JL_OK;
}

enum jl_status adapter_parse_gguf(const struct model *base, const char *path, const uint8_t *bytes,
                                  size_t size, struct adapter **out, struct jl_error *err) {
    struct arena arena = {0};
    struct gguf gguf;
    struct adapter_file file = {
        .kind = MODEL_FILE_GGUF, .path = path, .name = "adapter", .pair = pair_alpha};
    *out = NULL;
    enum jl_status status = gguf_parse(bytes, size, path, &arena, &gguf, err);
    if (status == JL_OK) status = read_keys(base, path, gguf.meta, &file, err);
    if (status == JL_OK) {
        file.tensors = gguf.tensors.items;
        file.n = gguf.tensors.count;
        status = adapter_read_pairs(base, &file, out, err);
    }
    arena_free(&arena);
    return status;
}

enum jl_status adapter_open_gguf(const struct model *base, const char *path, struct adapter **out,
                                 struct jl_error *err) {
    struct file_map map;
    JL_TRY(file_map_open(path, &map, err));
    enum jl_status status = adapter_parse_gguf(base, path, map.data, map.size, out, err);
    file_map_close(&map);
    return status;
}
