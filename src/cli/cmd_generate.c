/* generate: continuation of token ids, as token ids. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/arena.h"
#include "cli/engine.h"
#include "cli/sampling.h"
#include "model/class.h"
#include "session/generate.h"
#include "session/open_tokenizer.h"

#define MAX_LOGPROBS 1000

struct chosen {
    double logprob;
    struct sample_logprob *top; // (n_top) of the run
};

struct generate_run {
    struct engine engine;
    struct cli_prompts prompts;
    struct session_set *sessions;
    struct session *session;
    int32_t *ids; // (n), the first n_id
    int n_id;
    struct sampling_options options;
    struct draft_options draft;
    struct sampling sampling;
    struct tokenizer *tokenizer; // NULL unless something looks at the text
    struct sampler *sampler;
    struct sample_scratch *scratch;
    struct cli_list stop_id_texts;
    struct end_tokens ends; // what --stop-id says
    int prompt, n, chunk;
    int n_top;                   // -1: no log-probabilities
    struct chosen *steps;        // (n)
    struct sample_logprob *tops; // (n, n_top)
    bool json;
    struct generate_result result;
};

/* ---- options ---- */

static enum jl_status read_stop_ids(struct generate_run *run, struct jl_error *err) {
    for (int i = 0; i < run->stop_id_texts.n; i++) {
        const char *text = run->stop_id_texts.items[i];
        char *end;
        errno = 0;
        long id = strtol(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno || id > INT32_MAX)
            return jl_fail(err, JL_ERR_USAGE, "option --stop-id takes a token id, not '%s'", text);
        end_tokens_add(&run->ends, id, INT32_MAX);
    }
    return JL_OK;
}

static enum jl_status check_options(struct generate_run *run, const char *tokens,
                                    struct jl_error *err) {
    if (!tokens) return jl_fail(err, JL_ERR_USAGE, "--tokens FILE.json is required");
    if (run->n_top >= 0 && !run->json)
        return jl_fail(err, JL_ERR_USAGE, "--logprobs goes with --json");
    JL_TRY(sampling_check(&run->options, err));
    JL_TRY(engine_draft_check(&run->draft, err));
    if (run->draft.n > 0 && !run->draft.kind)
        return jl_fail(err, JL_ERR_USAGE,
                       "--draft-max goes with --draft: this command drafts only when told to, so "
                       "say --draft auto, lookup or mtp, too");
    JL_TRY(read_stop_ids(run, err));
    JL_TRY(cli_read_prompts(tokens, &run->prompts, err));
    if (run->prompt < run->prompts.n_prompt) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "--prompt %d: %s holds %d prompts, numbered from 0",
                   run->prompt, tokens, run->prompts.n_prompt);
}

/* ---- the run ---- */

static enum jl_status open_text(struct generate_run *run, struct jl_error *err) {
    const struct sample_params *params = &run->sampling.params;
    bool breakers =
        params->dry_multiplier > 0 && !(params->dry_breakers && params->n_dry_breaker == 0);
    if (!breakers && run->sampling.n_stop == 0) return JL_OK;
    return open_tokenizer(run->engine.model->file, &run->tokenizer, err);
}

static enum jl_status allocate(struct generate_run *run, struct jl_error *err) {
    int32_t n_vocab = run->engine.model->hp.n_vocab;
    size_t n = (size_t)run->n, n_top, n_tops;
    if (run->n_top > n_vocab) run->n_top = n_vocab;
    n_top = run->n_top > 0 ? (size_t)run->n_top : 1;
    run->ids = calloc(n, sizeof *run->ids);
    run->steps = calloc(n, sizeof *run->steps);
    if (!size_mul(n, n_top, &n_tops)) n_tops = SIZE_MAX / sizeof *run->tops;
    run->tops = calloc(run->n_top > 0 ? n_tops : 1, sizeof *run->tops);
    if (!run->ids || !run->steps || !run->tops)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d ids", run->n);
    for (size_t i = 0; i < n; i++)
        run->steps[i].top = run->tops + (run->n_top > 0 ? i * n_top : 0);
    return sample_scratch_create(n_vocab, &run->scratch, err);
}

static enum jl_status open_sampler(struct generate_run *run, struct jl_error *err) {
    int n_prompt = run->prompts.n_id[run->prompt];
    struct sampler_spec spec = {.params = &run->sampling.params,
                                .tokenizer = run->tokenizer,
                                .n_vocab = run->engine.model->hp.n_vocab,
                                .n_max = n_prompt + run->n,
                                .seed = run->sampling.seed};
    JL_TRY(sampler_create(&spec, &run->sampler, err));
    return sampler_prompt(run->sampler, run->prompts.ids[run->prompt], n_prompt, err);
}

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct generate_run *run = ctx;
    (void)text;
    (void)len;
    (void)go_on;
    (void)err;
    if (id == TOKEN_NONE) return JL_OK;
    struct chosen *step = &run->steps[run->n_id];
    if (run->n_top >= 0)
        step->logprob =
            sample_logprobs(session_logits(run->session), run->scratch, id, run->n_top, step->top);
    run->ids[run->n_id++] = id;
    return JL_OK;
}

static enum jl_status open_session(struct generate_run *run, int n_prompt, struct jl_error *err) {
    int chunk = run->chunk == 0 || run->chunk > n_prompt ? n_prompt : run->chunk;
    struct memory_plan plan;
    if (run->draft.kind && chunk <= DRAFT_MAX) chunk = DRAFT_MAX + 1; // drafts want rows, too
    JL_TRY(engine_start(&run->engine, chunk, err));
    // Refuse before the work, not after: the last token is not read.
    JL_TRY(engine_plan(&run->engine, 1, n_prompt + run->n - 1, run->draft.kind ? &run->draft : NULL,
                       &plan, err));
    JL_TRY(session_set_create(run->engine.exec, &plan.sessions, &run->sessions, err));
    return session_create(run->sessions, &run->session, err);
}

static enum jl_status continue_prompt(struct generate_run *run, struct jl_error *err) {
    const struct model *model = run->engine.model;
    const int32_t *prompt = run->prompts.ids[run->prompt];
    int n_prompt = run->prompts.n_id[run->prompt], reused;
    JL_TRY(sampling_choose(&run->options, model->file, model->hp.n_vocab, &run->sampling, err));
    JL_TRY(open_text(run, err));
    JL_TRY(allocate(run, err));
    JL_TRY(open_session(run, n_prompt, err));
    JL_TRY(open_sampler(run, err));
    JL_TRY(session_sync(run->session, prompt, n_prompt, NULL, &reused, err));
    const struct generate_request request = {.session = run->session,
                                             .sampler = run->sampler,
                                             .scratch = run->scratch,
                                             .ends = &run->ends,
                                             .tokenizer =
                                                 run->sampling.n_stop ? run->tokenizer : NULL,
                                             .stop = run->sampling.stop,
                                             .n_stop = run->sampling.n_stop,
                                             .n = run->n,
                                             .sink = {.token = on_token, .ctx = run}};
    return generate_answer(&request, &run->result, err);
}

static void release(struct generate_run *run) {
    session_free(run->session);
    session_set_free(run->sessions);
    sampler_free(run->sampler);
    sample_scratch_free(run->scratch);
    tokenizer_free(run->tokenizer);
    sampling_free(&run->sampling);
    free(run->ids);
    free(run->steps);
    free(run->tops);
    cli_free_prompts(&run->prompts);
    engine_free(&run->engine);
}

/* ---- the result ---- */

static json_t *describe_logprobs(const struct generate_run *run) {
    json_t *all = json_array();
    for (int i = 0; i < run->n_id; i++) {
        json_t *top = json_array();
        for (int k = 0; k < run->n_top; k++)
            json_array_append_new(top, json_pack("{s:i, s:f}", "id", run->steps[i].top[k].id,
                                                 "logprob", run->steps[i].top[k].logprob));
        json_array_append_new(all, json_pack("{s:i, s:f, s:o}", "id", run->ids[i], "logprob",
                                             run->steps[i].logprob, "top", top));
    }
    return all;
}

static enum jl_status report_json(const struct generate_run *run, struct jl_error *err) {
    char cls[CLASS_NAME_BYTES], settings[400];
    json_t *ids = json_array();
    class_name(&run->engine.model->cls, cls);
    sample_params_describe(&run->sampling.params, settings, sizeof settings);
    for (int i = 0; i < run->n_id; i++)
        json_array_append_new(ids, json_integer(run->ids[i]));
    json_t *all = json_pack("{s:i, s:o, s:s, s:s, s:s}", "prompt", run->prompt, "ids", ids,
                            "finish", run->result.finish == GENERATE_LENGTH ? "length" : "stop",
                            "sampling", settings, "class", cls);
    if (!all) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the report");
    if (run->sampling.params.temperature > 0) {
        char seed[24]; // JSON's whole numbers end at 2^63
        snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->sampling.seed);
        json_object_set_new(all, "seed", json_string(seed));
    }
    if (run->draft.kind)
        json_object_set_new(all, "draft",
                            json_pack("{s:i, s:i, s:i}", "passes", run->result.speculation.n_pass,
                                      "drafted", run->result.speculation.n_drafted, "accepted",
                                      run->result.speculation.n_accepted));
    if (run->n_top >= 0) json_object_set_new(all, "logprobs", describe_logprobs(run));
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(all);
    return JL_OK;
}

static enum jl_status report(const struct generate_run *run, struct jl_error *err) {
    if (run->json) return report_json(run, err);
    putchar('[');
    for (int i = 0; i < run->n_id; i++)
        printf("%s%d", i ? ", " : "", run->ids[i]);
    printf("]\n");
    return JL_OK;
}

int cmd_generate(int argc, char **argv) {
    struct engine_options engine = {0};
    struct generate_run run = {.n = 16, .n_top = -1};
    const char *model, *tokens = NULL;
    bool done;
    const struct cli_option options[] = {
        {"--tokens", NULL, CLI_TEXT, &tokens, "FILE.json",
         "a list of ids, or {\"prompts\": [[..]]}", 0, 0},
        {"--prompt", NULL, CLI_INT, &run.prompt, "I", "which prompt of the file (default 0)", 0,
         1 << 20},
        {"--n", "-n", CLI_INT, &run.n, "N", "at most N ids (default 16)", 1, 1 << 24},
        {"--stop-id", NULL, CLI_LIST, &run.stop_id_texts, "ID", "ends before this id; repeatable",
         0, 0},
        {"--chunk", NULL, CLI_INT, &run.chunk, "N", "prompt tokens a pass (default: all)", 0,
         1 << 30},
        {"--logprobs", NULL, CLI_INT, &run.n_top, "N",
         "with --json: log-probabilities, also of the N likeliest", 0, MAX_LOGPROBS},
        {"--json", NULL, CLI_FLAG, &run.json, NULL, "as one JSON object", 0, 0},
        SAMPLING_OPTIONS(run.options) DRAFT_OPTIONS(run.draft),
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {
        "generate",
        "MODEL --tokens FILE.json [-n N] [options]",
        "continue token ids; prints a JSON list and does not stop at an end token",
        "jinlin generate model.gguf --tokens tokens.json -n 16 --greedy",
        options,
        sizeof options / sizeof options[0],
        1,
        1,
        true};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &model, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = check_options(&run, tokens, &err);
    if (status == JL_OK) status = engine_load(model, &engine, &run.engine, &err);
    if (status == JL_OK) status = continue_prompt(&run, &err);
    if (status == JL_OK) status = report(&run, &err);
    release(&run);
    return cli_finish(&spec, status, &err);
}
