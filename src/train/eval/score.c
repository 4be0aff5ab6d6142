/* Choices and losses: texts behind prompts, scored by session/score_batch. */
#include <stdlib.h>
#include <string.h>

#include "session/memory_plan.h"
#include "session/score_batch.h"
#include "text/buffer.h"
#include "train/eval/self.h"

#define LOGITS_BYTES ((size_t)128 << 20) // of one pass

struct scoring {
    struct eval_work *work;
    struct score_text *texts; // (n); ids and tokens are heap arrays
    int64_t n;
    struct page_pool *pages;
    struct state **states; // (n_state)
    int n_state;
    float *logits;
};

static enum jl_status no_memory(const struct scoring *s) {
    return jl_fail(s->work->err, JL_ERR_MEMORY, "out of memory for scores");
}

/* ---- texts ---- */

/* The prompt and the text behind it are encoded as one, and what differs from the prompt's own
 * tokens is scored: so the text has the tokens that a model would see. */
static enum jl_status encode_behind(const struct scoring *s, const struct eval_prompt *prompt,
                                    const struct pattern_text *text, struct token_ids *out) {
    struct byte_buffer all = {0};
    size_t n_user = prompt->text.n_user;
    struct text_span *user = calloc(n_user + 1, sizeof *user);
    bool fits = user && buffer_append(&all, prompt->text.text, prompt->text.len) &&
                buffer_append(&all, text->text, text->len);
    enum jl_status status = fits ? JL_OK : no_memory(s);
    if (status == JL_OK) {
        if (n_user) memcpy(user, prompt->text.user, n_user * sizeof *user);
        user[n_user] = (struct text_span){prompt->text.len, all.len};
        const struct tokenizer_text whole = {all.data, all.len, user, n_user + 1};
        status = tokenizer_encode_marked(s->work->model->tokenizer, &whole, prompt->flags, out,
                                         NULL, s->work->err);
    }
    free(user);
    buffer_free(&all);
    return status;
}

static enum jl_status add_text(struct scoring *s, int64_t task, const struct eval_prompt *prompt,
                               const struct pattern_text *text) {
    const struct eval_result *result = &s->work->results[task];
    struct token_ids ids = {0};
    JL_TRY(encode_behind(s, prompt, text, &ids));
    struct score_text *out = &s->texts[s->n++];
    size_t first = 0;
    while (first < ids.len && first < (size_t)result->n_id && ids.data[first] == result->ids[first])
        first++;
    *out = (struct score_text){ids.data, (int)ids.len, (int)first,
                               calloc(ids.len + 1, sizeof *out->tokens)};
    if (!out->tokens) return no_memory(s);
    if (first == 0 || first == ids.len)
        return eval_task_fail(s->work, task, JL_ERR_FORMAT,
                              first ? "a text to score adds no token to the prompt"
                                    : "no token stands before the text to score: the prompt is too "
                                      "short");
    if (ids.len - 1 <= (size_t)exec_model(s->work->model->exec)->hp.n_ctx_train) return JL_OK;
    return eval_task_fail(s->work, task, JL_ERR_LIMIT,
                          "the prompt and the text to score are longer than the model's context");
}

static int n_text(const struct eval_line *line) {
    return line->kind == EVAL_CHOICE ? line->n_choice : line->kind == EVAL_LOSS ? 1 : 0;
}

static enum jl_status add_task(struct scoring *s, int64_t task) {
    const struct eval_line *line = &s->work->tasks->tasks[task].line;
    const struct pattern_text expect = {line->expect.text, line->expect.len};
    struct eval_prompt prompt;
    int n = n_text(line);
    if (!n) return JL_OK;
    s->work->results[task].scores = calloc((size_t)n, sizeof(struct eval_score));
    if (!s->work->results[task].scores) return no_memory(s);
    JL_TRY(eval_prompt_make(s->work, task, &prompt));
    enum jl_status status = JL_OK;
    for (int i = 0; i < n && status == JL_OK; i++)
        status = add_text(s, task, &prompt, line->kind == EVAL_LOSS ? &expect : &line->choices[i]);
    eval_prompt_free(&prompt);
    return status;
}

/* ---- the passes ---- */

static int longest(const struct scoring *s) {
    int most = 1;
    for (int64_t i = 0; i < s->n; i++)
        most = s->texts[i].n > most ? s->texts[i].n : most;
    return most;
}

/* As many texts at once as were asked for and fit. */
static enum jl_status make_states(struct scoring *s) {
    const struct eval_model *m = s->work->model;
    struct jl_error *err = s->work->err;
    int rows = exec_max_rows(m->exec), n = s->work->options->n_parallel, n_pos = longest(s);
    struct memory_plan plan;
    enum jl_status status;
    if (n > rows) n = rows;
    if (n > s->n) n = (int)s->n;
    if (n_pos > exec_model(m->exec)->hp.n_ctx_train) n_pos = exec_model(m->exec)->hp.n_ctx_train;
    for (;; n = (n + 1) / 2) {
        const struct memory_request request = {.n_seq = n,
                                               .n_ctx = n_pos,
                                               .n_batch = rows,
                                               .draft = DRAFT_NONE,
                                               .limit = s->work->options->limit};
        status = memory_plan_make(exec_model(m->exec), m->backend, &request, &plan, err);
        if (status != JL_ERR_LIMIT || n == 1) break;
    }
    JL_TRY(status);
    const struct page_counts counts = page_counts_for(exec_model(m->exec), n, n_pos);
    JL_TRY(page_pool_create(exec_model(m->exec), m->backend, &counts, &s->pages, err));
    s->states = calloc((size_t)n, sizeof *s->states);
    if (!s->states) return no_memory(s);
    for (s->n_state = 0; s->n_state < n; s->n_state++)
        JL_TRY(state_create(s->pages, &s->states[s->n_state], err));
    return JL_OK;
}

static void on_step(void *ctx, int64_t done, int64_t total) {
    const struct eval_options *o = ((const struct scoring *)ctx)->work->options;
    if (o->step) o->step(o->ctx, "scoring: text", done, total);
}

static enum jl_status pass_all(struct scoring *s) {
    const struct eval_model *m = s->work->model;
    size_t row = (size_t)exec_model(m->exec)->hp.n_vocab * sizeof *s->logits;
    size_t rows = LOGITS_BYTES / row, most = (size_t)exec_max_rows(m->exec);
    rows = rows < 1 ? 1 : rows > most ? most : rows;
    JL_TRY(make_states(s));
    s->logits = calloc(rows, row);
    if (!s->logits) return no_memory(s);
    const struct score_batch batch = {.exec = m->exec,
                                      .states = s->states,
                                      .n_state = s->n_state,
                                      .logits = s->logits,
                                      .n_row = (int)rows,
                                      .pool = m->pool,
                                      .step = on_step,
                                      .ctx = s,
                                      .cancel = s->work->options->cancel};
    return score_texts(&batch, s->texts, s->n, s->work->err);
}

/* ---- what came of it ---- */

static double worth(const struct eval_line *line, const struct eval_score *score, int choice) {
    return line->per_byte ? score->logprob / (double)line->choices[choice].len : score->logprob;
}

static void judge(struct scoring *s) {
    const struct score_text *text = s->texts;
    for (int64_t task = 0; task < s->work->tasks->n; task++) {
        const struct eval_line *line = &s->work->tasks->tasks[task].line;
        struct eval_result *result = &s->work->results[task];
        for (int i = 0; i < n_text(line); i++, text++) {
            struct eval_score *score = &result->scores[i];
            score->n_token = text->n - text->first;
            for (int k = 0; k < score->n_token; k++)
                score->logprob += text->tokens[k].logprob;
            s->work->totals->n_scored += score->n_token;
            if (worth(line, score, i) >
                worth(line, &result->scores[result->chosen], result->chosen))
                result->chosen = i; // the first among equals
        }
        if (line->kind != EVAL_CHOICE) continue;
        result->n_sample = 1;
        result->n_right = result->chosen == line->right;
    }
}

static void release(struct scoring *s) {
    for (int64_t i = 0; i < s->n; i++) {
        free((void *)(uintptr_t)s->texts[i].ids);
        free(s->texts[i].tokens);
    }
    for (int i = 0; i < s->n_state; i++)
        state_free(s->states[i]);
    free(s->states);
    free(s->texts);
    free(s->logits);
    page_pool_free(s->pages);
}

enum jl_status eval_scores(struct eval_work *work) {
    struct scoring s = {.work = work};
    int64_t n = 0;
    for (int64_t i = 0; i < work->tasks->n; i++)
        n += n_text(&work->tasks->tasks[i].line);
    if (n == 0) return JL_OK;
    s.texts = calloc((size_t)n, sizeof *s.texts);
    enum jl_status status = s.texts ? JL_OK : no_memory(&s);
    for (int64_t i = 0; i < work->tasks->n && status == JL_OK; i++)
        status = add_task(&s, i);
    if (status == JL_OK) status = pass_all(&s);
    if (status == JL_OK) judge(&s);
    release(&s);
    return status;
}
