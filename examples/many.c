/* Several answers to one prompt, drawn together: the prompt is read once and its cached state is
 * shared; each pass then moves all of them one token on.
 *
 *     many MODEL TEXT [ANSWERS [TOKENS]] */
#include <jinlin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

struct answers {
    jl_model *model;
    jl_engine *engine;
    int n;
    jl_session *sessions[MOST];
    jl_sampler *samplers[MOST];
    bool over[MOST];
};

static enum jl_status begin(struct answers *all, const char *text, struct jl_error *err) {
    struct jl_sample_params params = jl_sample_params_default();
    int32_t *ids = NULL, n = 0;
    params.temperature = 1;
    enum jl_status status = jl_encode(all->model, text, strlen(text), JL_ENCODE_BOS, &ids, &n, err);
    if (status == JL_OK) status = jl_session_create(all->engine, &all->sessions[0], err);
    if (status == JL_OK) status = jl_session_sync(all->sessions[0], ids, n, NULL, NULL, err);
    for (int i = 1; i < all->n && status == JL_OK; i++)
        status = jl_session_fork(all->sessions[0], &all->sessions[i], err);
    for (int i = 0; i < all->n && status == JL_OK; i++) {
        status = jl_sampler_create(all->model, &params, 1, (uint32_t)i, &all->samplers[i], err);
        if (status == JL_OK) status = jl_sampler_prompt(all->samplers[i], ids, n, err);
    }
    jl_free(ids);
    return status;
}

/* One token more for each that is not over, in one pass. */
static enum jl_status step(struct answers *all, struct jl_error *err) {
    jl_session *list[MOST];
    int n = 0;
    for (int i = 0; i < all->n; i++) {
        int32_t id;
        if (all->over[i]) continue;
        enum jl_status status =
            jl_sampler_choose(all->samplers[i], jl_session_logits(all->sessions[i]), &id, err);
        if (status != JL_OK) return status;
        all->over[i] = jl_is_end(all->model, id);
        if (all->over[i]) continue;
        status = jl_sampler_accept(all->samplers[i], id, err);
        if (status == JL_OK) status = jl_session_add(all->sessions[i], &id, 1, err);
        if (status != JL_OK) return status;
        list[n++] = all->sessions[i];
    }
    return n ? jl_engine_forward(all->engine, list, n, NULL, err) : JL_OK;
}

static enum jl_status print(const struct answers *all, int i, struct jl_error *err) {
    jl_decoder *decoder;
    const char *text;
    size_t len;
    const int32_t *ids = jl_session_ids(all->sessions[i]);
    enum jl_status status = jl_decoder_create(all->model, &decoder, err);
    printf("%d: ", i);
    for (int k = 0; k < jl_session_n_token(all->sessions[i]) && status == JL_OK; k++) {
        status = jl_decode(decoder, ids[k], &text, &len, err);
        if (status == JL_OK) fwrite(text, 1, len, stdout);
    }
    putchar('\n');
    jl_decoder_free(decoder);
    return status;
}

int main(int argc, char **argv) {
    struct answers all = {.n = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 4};
    struct jl_error err = {0};
    int n_token = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 16;
    if (argc < 3 || all.n < 1 || all.n > MOST) {
        fprintf(stderr, "usage: many MODEL TEXT [ANSWERS [TOKENS]]\n");
        return 2;
    }
    struct jl_engine_options options = {.n_seq = all.n, .n_ctx = 512};
    enum jl_status status = jl_model_open(argv[1], NULL, &all.model, &err);
    if (status == JL_OK && options.n_ctx > jl_model_info(all.model).n_ctx)
        options.n_ctx = jl_model_info(all.model).n_ctx;
    if (status == JL_OK) status = jl_engine_create(all.model, &options, &all.engine, &err);
    if (status == JL_OK) status = begin(&all, argv[2], &err);
    for (int i = 0; i < n_token && status == JL_OK; i++)
        status = step(&all, &err);
    for (int i = 0; i < all.n && status == JL_OK; i++)
        status = print(&all, i, &err);
    if (status != JL_OK) fprintf(stderr, "many: %s\n", err.message);
    for (int i = 0; i < all.n; i++) {
        jl_sampler_free(all.samplers[i]);
        jl_session_free(all.sessions[i]);
    }
    jl_engine_free(all.engine);
    jl_model_free(all.model);
    return status == JL_OK ? 0 : 1;
}
