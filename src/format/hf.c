/* A folder is read closed-world: with an index, exactly the tensors that it lists must lie in
 * exactly the shards that it names. Other files of the folder are not looked at. */
#include "format/hf.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "format/config.h"
#include "format/report.h"
#include "format/st.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"

/* "FOLDER/NAME" in the arena, NULL without memory. */
static char *join(struct model_file *file, const char *name) {
    size_t dir_len = strlen(file->path), name_len = strlen(name);
    char *path = arena_alloc(&file->arena, dir_len + name_len + 2);
    if (!path) return NULL;
    memcpy(path, file->path, dir_len);
    if (dir_len && path[dir_len - 1] != '/') path[dir_len++] = '/';
    memcpy(path + dir_len, name, name_len + 1);
    return path;
}

static enum jl_status no_memory(struct model_file *file, struct jl_error *err) {
    return report_no_memory(err, file->path, "names");
}

static bool has_suffix(const char *name, const char *suffix) {
    size_t len = strlen(name), tail = strlen(suffix);
    return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* The first name with this suffix in byte order, so that a message does not depend on the order of
 * the directory; NULL when there is none. Lives in the arena. */
static const char *first_with_suffix(struct model_file *file, const char *suffix) {
    char *first = NULL;
    DIR *dir = opendir(file->path);
    if (!dir) return NULL;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (!has_suffix(entry->d_name, suffix)) continue;
        if (first && strcmp(entry->d_name, first) >= 0) continue;
        char *copy = arena_strdup(&file->arena, entry->d_name);
        if (copy) first = copy;
    }
    closedir(dir);
    return first;
}

static enum jl_status no_config(struct model_file *file, struct jl_error *err) {
    const char *gguf = first_with_suffix(file, ".gguf");
    if (gguf) {
        return report_fail(err, JL_ERR_USAGE, file->path,
                           "the folder has no config.json but holds GGUF files; pass the file "
                           "itself, such as %s",
                           report_quote_str(gguf).text);
    }
    return report_fail(err, JL_ERR_IO, file->path,
                       "the folder has no config.json; a model folder in the Hugging Face layout "
                       "or a GGUF file is needed");
}

static enum jl_status no_weights(struct model_file *file, struct jl_error *err) {
    if (first_with_suffix(file, ".bin") || first_with_suffix(file, ".pth")) {
        return report_fail(err, JL_ERR_UNSUPPORTED, file->path,
                           "the folder has neither %s nor %s, only PyTorch files, which may run "
                           "code; convert them to safetensors",
                           SINGLE, INDEX);
    }
    return report_fail(err, JL_ERR_IO, file->path, "the folder has neither %s nor %s", SINGLE,
                       INDEX);
}

/* Maps and parses the next file of the model. */
static enum jl_status open_file(struct model_file *file, const char *path, struct tensor_list *out,
                                struct jl_error *err) {
    struct file_map *map = &file->maps[file->n_map];
    JL_TRY(file_map_open(path, map, err));
    file->n_map++;
    return st_parse(map->data, map->size, map->path, &file->arena, out, err);
}

static enum jl_status load_single(struct model_file *file, const char *path, struct jl_error *err) {
    struct tensor_list list;
    file->maps = arena_calloc(&file->arena, 1, sizeof *file->maps);
    if (!file->maps) return no_memory(file, err);
    JL_TRY(open_file(file, path, &list, err));
    file->tensors = list.items;
    file->n_tensor = list.count;
    return JL_OK;
}

/* ---- shards ---- */

static enum jl_status open_shards(struct model_file *file, const struct st_index *index,
                                  struct tensor_list *all, struct jl_error *err) {
    size_t n = index->n_shard, total = 0;
    file->maps = arena_calloc(&file->arena, n, sizeof *file->maps);
    struct tensor_list *lists = arena_calloc(&file->arena, n, sizeof *lists);
    if (!file->maps || !lists) return no_memory(file, err);
    for (size_t i = 0; i < n; i++) {
        const char *path = join(file, index->shards[i]);
        if (!path) return no_memory(file, err);
        if (!file_exists(path)) {
            return report_fail(err, JL_ERR_IO, path,
                               "shard %zu of %zu is missing; the index lists it", i + 1, n);
        }
        JL_TRY(open_file(file, path, &lists[i], err));
        total += lists[i].count;
    }
    all->items = arena_calloc(&file->arena, total, sizeof *all->items);
    if (!all->items) return report_no_memory(err, file->path, "the tensor table");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < lists[i].count; k++)
            all->items[all->count++] = lists[i].items[k];
    }
    return tensor_list_sort(all, err);
}

/* Both lists are sorted by name: walks them side by side. */
static enum jl_status check_index(const struct model_file *file, const struct st_index *index,
                                  const char *index_path, const struct tensor_list *all,
                                  struct jl_error *err) {
    size_t t = 0;
    for (size_t i = 0; i < index->n_entry || t < all->count; i++, t++) {
        const struct st_index_entry *entry = i < index->n_entry ? &index->entries[i] : NULL;
        const struct tensor_info *info = t < all->count ? &all->items[t] : NULL;
        int order = !entry ? 1 : !info ? -1 : strcmp(entry->tensor, info->name);
        if (order < 0) {
            return report_fail(err, JL_ERR_FORMAT, index_path,
                               "'weight_map' says that %s holds tensor %s, but no shard does",
                               report_quote_str(index->shards[entry->shard]).text,
                               report_quote_str(entry->tensor).text);
        }
        if (order > 0) {
            return report_fail(err, JL_ERR_FORMAT, index_path,
                               "'weight_map' does not list tensor %s, which lies in %s",
                               report_quote_str(info->name).text,
                               report_quote_str(strrchr(info->file, '/') + 1).text);
        }
        if (info->file != file->maps[entry->shard].path) {
            return report_fail(err, JL_ERR_FORMAT, index_path,
                               "'weight_map' says that %s holds tensor %s, but it lies in %s",
                               report_quote_str(index->shards[entry->shard]).text,
                               report_quote_str(info->name).text,
                               report_quote_str(strrchr(info->file, '/') + 1).text);
        }
    }
    return JL_OK;
}

static enum jl_status read_index(const char *path, struct arena *arena, struct st_index *out,
                                 struct jl_error *err) {
    char *text;
    size_t size;
    JL_TRY(file_read_regular(path, ST_INDEX_MAX_BYTES, &text, &size, err));
    enum jl_status status = st_index_parse(text, size, path, arena, out, err);
    free(text);
    return status;
}

static bool lists_shard(const struct st_index *index, const char *name) {
    for (size_t i = 0; i < index->n_shard; i++) {
        if (strcmp(index->shards[i], name) == 0) return true;
    }
    return false;
}

static enum jl_status load_shards(struct model_file *file, const char *index_path, bool has_single,
                                  struct jl_error *err) {
    struct st_index index;
    struct tensor_list all = {0};
    JL_TRY(read_index(index_path, &file->arena, &index, err));
    if (has_single && !lists_shard(&index, SINGLE)) {
        return report_fail(err, JL_ERR_FORMAT, file->path,
                           "the folder has both %s and an index that does not list it: which "
                           "weights are meant is unclear; remove one of the two",
                           SINGLE);
    }
    JL_TRY(open_shards(file, &index, &all, err));
    JL_TRY(check_index(file, &index, index_path, &all, err));
    file->tensors = all.items;
    file->n_tensor = all.count;
    return JL_OK;
}

enum jl_status hf_load(struct model_file *file, struct jl_error *err) {
    const char *config = join(file, "config.json");
    const char *generation = join(file, "generation_config.json");
    const char *single = join(file, SINGLE), *index = join(file, INDEX);
    if (!config || !generation || !single || !index) return no_memory(file, err);
    if (!file_exists(config)) return no_config(file, err);
    JL_TRY(config_read(config, &file->arena, &file->meta, err));
    if (file_exists(generation)) {
        JL_TRY(config_read(generation, &file->arena, &file->generation, err));
    }
    bool has_single = file_exists(single), has_index = file_exists(index);
    if (has_index) return load_shards(file, index, has_single, err);
    if (has_single) return load_single(file, single, err);
    return no_weights(file, err);
}
