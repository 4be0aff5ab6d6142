/* Opens a GGUF model: one file, or all files of a split set.
 *
 * A set is what llama.cpp's gguf-split writes: each file carries split.no (from 0), split.count and
 * split.tensors.count (of the whole set), the first file all other metadata, and the names end in
 * -00001-of-0000N.gguf. A count of 0 or 1 is a file that was merged again. */
#include "format/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format/report.h"

#define SUFFIX_LEN (sizeof "-00001-of-00001.gguf" - 1)
#define MAX_SPLIT 65535 // split.count is a uint16

struct split {
    int64_t no, count, n_tensor;
};

/* An integer key within [0, limit]; *present tells whether it is there at all. */
static enum jl_status split_field(struct meta *meta, const char *file, const char *key,
                                  int64_t limit, int64_t *out, bool *present,
                                  struct jl_error *err) {
    const struct meta *value = meta_find(meta, key);
    *present = value;
    *out = 0;
    if (!value) return JL_OK;
    if (value->kind != META_INT || value->as.i < 0 || value->as.i > limit) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "key '%s' must be an integer from 0 to %" PRId64, key, limit);
    }
    *out = value->as.i;
    return JL_OK;
}

/* count is 1 for a file that is not split. */
static enum jl_status read_split(struct meta *meta, const char *file, struct split *out,
                                 struct jl_error *err) {
    bool has_no, has_count, has_total;
    JL_TRY(split_field(meta, file, "split.count", MAX_SPLIT, &out->count, &has_count, err));
    JL_TRY(split_field(meta, file, "split.no", MAX_SPLIT, &out->no, &has_no, err));
    JL_TRY(
        split_field(meta, file, "split.tensors.count", INT32_MAX, &out->n_tensor, &has_total, err));
    if (out->count <= 1) {
        out->count = 1;
        return out->no == 0 ? JL_OK
                            : report_fail(err, JL_ERR_FORMAT, file,
                                          "key 'split.no' is %" PRId64 " but 'split.count' says "
                                          "that there is one file",
                                          out->no);
    }
    if (!has_no || !has_total) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "'split.count' is %" PRId64 " but key '%s' is missing", out->count,
                           has_no ? "split.tensors.count" : "split.no");
    }
    if (out->no >= out->count) {
        return report_fail(err, JL_ERR_FORMAT, file,
                           "key 'split.no' is %" PRId64 ", not below 'split.count' %" PRId64,
                           out->no, out->count);
    }
    return JL_OK;
}

/* Path of part `no` of the set that `path` (part `own` of it) belongs to, NULL without memory. */
static char *sibling_path(struct arena *arena, const char *path, int64_t no, int64_t count) {
    size_t len = strlen(path);
    char *sibling = arena_strdup(arena, path);
    if (sibling) {
        snprintf(sibling + len - SUFFIX_LEN, SUFFIX_LEN + 1, "-%05d-of-%05d.gguf", (int)(no + 1),
                 (int)count);
    }
    return sibling;
}

static enum jl_status check_name(const char *path, const struct split *split, struct arena *arena,
                                 struct jl_error *err) {
    char suffix[SUFFIX_LEN + 1];
    snprintf(suffix, sizeof suffix, "-%05d-of-%05d.gguf", (int)(split->no + 1), (int)split->count);
    size_t len = strlen(path);
    if (len <= SUFFIX_LEN || strcmp(path + len - SUFFIX_LEN, suffix) != 0) {
        return report_fail(err, JL_ERR_FORMAT, path,
                           "is part %" PRId64 " of %" PRId64 " of a split model, but its name does "
                           "not end in %s; give the parts back their names and pass the first",
                           split->no + 1, split->count, suffix);
    }
    if (split->no != 0) {
        const char *first = sibling_path(arena, path, 0, split->count);
        if (!first) return report_no_memory(err, path, "names");
        return report_fail(err, JL_ERR_USAGE, path,
                           "is part %" PRId64 " of %" PRId64 " of a split model; pass the first "
                           "part, %s",
                           split->no + 1, split->count, first);
    }
    return JL_OK;
}

/* Parts after the first carry no metadata of their own: it would be ignored, so it is refused. */
static enum jl_status check_part_keys(const struct meta *meta, const char *file,
                                      struct jl_error *err) {
    for (size_t i = 0; i < meta->as.list.count; i++) {
        const char *key = meta->as.list.items[i].key;
        if (strncmp(key, "split.", 6) == 0 || strncmp(key, "general.", 8) == 0) continue;
        return report_fail(err, JL_ERR_FORMAT, file,
                           "key %s: in a split model only the first part may carry it",
                           report_quote_str(key).text);
    }
    return JL_OK;
}

/* Opens part `no` and checks that it is that part of this set. */
static enum jl_status open_part(struct model_file *file, const struct split *set, int64_t no,
                                struct tensor_list *tensors, struct jl_error *err) {
    struct file_map *map = &file->maps[no];
    struct split own;
    struct gguf gguf;
    const char *path = sibling_path(&file->arena, file->path, no, set->count);
    if (!path) return report_no_memory(err, file->path, "names");
    if (!file_exists(path)) {
        return report_fail(err, JL_ERR_IO, path,
                           "part %" PRId64 " of %" PRId64 " of a split model is missing; put it "
                           "beside the first part",
                           no + 1, set->count);
    }
    JL_TRY(file_map_open(path, map, err));
    file->n_map++;
    JL_TRY(gguf_parse(map->data, map->size, map->path, &file->arena, &gguf, err));
    JL_TRY(read_split(gguf.meta, map->path, &own, err));
    if (own.no != no || own.count != set->count || own.n_tensor != set->n_tensor) {
        return report_fail(
            err, JL_ERR_FORMAT, map->path,
            "split.no %" PRId64 ", split.count %" PRId64 ", split.tensors.count %" PRId64
            " do not fit the first part, which calls for %" PRId64 ", %" PRId64 ", %" PRId64,
            own.no, own.count, own.n_tensor, no, set->count, set->n_tensor);
    }
    JL_TRY(check_part_keys(gguf.meta, map->path, err));
    *tensors = gguf.tensors;
    return JL_OK;
}

/* lists[0] is already there; opens the others and joins all of them into the model. */
static enum jl_status load_set(struct model_file *file, const struct split *set,
                               struct tensor_list *lists, struct jl_error *err) {
    size_t total = lists[0].count;
    for (int64_t no = 1; no < set->count; no++) {
        JL_TRY(open_part(file, set, no, &lists[no], err));
        total += lists[no].count;
    }
    if (total != (size_t)set->n_tensor) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "'split.tensors.count' is %" PRId64 " but the %" PRId64
                           " parts hold %zu tensors",
                           set->n_tensor, set->count, total);
    }
    struct tensor_list all = {arena_calloc(&file->arena, total, sizeof *all.items), 0};
    if (!all.items) return report_no_memory(err, file->path, "the tensor table");
    for (int64_t no = 0; no < set->count; no++) {
        for (size_t i = 0; i < lists[no].count; i++)
            all.items[all.count++] = lists[no].items[i];
    }
    JL_TRY(tensor_list_sort(&all, err));
    file->tensors = all.items;
    file->n_tensor = all.count;
    return JL_OK;
}

enum jl_status gguf_load(struct model_file *file, struct jl_error *err) {
    struct file_map first = {0};
    struct gguf gguf;
    struct split split;
    struct arena *arena = &file->arena;
    JL_TRY(file_map_open(file->path, &first, err));
    file->maps = arena_calloc(arena, 1, sizeof *file->maps);
    if (!file->maps) {
        file_map_close(&first);
        return report_no_memory(err, file->path, "the file table");
    }
    file->maps[0] = first; // from here on model_file_free closes it
    file->n_map = 1;
    JL_TRY(gguf_parse(first.data, first.size, first.path, arena, &gguf, err));
    file->meta = gguf.meta;
    JL_TRY(read_split(gguf.meta, first.path, &split, err));
    if (split.count == 1) {
        file->tensors = gguf.tensors.items;
        file->n_tensor = gguf.tensors.count;
        return JL_OK;
    }
    JL_TRY(check_name(file->path, &split, arena, err));
    size_t n = (size_t)split.count;
    struct file_map *maps = arena_calloc(arena, n, sizeof *maps);
    struct tensor_list *lists = arena_calloc(arena, n, sizeof *lists);
    if (!maps || !lists) return report_no_memory(err, file->path, "the file table");
    maps[0] = first;
    file->maps = maps;
    lists[0] = gguf.tensors;
    return load_set(file, &split, lists, err);
}
