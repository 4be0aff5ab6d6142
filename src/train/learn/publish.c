#include "train/learn/publish.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/fmath.h"
#include "base/json.h"
#include "base/rng.h"
#include "model/exec.h"
#include "session/export_folder.h"
#include "session/folder_files.h"
#include "session/quantize.h"
#include "tensor/kvchunk.h"

/* ---- comparing ---- */

#define COMPARE_ROWS 48

/* Logits (COMPARE_ROWS, n_vocab) of the same tokens for every model of a vocabulary; the caller
 * frees. */
static enum jl_status logits_of(const struct model *model, struct backend *backend, float **out,
                                struct jl_error *err) {
    struct exec *exec = NULL;
    struct backend_buffer *page = NULL, *recur = NULL, *recur_next = NULL;
    struct batch_row rows[COMPARE_ROWS];
    *out = calloc((size_t)COMPARE_ROWS * (size_t)model->hp.n_vocab, sizeof **out);
    enum jl_status status =
        *out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory comparing logits");
    if (status == JL_OK) status = exec_create(model, backend, COMPARE_ROWS, &exec, err);
    if (status == JL_OK) status = backend_alloc(backend, model->page_bytes, &page, err);
    if (status == JL_OK && model->recurrent_bytes) {
        status = backend_alloc(backend, model->recurrent_bytes, &recur, err);
        if (status == JL_OK)
            status = backend_alloc(backend, model->recurrent_bytes, &recur_next, err);
    }
    for (int i = 0; i < COMPARE_ROWS; i++) {
        const struct rng_key key = {.position = (uint32_t)i, .purpose = RNG_TEST};
        int32_t token = (int32_t)(rng_uniform(&key, 0) * (float)model->hp.n_vocab);
        rows[i] = (struct batch_row){.token = token, .pos = {i}, .want_logits = true};
    }
    if (status == JL_OK) {
        struct seq_view seq = {&page, 1, 0, recur, recur_next};
        const struct batch batch = {rows, COMPARE_ROWS, &seq, 1, NULL};
        status = exec_forward(exec, &batch, *out, err);
    }
    exec_free(exec);
    backend_release(page);
    backend_release(recur);
    backend_release(recur_next);
    return status;
}

enum jl_status publish_compare(const struct model *a, const struct model *b,
                               struct backend *backend, struct jl_error *err) {
    float *x = NULL, *y = NULL;
    enum jl_status status = JL_OK;
    if (a->hp.n_vocab != b->hp.n_vocab)
        return jl_fail(err, JL_ERR_FORMAT,
                       "%s has another vocabulary than the model it was made of", b->file->path);
    status = logits_of(a, backend, &x, err);
    if (status == JL_OK) status = logits_of(b, backend, &y, err);
    size_t n = (size_t)a->hp.n_vocab;
    for (size_t i = 0; status == JL_OK && i < COMPARE_ROWS * n; i++)
        if (memcmp(&x[i], &y[i], sizeof x[i]))
            status = jl_fail(err, JL_ERR_FORMAT,
                             "%s gives other logits than the model it was made of: %.9g instead of "
                             "%.9g (position %zu, token %zu)",
                             b->file->path, (double)y[i], (double)x[i], i / n, i % n);
    free(x);
    free(y);
    return status;
}

/* ---- GGUF ---- */

static double log_sum(const float *x, size_t n) {
    double max = (double)x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        max = (double)x[i] > max ? (double)x[i] : max;
    for (size_t i = 0; i < n; i++)
        sum += fmath_exp64((double)x[i] - max);
    return max + fmath_log64(sum);
}

static double divergence_of(const float *p, const float *q, size_t n) {
    double log_p = log_sum(p, n), log_q = log_sum(q, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        double at = (double)p[i] - log_p;
        sum += fmath_exp64(at) * (at - ((double)q[i] - log_q));
    }
    return sum;
}

static enum jl_status diverge(const struct model *a, const struct model *b, struct backend *backend,
                              double *out, struct jl_error *err) {
    float *x = NULL, *y = NULL;
    size_t n = (size_t)a->hp.n_vocab;
    enum jl_status status = logits_of(a, backend, &x, err);
    if (status == JL_OK) status = logits_of(b, backend, &y, err);
    *out = 0;
    for (size_t row = 0; status == JL_OK && row < COMPARE_ROWS; row++)
        *out += divergence_of(x + row * n, y + row * n, n) / COMPARE_ROWS;
    free(x);
    free(y);
    return status;
}

/* The floats' only differences are orders of sums, where rows are paired anew for rotation. */
#define SAME_WEIGHTS 1e-5

enum jl_status publish_gguf(const char *folder, const char *preset, const char *path,
                            struct backend *backend, struct pool *pool, double *divergence,
                            struct jl_error *err) {
    const struct quantize_options options = {.preset = quant_preset_find(preset)};
    struct quantize_plan plan = {0};
    struct quantize_error error;
    struct model *model = NULL, *again = NULL;
    if (!options.preset)
        return jl_fail(err, JL_ERR_USAGE,
                       "'%s' is no type of a GGUF file; `jinlin quantize --help` "
                       "lists them",
                       preset);
    enum jl_status status = model_load(folder, NULL, &model, err);
    if (status == JL_OK) status = quantize_plan(model, &options, &plan, err);
    if (status == JL_OK) status = quantize_write(&plan, path, pool, NULL, NULL, &error, err);
    if (status == JL_OK) status = model_load(path, NULL, &again, err);
    if (status == JL_OK && again->hp.n_vocab != model->hp.n_vocab)
        status = jl_fail(err, JL_ERR_FORMAT, "%s has another vocabulary than %s", path, folder);
    if (status == JL_OK) status = diverge(model, again, backend, divergence, err);
    bool kept = true;
    for (size_t i = 0; i < plan.n; i++)
        kept = kept && plan.tensors[i].choice.dtype == plan.tensors[i].source->dtype;
    if (status == JL_OK && !(*divergence <= (kept ? SAME_WEIGHTS : 1e9)))
        status = jl_fail(err, JL_ERR_FORMAT, "%s gives other logits than %s: %g nats apart", path,
                         folder, *divergence);
    quantize_plan_free(&plan);
    model_free(model);
    model_free(again);
    return status;
}

/* ---- folders ---- */

/* A folder of files without folders in it, as those written here are. */
static enum jl_status remove_folder(const char *path, struct jl_error *err) {
    char name[4096];
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? JL_OK : jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    closedir(dir);
    if (rmdir(path) == 0) return JL_OK;
    return jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
}

struct class_request publish_class(const struct model *model) {
    const struct numeric_class *cls = &model->cls;
    return (struct class_request){cls->act_bf16 ? "bf16" : "f32", cls->kv == DTYPE_F32    ? "f32"
                                                                  : cls->kv == DTYPE_F16  ? "f16"
                                                                  : cls->kv == DTYPE_BF16 ? "bf16"
                                                                                          : "q8"};
}

static enum jl_status check_folder(const struct learner *learner, struct backend *backend,
                                   const char *path, struct jl_error *err) {
    const struct class_request cls = publish_class(learner_model(learner));
    struct model *again;
    JL_TRY(model_load(path, &cls, &again, err));
    enum jl_status status = publish_compare(learner_model(learner), again, backend, err);
    model_free(again);
    return status;
}

enum jl_status publish_into(const char *path, publish_write_fn *write, void *ctx,
                            struct jl_error *err) {
    size_t n = strlen(path) + 8;
    char *next = malloc(n), *last = malloc(n);
    enum jl_status status =
        next && last ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory writing %s", path);
    if (status == JL_OK) {
        snprintf(next, n, "%s.new", path);
        snprintf(last, n, "%s.old", path);
        status = remove_folder(next, err); // of a run that was cut short
    }
    if (status == JL_OK) status = write(ctx, next, err);
    if (status == JL_OK) status = remove_folder(last, err);
    if (status == JL_OK && rename(path, last) != 0 && errno != ENOENT)
        status = jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    if (status == JL_OK && rename(next, path) != 0)
        status = jl_fail(err, JL_ERR_IO, "%s: %s", path, strerror(errno));
    if (status == JL_OK) status = remove_folder(last, err);
    free(next);
    free(last);
    return status;
}

struct folder_call {
    const struct learner *learner;
    const json_t *sampling;
    struct backend *backend;
    struct pool *pool;
};

#define GENERATION "generation_config.json"
#define MOST_GENERATION_BYTES ((size_t)1 << 20)

static enum jl_status write_sampling(const json_t *sampling, const char *folder,
                                     struct jl_error *err) {
    char *path = file_path_in(folder, GENERATION), *text = NULL;
    size_t size;
    json_error_t where;
    json_t *json = NULL;
    enum jl_status status = path ? JL_OK : JL_ERR_MEMORY;
    if (status == JL_OK && file_exists(path)) {
        status = file_read_regular(path, MOST_GENERATION_BYTES, &text, &size, err);
        if (status == JL_OK) status = jl_json_load(text, size, 0, &json, &where);
    } else if (status == JL_OK) {
        json = json_object();
    }
    if (status == JL_OK && (!json || json_object_update(json, (json_t *)sampling) != 0))
        status = JL_ERR_MEMORY;
    status = status == JL_OK ? folder_files_json(folder, GENERATION, json, err)
                             : jl_fail(err, status, "%s/" GENERATION " cannot be written", folder);
    json_decref(json);
    free(text);
    free(path);
    return status;
}

static enum jl_status write_folder(void *ctx, const char *path, struct jl_error *err) {
    const struct folder_call *call = ctx;
    const struct export_folder_options options = {0};
    JL_TRY(export_folder_write(learner_model(call->learner), &options, path, call->pool, err));
    if (call->sampling) JL_TRY(write_sampling(call->sampling, path, err));
    return check_folder(call->learner, call->backend, path, err);
}

enum jl_status publish_folder(const struct learner *learner, const json_t *sampling,
                              struct backend *backend, struct pool *pool, const char *path,
                              struct jl_error *err) {
    struct folder_call call = {learner, sampling, backend, pool};
    return publish_into(path, write_folder, &call, err);
}
