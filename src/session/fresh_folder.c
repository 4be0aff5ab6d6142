#include "session/fresh_folder.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_folder.h"
#include "format/report.h"
#include "session/folder_files.h"
#include "session/open_tokenizer.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)

/* ---- the tokenizer ---- */

static enum jl_status copy_file(const char *path, const char *folder, struct jl_error *err) {
    char *text;
    size_t size;
    const char *slash = strrchr(path, '/');
    JL_TRY(file_read_regular(path, MAX_FILE_BYTES, &text, &size, err));
    enum jl_status status = folder_files_put(folder, slash ? slash + 1 : path, text, size, err);
    free(text);
    return status;
}

/* A file is taken with the configuration beside it, which is read with it. */
static enum jl_status copy_tokenizer(const char *from, const char *folder, struct jl_error *err) {
    char *config;
    const char *slash = strrchr(from, '/');
    if (file_is_dir(from)) return folder_files_copy(from, folder, false, err);
    JL_TRY(copy_file(from, folder, err));
    if (asprintf(&config, "%.*stokenizer_config.json", slash ? (int)(slash - from) + 1 : 0, from) <
        0)
        return report_no_memory(err, from, "the path of its configuration");
    enum jl_status status = file_exists(config) ? copy_file(config, folder, err) : JL_OK;
    free(config);
    return status;
}

static bool put_id(json_t *config, const char *key, int32_t id) {
    if (id == TOKEN_NONE || json_object_get(config, key)) return true;
    return json_object_set_new(config, key, json_integer(id)) == 0;
}

/* What the configuration leaves to the tokenizer. */
static enum jl_status settle(const struct fresh_folder_options *options,
                             const struct tokenizer *tokenizer, json_t *config,
                             struct jl_error *err) {
    const json_t *said = json_object_get(config, "vocab_size");
    int n = tokenizer_vocab_size(tokenizer);
    bool ok = true;
    if (!said || json_is_null(said))
        ok = json_object_set_new(config, "vocab_size", json_integer(n)) == 0;
    else if (json_is_integer(said) && json_integer_value(said) < n)
        return report_fail(err, JL_ERR_USAGE, options->init.path,
                           "'vocab_size' is %lld, but the tokenizer has %d tokens",
                           (long long)json_integer_value(said), n);
    ok = ok && put_id(config, "bos_token_id", tokenizer_bos(tokenizer)) &&
         put_id(config, "eos_token_id", tokenizer_eos(tokenizer));
    return ok ? JL_OK : report_no_memory(err, options->init.path, "its configuration");
}

/* Copies the files, and reads them as whoever opens the folder will. */
static enum jl_status write_tokenizer(const struct fresh_folder_options *options,
                                      const char *folder, json_t *config, struct jl_error *err) {
    struct tokenizer *tokenizer;
    if (!options->tokenizer) return JL_OK;
    JL_TRY(copy_tokenizer(options->tokenizer, folder, err));
    JL_TRY(open_tokenizer_folder(folder, NULL, &tokenizer, err));
    enum jl_status status = settle(options, tokenizer, config, err);
    tokenizer_free(tokenizer);
    return status;
}

/* ---- weights ---- */

static void fill_row(void *ctx, int64_t row, uint8_t *out, float *scratch) {
    init_row(ctx, row, out, scratch);
}

static enum jl_status write_weights(const struct fresh_folder_options *options,
                                    const struct init_plan *plan, const char *folder,
                                    struct pool *pool, struct jl_error *err) {
    struct folder_tensor *tensors = calloc(plan->n, sizeof *tensors);
    if (!tensors) return report_no_memory(err, options->init.path, "the list of tensors");
    for (size_t i = 0; i < plan->n; i++) {
        struct init_tensor *t = &plan->tensors[i];
        tensors[i] = (struct folder_tensor){.name = t->name,
                                            .dtype = t->dtype,
                                            .n_dim = t->n_dim,
                                            .dim = t->dim,
                                            .fill = fill_row,
                                            .ctx = t,
                                            .check = true};
    }
    enum jl_status status = folder_tensors_write(tensors, plan->n, folder, options->shard_bytes,
                                                 pool, &options->progress, err);
    free(tensors);
    return status;
}

/* ---- all ---- */

static enum jl_status write_files(const struct fresh_folder_options *options, json_t *config,
                                  const char *folder, struct pool *pool, struct jl_error *err) {
    struct init_options init = options->init;
    struct init_plan plan;
    JL_TRY(write_tokenizer(options, folder, config, err));
    init.config = config;
    JL_TRY(init_plan_make(&init, &plan, err));
    enum jl_status status = folder_files_json(folder, "config.json", plan.config, err);
    if (status == JL_OK) status = write_weights(options, &plan, folder, pool, err);
    init_plan_free(&plan);
    return status;
}

enum jl_status fresh_folder_write(const struct fresh_folder_options *options, const char *path,
                                  struct pool *pool, struct jl_error *err) {
    struct file_folder folder;
    json_t *config = json_deep_copy(options->init.config);
    if (!config) return report_no_memory(err, options->init.path, "its configuration");
    enum jl_status status = file_folder_open(path, &folder, err);
    if (status == JL_OK) status = write_files(options, config, folder.tmp_path, pool, err);
    if (status == JL_OK) status = file_folder_commit(&folder, err);
    file_folder_abort(&folder);
    json_decref(config);
    return status;
}
