#include "train/run/tune.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/buffer.h"
#include "text/number_text.h"

double tune_rate(int64_t n_param) {
    double millions = 1e-6 * (double)n_param;
    if (millions <= 1) return 1e-3;
    return millions >= 100 ? 1e-4 : 1e-3 / sqrt(millions);
}

/* ---- the text ---- */

struct writer {
    struct byte_buffer text;
    bool fits;
};

static void put(struct writer *w, const char *text) {
    w->fits = w->fits && buffer_append(&w->text, text, strlen(text));
}

static void put_word(struct writer *w, const char *key, const char *value) {
    put(w, key);
    put(w, " = ");
    put(w, value);
    put(w, "\n");
}

static void put_whole(struct writer *w, const char *key, int64_t value) {
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, value);
    put_word(w, key, number);
}

static void put_real(struct writer *w, const char *key, double value) {
    char number[NUMBER_TEXT_BYTES];
    number_text_repr(value, number);
    put_word(w, key, number);
}

static void put_source(struct writer *w, const struct tune_source *source) {
    char number[NUMBER_TEXT_BYTES];
    number_text_repr(source->weight, number);
    put(w, "source = ");
    put(w, source->path);
    put(w, " weight=");
    put(w, number);
    put(w, "\n");
}

static void put_stage(struct writer *w, const struct tune_options *o) {
    put(w, "\n[stage " TUNE_STAGE "]\n");
    if (o->steps)
        put_whole(w, "steps", o->steps);
    else
        put_real(w, "epochs", o->epochs > 0 ? o->epochs : TUNE_EPOCHS);
    double usual = tune_rate(o->n_param) * (o->lora_rank ? TUNE_LORA_FACTOR : 1);
    put_real(w, "rate", o->rate > 0 ? o->rate : usual);
    put_word(w, "schedule", "wsd");
    if (o->warmup >= 0)
        put_whole(w, "warmup", o->warmup);
    else
        put_real(w, "warmup_share", TUNE_WARMUP);
}

static void put_all(struct writer *w, const struct tune_options *o) {
    int64_t seq_len = o->seq_len ? o->seq_len : o->n_ctx < TUNE_SEQ_LEN ? o->n_ctx : TUNE_SEQ_LEN;
    int64_t rows = o->rows ? o->rows : seq_len;
    if (!o->seq_len && rows < seq_len) seq_len = rows;
    put(w, "[run]\n");
    put_whole(w, "seed", (int64_t)o->seed);
    put(w, "\n[model]\n");
    put_word(w, "start", o->model);
    put_word(w, "dtype", o->dtype);
    put(w, "\n[data]\n");
    for (int i = 0; i < o->n_source; i++)
        put_source(w, &o->sources[i]);
    put_word(w, "mode", "whole");
    put_whole(w, "seq_len", seq_len);
    put_whole(w, "rows", rows);
    if (o->holdout > 0) put_real(w, "holdout", o->holdout);
    if (o->lora_rank) {
        put(w, "\n[lora]\n");
        put_whole(w, "rank", o->lora_rank);
        if (o->lora_alpha > 0) put_real(w, "alpha", o->lora_alpha);
        put_word(w, "roles", o->roles ? o->roles : "all");
        if (o->merge) put_word(w, "merge", "yes");
    }
    put_stage(w, o);
}

/* ---- the recipe ---- */

/* A comment's mark, a line's end or a space at an end would make another path of it. */
static enum jl_status check_paths(const struct tune_options *o, const struct recipe *recipe,
                                  struct jl_error *err) {
    const char *lost = strcmp(recipe->start, o->model) != 0 ? o->model : NULL;
    if (recipe->n_source != o->n_source) lost = o->sources[0].path;
    for (int i = 0; i < o->n_source && !lost; i++)
        if (strcmp(recipe->sources[i].path, o->sources[i].path) != 0) lost = o->sources[i].path;
    if (!lost) return JL_OK;
    return jl_fail(
        err, JL_ERR_USAGE,
        "%s: a recipe cannot hold this path: rename it without ' #', newlines and spaces "
        "at its end",
        lost);
}

enum jl_status tune_recipe(const struct tune_options *options, const char *path, struct recipe *out,
                           struct jl_error *err) {
    struct writer w = {.fits = true};
    *out = (struct recipe){0};
    put_all(&w, options);
    w.fits = w.fits && buffer_append(&w.text, "", 1);
    enum jl_status status = w.fits ? recipe_parse(w.text.data, path, out, err)
                                   : jl_fail(err, JL_ERR_MEMORY, "out of memory for a recipe");
    buffer_free(&w.text);
    if (status != JL_OK) return status;
    status = check_paths(options, out, err);
    if (status != JL_OK) recipe_free(out);
    return status;
}
