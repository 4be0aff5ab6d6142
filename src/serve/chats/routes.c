#include "serve/chats/routes.h"

#include <stdlib.h>
#include <string.h>

#include "serve/openai/body.h"
#include "serve/openai/whole.h"

enum { MOST_CHATS = 200 };

/* One request, on a worker: SQLite may wait for the disk. */
struct job {
    struct work work;
    const struct chats_context *context;
    struct http_request *http;
    struct serving_client client;
    const char *id; // of the path; NULL: it has none
    json_t *body;   // an object; NULL: there was none
    enum jl_status (*answer)(struct job *job, json_t **out, struct jl_error *err);
};

static void reply(struct job *job, enum jl_status status, json_t *out, const struct jl_error *err) {
    struct openai_problem problem = {0};
    if (status == JL_OK) {
        openai_reply_json(job->http, out ? out : json_object(), NULL, 0);
        return;
    }
    openai_failed(&problem, status, err->message);
    if (!strncmp(err->message, "there is no such", 16)) problem.status = 404;
    openai_reply_problem(job->http, &problem);
}

static void run(struct work *work) {
    struct job *job = (struct job *)work;
    struct openai_problem problem = {0};
    struct jl_error err = {0};
    json_t *out = NULL;
    size_t len;
    const char *body = http_request_body(job->http, &len);
    if (len && !openai_body_read(body, len, &job->body, &problem)) {
        openai_reply_problem(job->http, &problem);
    } else {
        enum jl_status status = job->answer(job, &out, &err);
        reply(job, status, out, &err);
    }
    json_decref(job->body);
    http_request_drop(job->http);
    free(job);
}

static void begin(void *ctx, struct http_request *http,
                  enum jl_status (*answer)(struct job *job, json_t **out, struct jl_error *err)) {
    const struct chats_context *context = ctx;
    struct job *job = calloc(1, sizeof *job);
    if (!job) return; // dropped without an answer: a 500
    *job = (struct job){.work = {.run = run},
                        .context = context,
                        .http = http,
                        .client = serving_client_of(http),
                        .id = http_request_part(http, "id"),
                        .answer = answer};
    http_request_hold(http);
    if (workers_give(serving_workers(context->serving), &job->work)) return;
    struct jl_error err;
    reply(job, jl_fail(&err, JL_ERR_BUSY, "too many requests wait: ask again later"), NULL, &err);
    http_request_drop(http);
    free(job);
}

/* ---- chats ---- */

static enum jl_status list(struct job *job, json_t **out, struct jl_error *err) {
    const char *before = http_request_query(job->http, "before");
    json_t *chats;
    JL_TRY(store_list(job->context->store, job->client.owner,
                      http_request_query(job->http, "search"),
                      before ? strtoll(before, NULL, 10) : 0, MOST_CHATS, &chats, err));
    *out = json_pack("{s:o, s:b}", "chats", chats, "more", json_array_size(chats) == MOST_CHATS);
    return *out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for chats");
}

static enum jl_status create(struct job *job, json_t **out, struct jl_error *err) {
    return store_create(job->context->store, job->client.owner, job->body, out, err);
}

static enum jl_status get(struct job *job, json_t **out, struct jl_error *err) {
    return store_get(job->context->store, job->client.owner, job->id, out, err);
}

static enum jl_status change(struct job *job, json_t **out, struct jl_error *err) {
    (void)out;
    return store_change(job->context->store, job->client.owner, job->id, job->body, err);
}

static enum jl_status drop(struct job *job, json_t **out, struct jl_error *err) {
    (void)out;
    return store_remove(job->context->store, job->client.owner, job->id, err);
}

static enum jl_status export(struct job *job, json_t **out, struct jl_error *err) {
    return store_export(job->context->store, job->client.owner, out, err);
}

static enum jl_status import(struct job *job, json_t **out, struct jl_error *err) {
    int n;
    JL_TRY(store_import(job->context->store, job->client.owner, job->body, &n, err));
    *out = json_pack("{s:i}", "chats", n);
    return JL_OK;
}

/* ---- what is said ---- */

/* {"parent", "content", "files"}: a question and the answer that begins to be written. */
static enum jl_status say(struct job *job, json_t **out, struct jl_error *err) {
    const struct chats_context *context = job->context;
    json_t *said, *answer, *fields = job->body ? json_copy(job->body) : json_object();
    if (!fields || json_object_set_new(fields, "role", json_string("user")) ||
        json_object_set_new(fields, "status", json_string("done"))) {
        json_decref(fields);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a message");
    }
    enum jl_status status = JL_OK;
    if (!json_string_length(json_object_get(fields, "content")))
        status = jl_fail(err, JL_ERR_USAGE, "\"content\" is missing: what to say");
    if (status == JL_OK)
        status = store_say(context->store, job->client.owner, job->id, fields, &said, err);
    json_decref(fields);
    if (status != JL_OK) return status;
    const char *id = json_string_value(json_object_get(said, "id"));
    status = live_answer(context->live, &job->client, job->id, id, &answer, err);
    if (status == JL_OK) *out = json_pack("{s:O, s:o}", "said", said, "answer", answer);
    json_decref(said);
    return status;
}

/* {"parent"}: another answer to a question. */
static enum jl_status answer_again(struct job *job, json_t **out, struct jl_error *err) {
    const char *parent = json_string_value(json_object_get(job->body, "parent"));
    json_t *answer;
    if (!parent) return jl_fail(err, JL_ERR_USAGE, "\"parent\" is missing: the question");
    JL_TRY(live_answer(job->context->live, &job->client, job->id, parent, &answer, err));
    *out = json_pack("{s:o}", "answer", answer);
    return JL_OK;
}

static enum jl_status stop(struct job *job, json_t **out, struct jl_error *err) {
    (void)err;
    *out = json_pack("{s:b}", "stopped", live_stop(job->context->live, job->client.owner, job->id));
    return JL_OK;
}

static void on_list(void *ctx, struct http_request *http) { begin(ctx, http, list); }
static void on_create(void *ctx, struct http_request *http) { begin(ctx, http, create); }
static void on_get(void *ctx, struct http_request *http) { begin(ctx, http, get); }
static void on_change(void *ctx, struct http_request *http) { begin(ctx, http, change); }
static void on_drop(void *ctx, struct http_request *http) { begin(ctx, http, drop); }
static void on_export(void *ctx, struct http_request *http) { begin(ctx, http, export); }
static void on_import(void *ctx, struct http_request *http) { begin(ctx, http, import); }
static void on_say(void *ctx, struct http_request *http) { begin(ctx, http, say); }
static void on_again(void *ctx, struct http_request *http) { begin(ctx, http, answer_again); }
static void on_stop(void *ctx, struct http_request *http) { begin(ctx, http, stop); }

/* The events of an answer. One that is over is in its chat. */
static void on_watch(void *ctx, struct http_request *http) {
    const struct chats_context *context = ctx;
    if (!live_watch(context->live, serving_client_of(http).owner, http_request_part(http, "id"),
                    http))
        http_reply_error(http, 404, "not_found", "this answer is not being written");
}

size_t chats_routes(struct chats_context *context, struct http_route out[CHATS_MOST_ROUTES]) {
    static const struct http_route rows[] = {
        {"GET", "/api/chats", on_list, NULL, false},
        {"POST", "/api/chats", on_create, NULL, false},
        {"GET", "/api/chats/{id}", on_get, NULL, false},
        {"PATCH", "/api/chats/{id}", on_change, NULL, false},
        {"DELETE", "/api/chats/{id}", on_drop, NULL, false},
        {"POST", "/api/chats/{id}/messages", on_say, NULL, false},
        {"POST", "/api/chats/{id}/answers", on_again, NULL, false},
        {"GET", "/api/answers/{id}", on_watch, NULL, false},
        {"POST", "/api/answers/{id}/stop", on_stop, NULL, false},
        {"GET", "/api/export", on_export, NULL, false},
        {"POST", "/api/import", on_import, NULL, false},
    };
    size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++) {
        out[i] = rows[i];
        out[i].ctx = context;
    }
    return n;
}
