#include "train/eval/eval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "train/eval/self.h"

/* ---- prompts ---- */

enum jl_status eval_task_fail(const struct eval_work *work, int64_t task, enum jl_status status,
                              const char *what) {
    const struct eval_task *t = &work->tasks->tasks[task];
    return jl_fail(work->err, status, "%s, line %lld: %s", t->path, (long long)t->number, what);
}

static enum jl_status render(const struct eval_work *work, const struct eval_line *line,
                             struct chat_rendered *out, struct jl_error *err) {
    json_t *variables =
        json_pack("{s:O, s:b}", "messages", line->messages, "add_generation_prompt", 1);
    bool fits = variables && (!line->tools || !json_object_set(variables, "tools", line->tools));
    enum jl_status status = fits ? chat_form_render(work->model->form, variables, out, err)
                                 : jl_fail(err, JL_ERR_MEMORY, "out of memory for a prompt");
    json_decref(variables);
    return status;
}

enum jl_status eval_prompt_make(const struct eval_work *work, int64_t task,
                                struct eval_prompt *out) {
    const struct eval_line *line = &work->tasks->tasks[task].line;
    struct jl_error inner = {0};
    *out = (struct eval_prompt){.flags = ENCODE_ADD_BOS};
    if (!line->messages) {
        out->text = (struct tokenizer_text){.text = line->prompt, .len = line->n_prompt};
        return JL_OK;
    }
    if (!work->model->form->tmpl)
        return eval_task_fail(work, task, JL_ERR_UNSUPPORTED,
                              "the model has no chat template: it takes \"prompt\" only");
    enum jl_status status = render(work, line, &out->rendered, &inner);
    if (status != JL_OK) return eval_task_fail(work, task, status, inner.message);
    out->flags = ENCODE_SPECIAL;
    out->text = (struct tokenizer_text){out->rendered.text, out->rendered.len, out->rendered.user,
                                        out->rendered.n_user};
    return JL_OK;
}

void eval_prompt_free(struct eval_prompt *prompt) {
    chat_rendered_free(&prompt->rendered);
    *prompt = (struct eval_prompt){0};
}

enum jl_status eval_prompt_encode(const struct eval_work *work, const struct eval_prompt *prompt,
                                  struct token_ids *ids) {
    return tokenizer_encode_marked(work->model->tokenizer, &prompt->text, prompt->flags, ids, NULL,
                                   work->err);
}

static enum jl_status encode_task(struct eval_work *work, int64_t task) {
    const struct hparams *hp = &exec_model(work->model->exec)->hp;
    struct eval_result *result = &work->results[task];
    struct eval_prompt prompt;
    struct token_ids ids = {0};
    char what[120];
    JL_TRY(eval_prompt_make(work, task, &prompt));
    enum jl_status status = eval_prompt_encode(work, &prompt, &ids);
    if (prompt.rendered.text)
        result->start = dialect_prompt_end(work->model->form->dialect, prompt.rendered.text,
                                           prompt.rendered.len);
    eval_prompt_free(&prompt);
    if (status != JL_OK) return status;
    result->ids = ids.data;
    result->n_id = (int)ids.len;
    if (ids.len == 0)
        return eval_task_fail(work, task, JL_ERR_USAGE, "the prompt gives not one token");
    if (ids.len < (size_t)hp->n_ctx_train) return JL_OK;
    snprintf(what, sizeof what, "the prompt has %zu tokens; the model's context holds %d", ids.len,
             hp->n_ctx_train);
    return eval_task_fail(work, task, JL_ERR_LIMIT, what);
}

/* ---- all ---- */

enum jl_status eval_run(const struct eval_model *model, const struct eval_tasks *tasks,
                        const struct eval_options *options, struct eval_result *results,
                        struct eval_totals *totals, struct jl_error *err) {
    struct eval_work work = {model, tasks, options, results, totals, err};
    *totals = (struct eval_totals){0};
    for (int64_t i = 0; i < tasks->n; i++)
        JL_TRY(encode_task(&work, i));
    double began = clock_seconds();
    JL_TRY(eval_scores(&work));
    totals->score_seconds = clock_seconds() - began;
    began = clock_seconds();
    JL_TRY(eval_answers(&work));
    totals->answer_seconds = clock_seconds() - began;
    return JL_OK;
}

void eval_results_free(struct eval_result *results, int64_t n) {
    for (int64_t i = 0; results && i < n; i++) {
        for (int k = 0; results[i].answers && k < results[i].n_sample; k++) {
            free(results[i].answers[k].text);
            free(results[i].answers[k].thought);
            free(results[i].answers[k].ids);
            free(results[i].answers[k].logprobs);
        }
        free(results[i].answers);
        free(results[i].scores);
        free(results[i].ids);
    }
    free(results);
}

struct eval_interval eval_wilson(double right, int64_t n) {
    const double z = 1.959963984540054;
    if (n < 1) return (struct eval_interval){0, 1};
    double count = (double)n, p = right / count, scale = 1 / (1 + z * z / count);
    double middle = scale * (p + z * z / (2 * count));
    double half = scale * z * sqrt(p * (1 - p) / count + z * z / (4 * count * count));
    double low = middle - half, high = middle + half;
    return (struct eval_interval){p <= 0 || low < 0 ? 0 : low, p >= 1 || high > 1 ? 1 : high};
}
