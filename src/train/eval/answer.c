/* Answers: every place of a pass takes the next task when its own has been answered. Several
 * answers to one task begin as forks of a session that has read the prompt once: its stem. */
#include <stdlib.h>
#include <string.h>

#include "session/memory_plan.h"
#include "text/buffer.h"
#include "text/stop_filter.h"
#include "train/eval/self.h"

#define PREFIX_BYTES ((size_t)256 << 20) // of what prompts have in common, kept between them

/* One answer that is being given. */
struct place {
    struct session *session;
    int64_t task; // -1: none
    int sample;
    struct sampler *sampler;
    struct token_stream stream;
    struct stop_filter *stop;
    struct dialect_stream *dialect; // NULL: all text is the answer's
    char *piece;                    // text of the last token
    size_t n_piece, cap_piece;
    struct byte_buffer text, thought;
    // What became of the token that was chosen last.
    int32_t next; // goes into the session unless it `ended`
    bool ended;
    enum generate_finish finish;
    enum jl_status status;
    struct jl_error err;
};

/* The prompt of a task that has several answers. */
struct stem {
    struct session *session; // NULL: never used yet
    int64_t task;            // -1: none
    int next_sample;
    bool read;
};

struct answering {
    struct eval_work *work;
    struct session_set *sessions;
    struct sample_scratch **scratch; // (n_scratch): one a thread
    int n_scratch;
    struct place **advancing;       // (n_place): those that get a token
    struct place *places;           // (n_place)
    struct stem *stems;             // (n_stem), where tasks have several answers
    struct session **list;          // (n_place + n_stem): those of a pass
    int n_place, n_stem, n_context; // n_context: the model's
    int64_t next_task, n_answer, done;
};

static enum jl_status no_memory(const struct answering *a) {
    return jl_fail(a->work->err, JL_ERR_MEMORY, "out of memory for answers");
}

static const struct eval_line *line_of(const struct answering *a, int64_t task) {
    return &a->work->tasks->tasks[task].line;
}

/* ---- beginning ---- */

/* What tasks draw is independent, and the same whichever others there are; a task that stands twice
 * in the list draws anew. */
static uint64_t seed_of(const struct answering *a, int64_t task) {
    uint64_t sum = 0xcbf29ce484222325u; // FNV-1a
    for (const char *c = a->work->tasks->tasks[task].id; *c; c++)
        sum = (sum ^ (unsigned char)*c) * 0x100000001b3u;
    sum += (uint64_t)a->work->tasks->tasks[task].again * 0x9e3779b97f4a7c15u;
    return a->work->options->seed + sum;
}

static enum jl_status open_sampler(struct answering *a, struct place *p) {
    const struct eval_result *result = &a->work->results[p->task];
    const struct sampler_spec spec = {
        .params = a->work->options->params,
        .tokenizer = a->work->model->tokenizer,
        .n_vocab = tokenizer_vocab_size(a->work->model->tokenizer),
        .n_max = result->n_id + line_of(a, p->task)->max_tokens + 1,
        .seed = seed_of(a, p->task),
        .sequence = (uint32_t)p->sample,
    };
    JL_TRY(sampler_create(&spec, &p->sampler, a->work->err));
    return sampler_prompt(p->sampler, result->ids, result->n_id, a->work->err);
}

static enum jl_status open_text(struct answering *a, struct place *p) {
    const struct eval_line *line = line_of(a, p->task);
    const struct dialect *dialect = line->messages ? a->work->model->form->dialect : NULL;
    struct dialect_options options = dialect_options_default();
    token_stream_init(&p->stream, a->work->model->tokenizer, line->messages != NULL);
    JL_TRY(stop_filter_new(line->stop, (size_t)line->n_stop, &p->stop, a->work->err));
    if (!dialect) return JL_OK;
    options.start = a->work->results[p->task].start;
    options.ignore_calls = true;
    return dialect_stream_new(dialect, &options, &p->dialect, a->work->err);
}

/* The next task that is answered; false: there is none. */
static bool take_task(struct answering *a, int64_t *task) {
    const struct eval_tasks *tasks = a->work->tasks;
    while (a->next_task < tasks->n && line_of(a, a->next_task)->kind != EVAL_ANSWER)
        a->next_task++;
    *task = a->next_task;
    return a->next_task < tasks->n && ++a->next_task;
}

static enum jl_status read_prompt(struct answering *a, struct session *session, int64_t task) {
    struct eval_result *result = &a->work->results[task];
    int reused;
    JL_TRY(session_aim(session, result->ids, result->n_id, &reused, a->work->err));
    a->work->totals->n_prompt += result->n_id;
    a->work->totals->n_reused += reused;
    return JL_OK;
}

static enum jl_status open_record(struct answering *a, struct place *p) {
    struct eval_answer *answer = &a->work->results[p->task].answers[p->sample];
    size_t most = (size_t)line_of(a, p->task)->max_tokens + 1;
    if (!a->work->options->record) return JL_OK;
    answer->ids = malloc(most * sizeof *answer->ids);
    answer->logprobs = malloc(most * sizeof *answer->logprobs);
    return answer->ids && answer->logprobs ? JL_OK : no_memory(a);
}

static enum jl_status begin(struct answering *a, struct place *p, int64_t task, int sample) {
    p->task = task;
    p->sample = sample;
    JL_TRY(open_sampler(a, p));
    JL_TRY(open_record(a, p));
    return open_text(a, p);
}

/* ---- text: on any thread, and nothing but the place changes, its error too ---- */

static enum jl_status no_text(struct place *p) {
    return jl_fail(&p->err, JL_ERR_MEMORY, "out of memory for the text of an answer");
}

static enum jl_status take_events(struct place *p) {
    struct dialect_event event;
    while (dialect_stream_next(p->dialect, &event)) {
        struct byte_buffer *to = event.kind == DIALECT_CONTENT     ? &p->text
                                 : event.kind == DIALECT_REASONING ? &p->thought
                                                                   : NULL;
        if (to && !buffer_append(to, event.text, event.len)) return no_text(p);
    }
    return JL_OK;
}

/* What can be no part of a stop string. */
static enum jl_status take_text(struct place *p, const char *text, size_t len) {
    if (!p->dialect) return buffer_append(&p->text, text, len) ? JL_OK : no_text(p);
    JL_TRY(dialect_stream_push(p->dialect, text, len, &p->err));
    return take_events(p);
}

static enum jl_status filter(struct place *p) {
    const char *text = p->piece ? p->piece : "";
    size_t len;
    JL_TRY(stop_filter_push(p->stop, text, p->n_piece, &text, &len, &p->err));
    return take_text(p, text, len);
}

/* A control token gives text where it is a mark of the dialect. */
static enum jl_status is_shown(const struct answering *a, struct place *p, int32_t id, bool *out) {
    struct token_stream alone;
    *out = false;
    if (!p->dialect || !tokenizer_is_control(a->work->model->tokenizer, id)) return JL_OK;
    token_stream_init(&alone, a->work->model->tokenizer, false);
    alone.show_control = true;
    p->n_piece = 0;
    JL_TRY(token_stream_push(&alone, id, &p->piece, &p->n_piece, &p->cap_piece, &p->err));
    *out = p->n_piece && dialect_is_mark(a->work->model->form->dialect, p->piece, p->n_piece);
    return JL_OK;
}

static enum jl_status take_token(const struct answering *a, struct place *p, int32_t id) {
    JL_TRY(is_shown(a, p, id, &p->stream.show_control));
    p->n_piece = 0;
    JL_TRY(token_stream_push(&p->stream, id, &p->piece, &p->n_piece, &p->cap_piece, &p->err));
    return filter(p);
}

static enum jl_status flush(struct place *p) {
    const char *text;
    size_t len;
    p->n_piece = 0;
    JL_TRY(token_stream_end(&p->stream, &p->piece, &p->n_piece, &p->cap_piece, &p->err));
    JL_TRY(filter(p));
    JL_TRY(stop_filter_end(p->stop, &text, &len, &p->err));
    JL_TRY(take_text(p, text, len));
    if (!p->dialect) return JL_OK;
    JL_TRY(dialect_stream_end(p->dialect, &p->err));
    return take_events(p);
}

/* Takes a token that was chosen; the answer may end with it. */
static enum jl_status take(const struct answering *a, struct place *p, int32_t id) {
    const struct eval_line *line = line_of(a, p->task);
    const struct eval_result *result = &a->work->results[p->task];
    const struct end_tokens *ends = line->messages ? a->work->model->turns : a->work->model->ends;
    struct eval_answer *answer = &result->answers[p->sample];
    if (a->work->options->record) {
        answer->ids[answer->n_id] = id;
        answer->logprobs[answer->n_id++] = sampler_logprob(p->sampler);
    }
    if (end_tokens_has(ends, id)) {
        p->finish = GENERATE_END;
        return p->ended = true, flush(p);
    }
    JL_TRY(sampler_accept(p->sampler, id, &p->err));
    answer->n_token++;
    JL_TRY(take_token(a, p, id));
    p->ended = true;
    if (stop_filter_stopped(p->stop) >= 0)
        p->finish = GENERATE_STOP;
    else if (answer->n_token == line->max_tokens)
        p->finish = GENERATE_LENGTH;
    else if (result->n_id + answer->n_token > a->n_context)
        p->finish = GENERATE_CONTEXT;
    else
        p->ended = false;
    p->next = id;
    return p->ended ? flush(p) : JL_OK;
}

/* The next token of an answer whose session has its logits. */
static void advance_item(void *ctx, int item, int thread) {
    const struct answering *a = ctx;
    struct place *p = a->advancing[item];
    int32_t id;
    p->ended = false;
    p->status =
        sampler_choose(p->sampler, a->scratch[thread], session_logits(p->session), &id, &p->err);
    if (p->status == JL_OK) p->status = take(a, p, id);
}

/* ---- ending ---- */

static void clear(struct place *p) {
    sampler_free(p->sampler);
    stop_filter_free(p->stop);
    dialect_stream_free(p->dialect);
    buffer_free(&p->text);
    buffer_free(&p->thought);
    p->sampler = NULL;
    p->stop = NULL;
    p->dialect = NULL;
    p->text = p->thought = (struct byte_buffer){0};
    p->task = -1;
}

static enum jl_status end(struct answering *a, struct place *p) {
    const struct eval_line *line = line_of(a, p->task);
    struct eval_result *result = &a->work->results[p->task];
    struct eval_answer *answer = &result->answers[p->sample];
    struct jl_error inner = {0};
    if (!buffer_append(&p->text, "", 1) || (p->thought.len && !buffer_append(&p->thought, "", 1)))
        return no_memory(a);
    answer->text = p->text.data;
    answer->n_text = p->text.len - 1;
    answer->thought = p->thought.len ? p->thought.data : NULL;
    answer->n_thought = p->thought.len ? p->thought.len - 1 : 0;
    answer->finish = p->finish;
    if (!answer->thought) buffer_free(&p->thought);
    p->text = p->thought = (struct byte_buffer){0};
    enum jl_status status =
        line->verifier->check(&line->expect, answer->text, answer->n_text, &answer->right, &inner);
    if (status != JL_OK) return eval_task_fail(a->work, p->task, status, inner.message);
    result->n_right += answer->right;
    a->work->totals->n_answer += answer->n_token;
    a->done++;
    clear(p);
    return JL_OK;
}

/* A token for every answer that can have one: choosing it takes the whole vocabulary, and text
 * is made of it; both are shared out. */
static enum jl_status step_all(struct answering *a) {
    int n = 0;
    for (int i = 0; i < a->n_place; i++) {
        struct place *p = &a->places[i];
        if (p->task >= 0 && session_n_pending(p->session) == 0) a->advancing[n++] = p;
    }
    backend_run(a->work->model->backend, n, advance_item, a);
    for (int i = 0; i < n; i++) {
        struct place *p = a->advancing[i];
        if (p->status != JL_OK) {
            if (a->work->err) *a->work->err = p->err;
            return p->status;
        }
        JL_TRY(p->ended ? end(a, p) : session_add(p->session, &p->next, 1, a->work->err));
    }
    return JL_OK;
}

/* ---- the passes ---- */

/* Prompts for the places that are free, and one for those that will be next. */
static enum jl_status open_stems(struct answering *a) {
    int wanted = a->work->options->n_sample;
    for (int i = 0; i < a->n_place; i++)
        wanted += a->places[i].task < 0;
    for (int i = 0; i < a->n_stem; i++)
        if (a->stems[i].task >= 0) wanted -= a->work->options->n_sample - a->stems[i].next_sample;
    for (int i = 0; i < a->n_stem && wanted > 0; i++) {
        struct stem *stem = &a->stems[i];
        if (stem->task >= 0) continue;
        if (!take_task(a, &stem->task)) return stem->task = -1, JL_OK;
        if (!stem->session) JL_TRY(session_create(a->sessions, &stem->session, a->work->err));
        stem->next_sample = 0;
        stem->read = false;
        wanted -= a->work->options->n_sample;
        JL_TRY(read_prompt(a, stem->session, stem->task));
    }
    return JL_OK;
}

/* A free place goes on from a stem. */
static enum jl_status branch(struct answering *a, struct place *p, struct stem *stem) {
    session_free(p->session);
    p->session = NULL;
    JL_TRY(session_fork(stem->session, &p->session, a->work->err));
    JL_TRY(begin(a, p, stem->task, stem->next_sample));
    if (++stem->next_sample == a->work->options->n_sample) stem->task = -1;
    return JL_OK;
}

static struct stem *ready_stem(struct answering *a) {
    for (int i = 0; i < a->n_stem; i++)
        if (a->stems[i].task >= 0 && a->stems[i].read) return &a->stems[i];
    return NULL;
}

/* Until every place is taken or no stem has been read: an answer may end with its first token. */
static enum jl_status refill_from_stems(struct answering *a) {
    for (bool again = true; again;) {
        struct stem *stem;
        again = false;
        JL_TRY(open_stems(a));
        for (int i = 0; i < a->n_place; i++)
            if (a->places[i].task < 0 && (stem = ready_stem(a))) {
                JL_TRY(branch(a, &a->places[i], stem));
                again = true;
            }
        if (again) JL_TRY(step_all(a));
    }
    return JL_OK;
}

static enum jl_status refill(struct answering *a) {
    int64_t task;
    if (a->n_stem) return refill_from_stems(a);
    for (int i = 0; i < a->n_place; i++) {
        struct place *p = &a->places[i];
        if (p->task >= 0 || !take_task(a, &task)) continue;
        JL_TRY(read_prompt(a, p->session, task));
        JL_TRY(begin(a, p, task, 0));
    }
    return JL_OK;
}

static enum jl_status pass(struct answering *a, bool *over) {
    const struct eval_options *o = a->work->options;
    int n = 0;
    JL_TRY(refill(a));
    for (int i = 0; i < a->n_place; i++)
        if (a->places[i].task >= 0) a->list[n++] = a->places[i].session;
    for (int i = 0; i < a->n_stem; i++)
        if (a->stems[i].task >= 0 && !a->stems[i].read) a->list[n++] = a->stems[i].session;
    *over = n == 0;
    if (*over) return JL_OK;
    JL_TRY(session_set_forward(a->sessions, a->list, n, o->cancel, a->work->err));
    JL_TRY(step_all(a));
    for (int i = 0; i < a->n_stem; i++)
        a->stems[i].read = a->stems[i].task >= 0 && session_n_pending(a->stems[i].session) == 0;
    if (o->step) o->step(o->ctx, "answering: task", a->done, a->n_answer);
    return JL_OK;
}

/* The longest session, and room for what comes of each task. */
static enum jl_status prepare(struct answering *a, int *n_ctx) {
    *n_ctx = 1;
    for (int64_t i = 0; i < a->work->tasks->n; i++) {
        const struct eval_line *line = line_of(a, i);
        struct eval_result *result = &a->work->results[i];
        int64_t n = (int64_t)result->n_id + line->max_tokens;
        if (line->kind != EVAL_ANSWER) continue;
        if (n > a->n_context) n = a->n_context;
        if (n > *n_ctx) *n_ctx = (int)n;
        a->n_answer += a->work->options->n_sample;
        result->answers = calloc((size_t)a->work->options->n_sample, sizeof *result->answers);
        if (!result->answers) return no_memory(a);
        result->n_sample = a->work->options->n_sample;
    }
    return JL_OK;
}

/* Stems beside n places: enough that the next prompts are read while answers go on. */
static int stems_for(const struct answering *a, int n) {
    int n_sample = a->work->options->n_sample;
    return n_sample > 1 ? (n + n_sample - 1) / n_sample + 1 : 0;
}

/* As many at once as were asked for and fit. */
static enum jl_status plan_memory(struct answering *a, int n_ctx, struct memory_plan *plan) {
    const struct eval_model *m = a->work->model;
    int rows = exec_max_rows(m->exec), n = a->work->options->n_parallel;
    struct memory_request request = {.n_ctx = n_ctx,
                                     .n_batch = rows,
                                     .prefix_bytes = PREFIX_BYTES,
                                     .draft = DRAFT_NONE,
                                     .limit = a->work->options->limit};
    if (n > a->n_answer) n = (int)a->n_answer;
    if (n > rows) n = rows;
    for (;;) {
        a->n_stem = stems_for(a, n);
        a->n_place = n;
        request.n_seq = n + a->n_stem;
        enum jl_status status =
            memory_plan_make(exec_model(m->exec), m->backend, &request, plan, a->work->err);
        if (status != JL_ERR_LIMIT || (n == 1 && !request.prefix_bytes)) return status;
        if (n == 1) request.prefix_bytes = 0;
        n = (n + 1) / 2;
    }
}

static enum jl_status open_places(struct answering *a, const struct memory_plan *plan) {
    struct jl_error *err = a->work->err;
    JL_TRY(session_set_create(a->work->model->exec, &plan->sessions, &a->sessions, err));
    int n_thread = backend_threads(a->work->model->backend);
    a->scratch = calloc((size_t)n_thread, sizeof(void *));
    if (!a->scratch) return no_memory(a);
    for (; a->n_scratch < n_thread; a->n_scratch++)
        JL_TRY(sample_scratch_create(exec_model(a->work->model->exec)->hp.n_vocab,
                                     &a->scratch[a->n_scratch], err));
    a->advancing = calloc((size_t)a->n_place, sizeof(void *));
    a->places = calloc((size_t)a->n_place, sizeof *a->places);
    a->stems = calloc((size_t)a->n_stem + 1, sizeof *a->stems);
    a->list = calloc((size_t)(a->n_place + a->n_stem), sizeof *a->list);
    if (!a->advancing || !a->places || !a->stems || !a->list) return no_memory(a);
    for (int i = 0; i < a->n_place; i++)
        a->places[i].task = -1;
    for (int i = 0; i < a->n_stem; i++)
        a->stems[i].task = -1;
    for (int i = 0; i < a->n_place && !a->n_stem; i++) // forks are made when they are wanted
        JL_TRY(session_create(a->sessions, &a->places[i].session, err));
    a->work->totals->n_parallel = a->n_place;
    return JL_OK;
}

static void release(struct answering *a) {
    for (int i = 0; a->places && i < a->n_place; i++) {
        clear(&a->places[i]);
        session_free(a->places[i].session);
        free(a->places[i].piece);
    }
    for (int i = 0; a->stems && i < a->n_stem; i++)
        session_free(a->stems[i].session);
    free(a->places);
    free(a->stems);
    free(a->list);
    for (int i = 0; i < a->n_scratch; i++)
        sample_scratch_free(a->scratch[i]);
    free(a->scratch);
    free(a->advancing);
    session_set_free(a->sessions);
}

enum jl_status eval_answers(struct eval_work *work) {
    struct answering a = {.work = work, .n_context = exec_model(work->model->exec)->hp.n_ctx_train};
    struct memory_plan plan;
    int n_ctx;
    bool over = false;
    enum jl_status status = prepare(&a, &n_ctx);
    if (status == JL_OK && a.n_answer > 0) {
        status = plan_memory(&a, n_ctx, &plan);
        if (status == JL_OK) status = open_places(&a, &plan);
        while (status == JL_OK && !over)
            status = pass(&a, &over);
    }
    release(&a);
    return status;
}
