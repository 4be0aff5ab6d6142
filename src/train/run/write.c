/* What a stage leaves in the folder, and what the model says on the way. */
#include <stdio.h>
#include <string.h>

#include "text/buffer.h"
#include "train/learn/publish.h"
#include "train/run/self.h"
#include "train/run/speak.h"

static void exported(const struct run *run, const char *path, double divergence) {
    const struct run_watch *watch = &run->options->watch;
    if (watch->exported)
        watch->exported(watch->ctx, run->recipe->stages[run->stage].name, path, divergence);
}

/* A file for each type that the recipe names. */
static enum jl_status write_gguf(struct run *run, const char *folder) {
    char types[256], path[4096], *rest = types;
    double divergence;
    snprintf(types, sizeof types, "%s", run->recipe->gguf ? run->recipe->gguf : "");
    for (char *type; (type = strtok_r(rest, " ,", &rest));) {
        snprintf(path, sizeof path, "%s-%s.gguf", folder, type);
        JL_TRY(publish_gguf(folder, type, path, run->backend, run->pool, &divergence, run->err));
        exported(run, path, divergence);
    }
    return JL_OK;
}

/* The whole model; or the adapter and, where that is asked for, the base with it. */
enum jl_status run_write_model(struct run *run, const char *path) {
    const struct recipe *r = run->recipe;
    char merged[4096];
    if (!r->lora_rank) {
        JL_TRY(publish_folder(run->learner, r->sampling, run->backend, run->pool, path, run->err));
        exported(run, path, 0);
        return write_gguf(run, path);
    }
    JL_TRY(publish_adapter(run->learner, run->start, run->backend, path, run->err));
    exported(run, path, 0);
    if (!r->lora_merge) return JL_OK;
    snprintf(merged, sizeof merged, "%s-merged", path);
    JL_TRY(publish_merged(run->learner, run->start, r->work, run->pool, merged, run->err));
    return write_gguf(run, merged);
}

#define SAMPLE_TOKENS 100

/* How the model goes on from the recipe's text. It is for people: a failure is told, not one of the
 * run. */
void run_sample(const struct run *run) {
    const struct recipe *r = run->recipe;
    struct byte_buffer text = {0};
    struct jl_error err = {0};
    char why[sizeof err.message + 32];
    if (!r->sample || !run->options->watch.sample) return;
    const struct speak_request request = {.model = learner_model(run->learner),
                                          .backend = run->backend,
                                          .tokenizer = run->tokenizer,
                                          .ends = &run->ends,
                                          .prompt = r->sample,
                                          .seed = (uint64_t)r->seed,
                                          .n = SAMPLE_TOKENS,
                                          .cancel = run->options->cancel};
    enum jl_status status = speak_text(&request, &text, &err);
    if (status == JL_OK && !buffer_append(&text, "", 1))
        status = jl_fail(&err, JL_ERR_MEMORY, "out of memory");
    if (status == JL_OK)
        run->options->watch.sample(run->options->watch.ctx, run->step, r->sample, text.data);
    buffer_free(&text);
    if (status == JL_OK || status == JL_ERR_CANCELLED) return;
    snprintf(why, sizeof why, "there is no sample: %s", err.message);
    run_note(run, why);
}
