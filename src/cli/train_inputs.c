#include "cli/train_inputs.h"

#include <stdlib.h>
#include <string.h>

#include "text/utf8.h"

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), n = strlen(end);
    return len > n && !strcmp(text + len - n, end);
}

/* Splits "FILE@WEIGHT", unless there is a file of that whole name. `path`: heap. */
static enum jl_status split_name(const char *name, char **path, uint32_t *weight,
                                 struct jl_error *err) {
    const char *mark = strrchr(name, '@');
    *weight = 1;
    *path = strdup(name);
    if (!*path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    if (!mark || mark == name || file_exists(name)) return JL_OK;
    char *end;
    unsigned long number = strtoul(mark + 1, &end, 10);
    if (mark[1] < '0' || mark[1] > '9' || *end || number < 1 || number > BPE_TRAIN_WEIGHT_MAX)
        return jl_fail(err, JL_ERR_USAGE, "%s: a weight must be a whole number from 1 to %d", name,
                       BPE_TRAIN_WEIGHT_MAX);
    (*path)[mark - name] = 0;
    *weight = (uint32_t)number;
    return JL_OK;
}

/* Where `text` may end, at most `limit` bytes long. */
static size_t cut_back(const char *text, size_t len, size_t limit, bool lines) {
    if (!limit || len <= limit) return len;
    if (!lines) return utf8_whole_length(text, limit);
    const char *newline = memrchr(text, '\n', limit);
    return newline ? (size_t)(newline - text) + 1 : 0;
}

static enum jl_status open_input(struct train_inputs *inputs, const char *path, size_t limit,
                                 struct jl_error *err) {
    struct file_map *map = &inputs->maps[inputs->n];
    struct bpe_train_source *source = &inputs->sources[inputs->n];
    JL_TRY(file_map_open(path, map, err));
    inputs->n++;
    source->name = map->path;
    source->text = map->size ? (const char *)map->data : "";
    source->lines = ends_with(path, ".jsonl") || ends_with(path, ".ndjson");
    source->len = cut_back(source->text, map->size, limit, source->lines);
    return JL_OK;
}

enum jl_status train_inputs_add(struct train_inputs *inputs, const char *name, size_t limit,
                                struct jl_error *err) {
    char *path = NULL;
    if (inputs->n == TRAIN_INPUTS_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "more than %d files", TRAIN_INPUTS_MAX);
    enum jl_status status = split_name(name, &path, &inputs->sources[inputs->n].weight, err);
    if (status == JL_OK) status = open_input(inputs, path, limit, err);
    free(path);
    return status;
}

void train_inputs_free(struct train_inputs *inputs) {
    for (int i = 0; i < inputs->n; i++)
        file_map_close(&inputs->maps[i]);
    inputs->n = 0;
}
