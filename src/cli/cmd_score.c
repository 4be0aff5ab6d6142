/* score: the log-probability of each given token. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/engine.h"
#include "model/class.h"
#include "session/open_tokenizer.h"
#include "session/score_batch.h"

#define MAX_FILE_BYTES ((size_t)1 << 30)
#define LOGITS_BYTES ((size_t)128 << 20) // of one pass
#define MAX_PARALLEL 256

struct score_run {
    struct engine engine;
    struct tokenizer *tokenizer; // NULL until some text needs it
    struct score_text *texts;    // ids and tokens are heap arrays
    int64_t n, cap;
    struct state **states; // (n_parallel)
    int n_parallel;
    struct pool *pool;
    float *logits;
    struct cli_progress progress;
    bool json;
};

/* ---- what to score ---- */

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the texts");
}

/* Takes the ids. */
static enum jl_status add_text(struct score_run *run, int32_t *ids, size_t n, size_t first,
                               struct jl_error *err) {
    if (n > INT32_MAX / 2) {
        free(ids);
        return jl_fail(err, JL_ERR_LIMIT, "a text of %zu tokens", n);
    }
    if (run->n == run->cap) {
        int64_t cap = run->cap ? 2 * run->cap : 64;
        struct score_text *grown = realloc(run->texts, (size_t)cap * sizeof *grown);
        if (!grown) {
            free(ids);
            return no_memory(err);
        }
        run->texts = grown;
        run->cap = cap;
    }
    struct score_text *text = &run->texts[run->n++];
    *text = (struct score_text){ids, (int)n, (int)first, calloc(n + 1, sizeof *text->tokens)};
    return text->tokens ? JL_OK : no_memory(err);
}

static enum jl_status need_tokenizer(struct score_run *run, struct jl_error *err) {
    return run->tokenizer ? JL_OK : open_tokenizer(run->engine.model->file, &run->tokenizer, err);
}

static enum jl_status read_text(struct score_run *run, const char *path, struct jl_error *err) {
    char *text;
    size_t len, n;
    int32_t *ids;
    JL_TRY(need_tokenizer(run, err));
    JL_TRY(file_read(path, MAX_FILE_BYTES, &text, &len, err));
    enum jl_status status =
        tokenizer_encode(run->tokenizer, text, len, ENCODE_ADD_BOS, &ids, &n, err);
    free(text);
    if (status != JL_OK) return status;
    if (n < 1) {
        free(ids);
        return jl_fail(err, JL_ERR_USAGE, "%s gives not one token", path);
    }
    return add_text(run, ids, n, 1, err);
}

static enum jl_status read_prompts(struct score_run *run, const char *path, struct jl_error *err) {
    struct cli_prompts prompts;
    JL_TRY(cli_read_prompts(path, &prompts, err));
    enum jl_status status = JL_OK;
    for (int i = 0; i < prompts.n_prompt && status == JL_OK; i++) {
        status = add_text(run, prompts.ids[i], (size_t)prompts.n_id[i], 1, err);
        prompts.ids[i] = NULL;
    }
    cli_free_prompts(&prompts);
    return status;
}

/* ---- pairs ---- */

static enum jl_status bad_line(const char *path, size_t line, const char *what,
                               struct jl_error *err) {
    return jl_fail(err, JL_ERR_FORMAT, "%s, line %zu: %s", path, line, what);
}

static bool append_ids(const json_t *list, int32_t *out, size_t *n) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX) return false;
        out[(*n)++] = (int32_t)id;
    }
    return true;
}

/* Both as lists of ids: one behind the other. */
static enum jl_status add_id_pair(struct score_run *run, const json_t *prompt, const json_t *next,
                                  struct jl_error *err) {
    size_t n = 0, n_prompt = json_array_size(prompt);
    int32_t *ids = calloc(n_prompt + json_array_size(next) + 1, sizeof *ids);
    if (!ids) return no_memory(err);
    if (append_ids(prompt, ids, &n) && append_ids(next, ids, &n) && n_prompt > 0)
        return add_text(run, ids, n, n_prompt, err);
    free(ids);
    return jl_fail(err, JL_ERR_FORMAT, "\"prompt\" needs an id, and ids are whole numbers from 0");
}

/* Both as texts: they are encoded as one, and what differs from the prompt alone is scored, so that
 * the continuation has the tokens that a model would see. */
static enum jl_status add_text_pair(struct score_run *run, const json_t *prompt, const json_t *next,
                                    struct jl_error *err) {
    size_t n_prompt = json_string_length(prompt), n_next = json_string_length(next), n, n_bare;
    int32_t *ids = NULL, *bare = NULL;
    JL_TRY(need_tokenizer(run, err));
    char *whole = malloc(n_prompt + n_next + 1);
    if (!whole) return no_memory(err);
    memcpy(whole, json_string_value(prompt), n_prompt);
    memcpy(whole + n_prompt, json_string_value(next), n_next);
    enum jl_status status =
        tokenizer_encode(run->tokenizer, whole, n_prompt + n_next, ENCODE_ADD_BOS, &ids, &n, err);
    if (status == JL_OK)
        status =
            tokenizer_encode(run->tokenizer, whole, n_prompt, ENCODE_ADD_BOS, &bare, &n_bare, err);
    free(whole);
    size_t first = 0;
    while (status == JL_OK && first < n && first < n_bare && ids[first] == bare[first])
        first++;
    free(bare);
    if (status == JL_OK && first > 0) return add_text(run, ids, n, first, err);
    free(ids);
    if (status != JL_OK) return status;
    return jl_fail(err, JL_ERR_FORMAT,
                   "no token stands before the continuation: give a longer \"prompt\"");
}

static enum jl_status read_pair(struct score_run *run, const char *path, const char *text,
                                size_t line, struct jl_error *err) {
    json_error_t where;
    struct jl_error inner;
    json_t *pair;
    enum jl_status status = jl_json_load(text, strlen(text), JSON_REJECT_DUPLICATES, &pair, &where);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for %s", path);
    if (status != JL_OK) return bad_line(path, line, where.text, err);
    const json_t *prompt = json_object_get(pair, "prompt"),
                 *next = json_object_get(pair, "continuation");
    if (json_object_size(pair) != 2 || !prompt || !next)
        status = jl_fail(&inner, JL_ERR_FORMAT,
                         "it must be an object with \"prompt\" and \"continuation\" and no more");
    else if (json_is_string(prompt) && json_is_string(next))
        status = add_text_pair(run, prompt, next, &inner);
    else if (json_is_array(prompt) && json_is_array(next))
        status = add_id_pair(run, prompt, next, &inner);
    else
        status = jl_fail(&inner, JL_ERR_FORMAT,
                         "\"prompt\" and \"continuation\" are two texts or two lists of ids");
    json_decref(pair);
    return status == JL_OK ? JL_OK
                           : jl_fail(err, status, "%s, line %zu: %s", path, line, inner.message);
}

static enum jl_status read_pairs(struct score_run *run, const char *path, struct jl_error *err) {
    char *text, *at;
    size_t len, line = 1;
    JL_TRY(file_read(path, MAX_FILE_BYTES, &text, &len, err));
    enum jl_status status = JL_OK;
    if (memchr(text, 0, len)) status = bad_line(path, line, "the file has a NUL byte", err);
    for (at = text; status == JL_OK && *at; line++) {
        size_t size = strcspn(at, "\n");
        char *next = at + size + (at[size] == '\n');
        at[size] = 0;
        if (at[strspn(at, " \t\r")]) status = read_pair(run, path, at, line, err);
        at = next;
    }
    free(text);
    if (status == JL_OK && run->n == 0)
        return jl_fail(err, JL_ERR_FORMAT, "%s: there is no pair in it", path);
    return status;
}

/* ---- the passes ---- */

static enum jl_status prepare(struct score_run *run, struct jl_error *err) {
    if (run->n_parallel > run->n) run->n_parallel = (int)run->n;
    run->states = calloc((size_t)run->n_parallel, sizeof *run->states);
    if (!run->states) return no_memory(err);
    int longest = 1;
    for (int64_t i = 0; i < run->n; i++)
        longest = run->texts[i].n > longest ? run->texts[i].n : longest;
    JL_TRY(engine_start(&run->engine, ENGINE_CHUNK, err));
    JL_TRY(engine_pages(&run->engine, run->n_parallel, longest, err));
    for (int i = 0; i < run->n_parallel; i++)
        JL_TRY(state_create(run->engine.pool, &run->states[i], err));
    struct pool_options pool = {.n_threads = backend_threads(run->engine.backend)};
    return pool_create(&pool, &run->pool, err);
}

static void on_step(void *ctx, int64_t done, int64_t total) {
    cli_progress_step(ctx, "text", done, total);
}

static enum jl_status score_all(struct score_run *run, struct jl_error *err) {
    size_t row = (size_t)run->engine.model->hp.n_vocab * sizeof *run->logits,
           rows = LOGITS_BYTES / row;
    JL_TRY(prepare(run, err));
    rows = rows < 1 ? 1 : rows > ENGINE_CHUNK ? ENGINE_CHUNK : rows;
    run->logits = calloc(rows, row);
    if (!run->logits) return no_memory(err);
    struct score_batch batch = {.exec = run->engine.exec,
                                .states = run->states,
                                .n_state = run->n_parallel,
                                .logits = run->logits,
                                .n_row = (int)rows,
                                .pool = run->pool,
                                .step = on_step,
                                .ctx = &run->progress};
    cli_progress_start(&run->progress);
    enum jl_status status = score_texts(&batch, run->texts, run->n, err);
    cli_progress_end(&run->progress);
    return status;
}

static void release(struct score_run *run) {
    for (int64_t i = 0; i < run->n; i++) {
        free((void *)(uintptr_t)run->texts[i].ids);
        free(run->texts[i].tokens);
    }
    for (int i = 0; run->states && i < run->n_parallel; i++)
        state_free(run->states[i]);
    free(run->states);
    free(run->texts);
    free(run->logits);
    pool_free(run->pool);
    tokenizer_free(run->tokenizer);
    engine_free(&run->engine);
}

/* ---- the result ---- */

struct sum {
    double logprob;
    bool greedy; // each token is the likeliest
};

static struct sum add_up(const struct score_text *text) {
    struct sum sum = {0, true};
    for (int i = 0; i < text->n - text->first; i++) {
        sum.logprob += text->tokens[i].logprob;
        sum.greedy = sum.greedy && text->tokens[i].likeliest;
    }
    return sum;
}

static enum jl_status print_json(const struct score_text *text, const char *cls,
                                 struct jl_error *err) {
    struct sum sum = add_up(text);
    json_t *ids = json_array(), *logprobs = json_array();
    for (int i = text->first; i < text->n; i++) {
        json_array_append_new(ids, json_integer(text->ids[i]));
        json_array_append_new(logprobs, json_real(text->tokens[i - text->first].logprob));
    }
    json_t *line = json_pack("{s:i, s:i, s:f, s:b, s:o, s:o, s:s}", "tokens", text->n, "scored",
                             text->n - text->first, "logprob", sum.logprob, "greedy", sum.greedy,
                             "ids", ids, "logprobs", logprobs, "class", cls);
    if (!line) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the report");
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(line);
    return JL_OK;
}

static enum jl_status report(const struct score_run *run, struct jl_error *err) {
    char cls[CLASS_NAME_BYTES];
    class_name(&run->engine.model->cls, cls);
    for (int64_t i = 0; i < run->n; i++) {
        const struct score_text *text = &run->texts[i];
        struct sum sum = add_up(text);
        int n = text->n - text->first;
        if (run->json)
            JL_TRY(print_json(text, cls, err));
        else
            printf("%.6f  %d tokens, %.6f a token%s\n", sum.logprob, n, n ? sum.logprob / n : 0.0,
                   sum.greedy && n ? ", each the likeliest" : "");
    }
    return JL_OK;
}

int cmd_score(int argc, char **argv) {
    struct engine_options engine = {0};
    struct score_run run = {.n_parallel = 16};
    const char *args[2] = {NULL}, *tokens = NULL, *pairs = NULL;
    bool done;
    const struct cli_option options[] = {
        {"--tokens", "--ids", CLI_TEXT, &tokens, "FILE.json",
         "token ids in place of a text: a list, or {\"prompts\": [[..]]}", 0, 0},
        {"--pairs", NULL, CLI_TEXT, &pairs, "FILE.jsonl",
         "lines {\"prompt\": .., \"continuation\": ..}, texts or lists of ids", 0, 0},
        {"--parallel", NULL, CLI_INT, &run.n_parallel, "N", "texts in a pass (default 16)", 1,
         MAX_PARALLEL},
        {"--json", NULL, CLI_FLAG, &run.json, NULL, "a JSON object a text, with every token", 0, 0},
        ENGINE_OPTIONS(engine),
    };
    const struct cli_spec spec = {
        "score",
        "MODEL (FILE | --tokens FILE.json | --pairs FILE.jsonl) [options]",
        "log-probability of a text, of token ids, or of what follows a prompt",
        "jinlin score model.gguf --pairs questions.jsonl --json",
        options,
        sizeof options / sizeof options[0],
        1,
        2};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, args, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !!args[1] + !!tokens + !!pairs != 1)
        status = jl_fail(&err, JL_ERR_USAGE,
                         "give one of: a file of text, --tokens FILE.json, --pairs FILE.jsonl");
    if (status == JL_OK) status = engine_load(args[0], &engine, &run.engine, &err);
    if (status == JL_OK)
        status = args[1]  ? read_text(&run, args[1], &err)
                 : tokens ? read_prompts(&run, tokens, &err)
                          : read_pairs(&run, pairs, &err);
    if (status == JL_OK) status = score_all(&run, &err);
    if (status == JL_OK) status = report(&run, &err);
    release(&run);
    return cli_finish(&spec, status, &err);
}
