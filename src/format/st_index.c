/* The index of a sharded model. Shards are plain names beside the index: a name cannot lead out of
 * the folder. */
#include <stdlib.h>
#include <string.h>

#include "format/json_text.h"
#include "format/report.h"
#include "format/st.h"

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int compare_entries(const void *a, const void *b) {
    return strcmp(((const struct st_index_entry *)a)->tensor,
                  ((const struct st_index_entry *)b)->tensor);
}

static bool is_shard_name(const char *name) {
    static const char suffix[] = ".safetensors";
    size_t len = strlen(name), tail = sizeof suffix - 1;
    if (len <= tail || len > 255 || strcmp(name + len - tail, suffix) != 0) return false;
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '/' || *c == '\\') return false;
    }
    return !strstr(name, "..");
}

static enum jl_status check_map(json_t *map, const char *file, struct jl_error *err) {
    const char *tensor;
    json_t *shard;
    if (!json_is_object(map)) {
        return report_fail(err, JL_ERR_FORMAT, file, "'weight_map' is missing or not an object");
    }
    if (json_object_size(map) == 0) {
        return report_fail(err, JL_ERR_FORMAT, file, "'weight_map' is empty");
    }
    json_object_foreach(map, tensor, shard) {
        if (!json_is_string(shard)) {
            return report_fail(err, JL_ERR_FORMAT, file, "'weight_map': %s must name a file",
                               report_quote_str(tensor).text);
        }
        if (!is_shard_name(json_string_value(shard))) {
            return report_fail(err, JL_ERR_FORMAT, file,
                               "'weight_map': %s names %s; a shard must be the plain name of a "
                               ".safetensors file in the same folder",
                               report_quote_str(tensor).text,
                               report_quote_str(json_string_value(shard)).text);
        }
    }
    return JL_OK;
}

/* Sorted, each once. */
static bool list_shards(json_t *map, struct arena *arena, struct st_index *out) {
    const char *tensor;
    json_t *shard;
    size_t n = 0, count = json_object_size(map);
    const char **names = malloc(count * sizeof *names); // into jansson's strings
    if (!names) return false;
    json_object_foreach(map, tensor, shard) names[n++] = json_string_value(shard);
    qsort(names, n, sizeof *names, compare_strings);
    for (size_t i = 0; i < n; i++) {
        if (out->n_shard && strcmp(names[out->n_shard - 1], names[i]) == 0) continue;
        names[out->n_shard++] = names[i];
    }
    out->shards = arena_calloc(arena, out->n_shard, sizeof *out->shards);
    bool ok = out->shards;
    for (size_t i = 0; i < out->n_shard && ok; i++) {
        out->shards[i] = arena_strdup(arena, names[i]);
        ok = out->shards[i];
    }
    free(names);
    return ok;
}

static bool list_entries(json_t *map, struct arena *arena, struct st_index *out) {
    const char *tensor;
    json_t *shard;
    out->entries = arena_calloc(arena, json_object_size(map), sizeof *out->entries);
    if (!out->entries) return false;
    json_object_foreach(map, tensor, shard) {
        const char *name = json_string_value(shard);
        const char *const *found =
            bsearch(&name, out->shards, out->n_shard, sizeof *out->shards, compare_strings);
        struct st_index_entry *entry = &out->entries[out->n_entry++];
        entry->tensor = arena_strdup(arena, tensor);
        if (!entry->tensor) return false;
        entry->shard = (size_t)(found - out->shards);
    }
    qsort(out->entries, out->n_entry, sizeof *out->entries, compare_entries);
    return true;
}

enum jl_status st_index_parse(const char *text, size_t size, const char *file, struct arena *arena,
                              struct st_index *out, struct jl_error *err) {
    json_t *root;
    *out = (struct st_index){0};
    JL_TRY(json_text_parse(text, size, file, &root, err));
    json_t *map = json_object_get(root, "weight_map");
    enum jl_status status = check_map(map, file, err);
    if (status == JL_OK && (!list_shards(map, arena, out) || !list_entries(map, arena, out))) {
        status = report_no_memory(err, file, "the index");
    }
    json_decref(root);
    return status;
}
