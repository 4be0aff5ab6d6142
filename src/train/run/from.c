/* A run that was begun elsewhere: its folder has a file `from` that names the stage and the
 * weights, so that the same command without them goes on, too. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "session/open_tokenizer.h"
#include "text/buffer.h"
#include "train/run/self.h"

#define FROM_MOST_BYTES (1 << 16)

/* Two lines: the stage, the folder. */
static enum jl_status write_from(const struct run *run, const char *path) {
    struct file_writer writer;
    JL_TRY(file_writer_open(path, &writer, run->err));
    fprintf(writer.stream, "%s\n%s\n", run->options->from, run->options->weights);
    return file_writer_commit(&writer, run->err); // finds what failed
}

/* *stage and *weights are the caller's, in one piece of memory that begins with the stage. */
static enum jl_status read_from(const struct run *run, const char *path, char **stage,
                                char **weights) {
    size_t size;
    JL_TRY(file_read(path, FROM_MOST_BYTES, stage, &size, run->err));
    char *end = strchr(*stage, '\n'), *last = end ? strchr(end + 1, '\n') : NULL;
    if (last && !last[1]) {
        *end = *last = 0;
        *weights = end + 1;
        return JL_OK;
    }
    free(*stage);
    return jl_fail(run->err, JL_ERR_FORMAT, "%s: not what a run writes there; give another folder",
                   path);
}

static bool same_text(const char *a, const char *b) { return !a || !strcmp(a, b); }

/* What was exported from a GGUF file has gone through floats. */
static bool same_number(const json_t *a, const json_t *b) {
    return (float)json_number_value(a) == (float)json_number_value(b);
}

/* Keys that the recipe's [config] and the model both say must be the same. */
static enum jl_status check_config(const struct run *run, const char *weights) {
    char *path = file_path_in(weights, "config.json"), *text;
    size_t size;
    json_t *config = NULL;
    const char *key;
    json_t *wanted;
    json_error_t where;
    if (!path) return run_no_memory(run);
    enum jl_status status = file_read(path, 1 << 24, &text, &size, run->err);
    if (status == JL_OK) {
        if (jl_json_load(text, size, 0, &config, &where) != JL_OK)
            status = jl_fail(run->err, JL_ERR_FORMAT, "%s: %s", path, where.text);
        free(text);
    }
    json_object_foreach(run->recipe->config, key, wanted) {
        const json_t *has = json_object_get(config, key);
        bool number = json_is_number(wanted) && json_is_number(has);
        if (status != JL_OK || !has) continue;
        if (number ? same_number(wanted, has) : json_equal(wanted, has)) continue;
        status =
            jl_fail(run->err, JL_ERR_USAGE,
                    "%s: its '%s' is not that of the recipe: these are weights of another model",
                    path, key);
    }
    json_decref(config);
    free(path);
    return status;
}

/* Appends the text of a token by itself. */
static enum jl_status token_text(const struct tokenizer *tokenizer, int32_t id,
                                 struct byte_buffer *text, struct jl_error *err) {
    struct token_stream stream;
    token_stream_init(&stream, tokenizer, false);
    stream.show_control = stream.raw = true;
    return token_stream_push(&stream, id, &text->data, &text->len, &text->cap, err);
}

/* Weights know tokens by their numbers: each must stand for the same text. How a text is cut before
 * it is merged may be told otherwise, as it is in what came from a GGUF file; the run goes on with
 * the tokenizer of the weights. */
static enum jl_status check_tokens(const struct run *run, const char *weights,
                                   const struct tokenizer *has, const struct tokenizer *wanted) {
    int n = tokenizer_vocab_size(wanted);
    struct byte_buffer texts[2] = {0};
    bool same = tokenizer_vocab_size(has) == n && tokenizer_eos(has) == tokenizer_eos(wanted);
    enum jl_status status = JL_OK;
    for (int id = 0; id < n && same && status == JL_OK; id++) {
        texts[0].len = texts[1].len = 0;
        status = token_text(has, id, &texts[0], run->err);
        if (status == JL_OK) status = token_text(wanted, id, &texts[1], run->err);
        same = texts[0].len == texts[1].len &&
               (!texts[0].len || !memcmp(texts[0].data, texts[1].data, texts[0].len));
    }
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    if (status == JL_OK && !same)
        status = jl_fail(run->err, JL_ERR_USAGE, "%s: its tokenizer is not the recipe's", weights);
    return status;
}

static enum jl_status check_tokenizer(const struct run *run, const char *weights) {
    struct tokenizer *has = NULL, *wanted = NULL;
    const char *own = run->recipe->tokenizer;
    enum jl_status status = open_tokenizer_folder(weights, NULL, &has, run->err);
    if (status == JL_OK)
        status = file_is_dir(own) ? open_tokenizer_folder(own, NULL, &wanted, run->err)
                                  : open_tokenizer_file(own, NULL, &wanted, run->err);
    if (status == JL_OK) status = check_tokens(run, weights, has, wanted);
    tokenizer_free(has);
    tokenizer_free(wanted);
    return status;
}

static enum jl_status begin_at(struct run *run, const char *stage, const char *weights) {
    const struct recipe *r = run->recipe;
    run->first_stage = recipe_stage_find(r, stage);
    if (run->first_stage < 0)
        return jl_fail(run->err, JL_ERR_USAGE, "%s has no stage '%s'", r->path, stage);
    if (r->stages[run->first_stage].restart_id != RESTART_WEIGHTS)
        return jl_fail(run->err, JL_ERR_USAGE,
                       "%s: stage '%s' goes on with the optimizer of the stage before, which "
                       "weights do not hold: a run begins only with a stage that has `restart = "
                       "weights`",
                       r->path, stage);
    if (!file_is_dir(weights))
        return jl_fail(run->err, JL_ERR_IO, "%s: no folder of a model", weights);
    if (r->config) JL_TRY(check_config(run, weights));
    if (r->config) JL_TRY(check_tokenizer(run, weights));
    run->start = strdup(weights);
    return run->start ? JL_OK : run_no_memory(run);
}

enum jl_status run_find_from(struct run *run) {
    const struct run_options *o = run->options;
    char *path = file_path_in(o->folder, "from"), *start = file_path_in(o->folder, "start");
    char *recipe = file_path_in(o->folder, "recipe"), *stage = NULL, *weights = NULL;
    enum jl_status status = path && start && recipe ? JL_OK : run_no_memory(run);
    if (status != JL_OK) {
        // nothing to look at
    } else if (file_exists(path)) {
        status = read_from(run, path, &stage, &weights);
        if (status == JL_OK && !(same_text(o->from, stage) && same_text(o->weights, weights)))
            status = jl_fail(run->err, JL_ERR_USAGE,
                             "%s was begun with stage '%s' from %s; give another folder", o->folder,
                             stage, weights);
        if (status == JL_OK) status = begin_at(run, stage, weights);
    } else if (o->from) {
        if (file_exists(start) || file_exists(recipe))
            status = jl_fail(run->err, JL_ERR_USAGE,
                             "%s was begun with the first stage; give another folder", o->folder);
        if (status == JL_OK) status = begin_at(run, o->from, o->weights);
        if (status == JL_OK) status = write_from(run, path);
    }
    free(stage);
    free(path);
    free(start);
    free(recipe);
    return status;
}
