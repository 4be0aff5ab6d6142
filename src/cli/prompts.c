/* Token files: a JSON list of ids, or {"prompts": [[...], ...]}. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"

#define TOKENS_FILE_LIMIT ((size_t)256 << 20)

static enum jl_status read_ids(const char *path, const json_t *list, int32_t **ids, int *n_id,
                               struct jl_error *err) {
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0)
        return jl_fail(err, JL_ERR_FORMAT, "%s: a prompt must be a list of at least one token id",
                       path);
    if (n > INT32_MAX / 2) return jl_fail(err, JL_ERR_LIMIT, "%s: a prompt is too long", path);
    int32_t *out = calloc(n, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a prompt of %zu tokens", n);
    *ids = out;
    *n_id = (int)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX)
            return jl_fail(err, JL_ERR_FORMAT, "%s: element %zu of a prompt is not a token id",
                           path, i);
        out[i] = (int32_t)id;
    }
    return JL_OK;
}

static enum jl_status read_all(const char *path, const json_t *root, struct cli_prompts *out,
                               struct jl_error *err) {
    const json_t *list = json_is_object(root) ? json_object_get(root, "prompts") : NULL;
    size_t n = list ? json_array_size(list) : 1;
    if (json_is_object(root) && (!json_is_array(list) || n == 0))
        return jl_fail(err, JL_ERR_FORMAT, "%s: 'prompts' is not a list of prompts", path);
    if (n > 1 << 20) return jl_fail(err, JL_ERR_LIMIT, "%s: too many prompts", path);
    out->ids = calloc(n, sizeof *out->ids);
    out->n_id = calloc(n, sizeof *out->n_id);
    if (!out->ids || !out->n_id) return jl_fail(err, JL_ERR_MEMORY, "out of memory for prompts");
    out->n_prompt = (int)n;
    for (size_t i = 0; i < n; i++)
        JL_TRY(read_ids(path, list ? json_array_get(list, i) : root, &out->ids[i], &out->n_id[i],
                        err));
    return JL_OK;
}

enum jl_status cli_read_prompts(const char *path, struct cli_prompts *out, struct jl_error *err) {
    char *text;
    size_t size;
    json_error_t where;
    *out = (struct cli_prompts){0};
    JL_TRY(file_read(path, TOKENS_FILE_LIMIT, &text, &size, err));
    json_t *root;
    enum jl_status status = jl_json_load(text, size, JSON_REJECT_DUPLICATES, &root, &where);
    free(text);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for %s", path);
    if (status != JL_OK)
        return jl_fail(err, status, "%s: line %d: %s", path, where.line, where.text);
    status = read_all(path, root, out, err);
    json_decref(root);
    if (status != JL_OK) cli_free_prompts(out);
    return status;
}

void cli_free_prompts(struct cli_prompts *prompts) {
    for (int i = 0; i < prompts->n_prompt; i++)
        free(prompts->ids[i]);
    free(prompts->ids);
    free(prompts->n_id);
    *prompts = (struct cli_prompts){0};
}

enum jl_status cli_read_indices(const char *option, const char *text, int limit, int **out, int *n,
                                struct jl_error *err) {
    size_t commas = 0;
    for (const char *c = text; *c; c++)
        commas += *c == ',';
    *n = 0;
    *out = calloc(commas + 1, sizeof **out);
    if (!*out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %s", option);
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        long index = strtol(at, &end, 10);
        if (end == at || errno || (*end && *end != ',') || index < 0 || index >= limit) {
            free(*out);
            *out = NULL;
            *n = 0;
            return jl_fail(
                err, JL_ERR_USAGE,
                "option %s takes prompt numbers from 0 to %d separated by commas, not '%s'", option,
                limit - 1, text);
        }
        (*out)[(*n)++] = (int)index;
        if (!*end) return JL_OK;
        at = end;
    }
}
