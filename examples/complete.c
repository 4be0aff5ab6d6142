/* The shortest whole program: a text, continued by the likeliest tokens.
 *
 *     complete MODEL TEXT [TOKENS] */
#include <jinlin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print(void *ctx, int32_t id, const char *text, size_t len) {
    (void)ctx;
    (void)id;
    return fwrite(text, 1, len, stdout) == len;
}

int main(int argc, char **argv) {
    jl_model *model = NULL;
    jl_engine *engine = NULL;
    jl_session *session = NULL;
    jl_sampler *sampler = NULL;
    struct jl_generate_options options = {.max_tokens = 32, .on_text = print};
    struct jl_answer answer;
    struct jl_error err = {0};
    int32_t *ids = NULL, n = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: complete MODEL TEXT [TOKENS]\n");
        return 2;
    }
    if (argc > 3) options.max_tokens = (int32_t)strtol(argv[3], NULL, 10);
    enum jl_status status = jl_model_open(argv[1], NULL, &model, &err);
    if (status == JL_OK) status = jl_engine_create(model, NULL, &engine, &err);
    if (status == JL_OK) status = jl_session_create(engine, &session, &err);
    if (status == JL_OK) status = jl_sampler_create(model, NULL, 0, 0, &sampler, &err);
    if (status == JL_OK)
        status = jl_encode(model, argv[2], strlen(argv[2]), JL_ENCODE_BOS, &ids, &n, &err);
    if (status == JL_OK) status = jl_session_sync(session, ids, n, NULL, NULL, &err);
    if (status == JL_OK) status = jl_sampler_prompt(sampler, ids, n, &err);
    if (status == JL_OK) status = jl_generate(session, sampler, &options, &answer, &err);
    if (status == JL_OK)
        putchar('\n');
    else
        fprintf(stderr, "complete: %s\n", err.message);
    jl_free(ids);
    jl_sampler_free(sampler);
    jl_session_free(session);
    jl_engine_free(engine);
    jl_model_free(model);
    return status == JL_OK ? 0 : 1;
}
