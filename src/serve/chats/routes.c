#include "serve/chats/routes.h"

#include <stdlib.h>
#include <string.h>

#include "serve/job.h"
#include "serve/openai/body.h"
#include "serve/openai/whole.h"

enum { MOST_CHATS = 200 };

/* One request, on a worker: SQLite may wait for the disk. */
struct asked {
    struct job job;
    const struct chats_context *context;
    struct serving_client client;
    const char *id; // of the path; NULL: it has none
    json_t *body;   // an object; NULL: there was none
    enum jl_status (*answer)(struct asked *asked, json_t **out, struct jl_error *err);
};

static void reply(struct asked *asked, enum jl_status status, json_t *out,
                  const struct jl_error *err) {
    struct openai_problem problem = {0};
    if (status == JL_OK) {
        openai_reply_json(asked->job.http, out ? out : json_object(), NULL, 0);
        return;
    }
    openai_failed(&problem, status, err->message);
    if (!strncmp(err->message, "there is no such", 16)) problem.status = 404;
    openai_reply_problem(asked->job.http, &problem);
}

static void run(struct job *job) {
    struct asked *asked = (struct asked *)job;
    struct openai_problem problem = {0};
    struct jl_error err = {0};
    json_t *out = NULL;
    size_t len;
    const char *body = http_request_body(asked->job.http, &len);
    if (len && !openai_body_read(body, len, &asked->body, &problem)) {
        openai_reply_problem(asked->job.http, &problem);
    } else {
        enum jl_status status = asked->answer(asked, &out, &err);
        reply(asked, status, out, &err);
    }
    json_decref(asked->body);
}

static void begin(void *ctx, struct http_request *http,
                  enum jl_status (*answer)(struct asked *asked, json_t **out,
                                           struct jl_error *err)) {
    const struct chats_context *context = ctx;
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked) return; // dropped without an answer: a 500
    *asked = (struct asked){.context = context,
                            .client = serving_client_of(http),
                            .id = http_request_part(http, "id"),
                            .answer = answer};
    if (!job_begin(serving_workers(context->serving), &asked->job, http, run))
        openai_reply_busy(http);
}

/* ---- chats ---- */

static enum jl_status list(struct asked *asked, json_t **out, struct jl_error *err) {
    const char *before = http_request_query(asked->job.http, "before");
    const struct store_search search = {
        .text = http_request_query(asked->job.http, "search"),
        .before = before ? strtoll(before, NULL, 10) : 0,
        .behind = http_request_query(asked->job.http, "id"),
        .most = MOST_CHATS,
    };
    json_t *chats;
    JL_TRY(store_list(asked->context->store, asked->client.owner, &search, &chats, err));
    *out = json_pack("{s:o, s:b}", "chats", chats, "more", json_array_size(chats) == MOST_CHATS);
    return *out ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for chats");
}

static enum jl_status create(struct asked *asked, json_t **out, struct jl_error *err) {
    return store_create(asked->context->store, asked->client.owner, asked->body, out, err);
}

static enum jl_status get(struct asked *asked, json_t **out, struct jl_error *err) {
    return store_get(asked->context->store, asked->client.owner, asked->id, out, err);
}

static enum jl_status change(struct asked *asked, json_t **out, struct jl_error *err) {
    (void)out;
    return store_change(asked->context->store, asked->client.owner, asked->id, asked->body, err);
}

static enum jl_status drop(struct asked *asked, json_t **out, struct jl_error *err) {
    (void)out;
    JL_TRY(store_remove(asked->context->store, asked->client.owner, asked->id, err));
    live_stop_all(asked->context->live, asked->client.owner, asked->id);
    return JL_OK;
}

static enum jl_status export(struct asked *asked, json_t **out, struct jl_error *err) {
    return store_export(asked->context->store, asked->client.owner, out, err);
}

static enum jl_status import(struct asked *asked, json_t **out, struct jl_error *err) {
    int n;
    JL_TRY(store_import(asked->context->store, asked->client.owner, asked->body, &n, err));
    *out = json_pack("{s:i}", "chats", n);
    return JL_OK;
}

/* ---- what is said ---- */

/* {"parent", "content", "files"}: a question and the answer that begins to be written. */
static enum jl_status say(struct asked *asked, json_t **out, struct jl_error *err) {
    const struct chats_context *context = asked->context;
    json_t *said, *answer, *fields = asked->body ? json_copy(asked->body) : json_object();
    if (!fields || json_object_set_new(fields, "role", json_string("user")) ||
        json_object_set_new(fields, "status", json_string("done"))) {
        json_decref(fields);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a message");
    }
    enum jl_status status = JL_OK;
    if (!json_string_length(json_object_get(fields, "content")))
        status = jl_fail(err, JL_ERR_USAGE, "\"content\" is missing: what to say");
    if (status == JL_OK)
        status = store_say(context->store, asked->client.owner, asked->id, fields, &said, err);
    json_decref(fields);
    if (status != JL_OK) return status;
    const char *id = json_string_value(json_object_get(said, "id"));
    status = live_answer(context->live, &asked->client, asked->id, id, &answer, err);
    if (status == JL_OK) *out = json_pack("{s:O, s:o}", "said", said, "answer", answer);
    json_decref(said);
    return status;
}

/* {"parent"}: another answer to a question. */
static enum jl_status answer_again(struct asked *asked, json_t **out, struct jl_error *err) {
    const char *parent = json_string_value(json_object_get(asked->body, "parent"));
    json_t *answer;
    if (!parent) return jl_fail(err, JL_ERR_USAGE, "\"parent\" is missing: the question");
    JL_TRY(live_answer(asked->context->live, &asked->client, asked->id, parent, &answer, err));
    *out = json_pack("{s:o}", "answer", answer);
    return JL_OK;
}

static enum jl_status stop(struct asked *asked, json_t **out, struct jl_error *err) {
    (void)err;
    *out = json_pack("{s:b}", "stopped",
                     live_stop(asked->context->live, asked->client.owner, asked->id));
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
        {"GET", "/api/chats", on_list, NULL, false, true},
        {"POST", "/api/chats", on_create, NULL, false},
        {"GET", "/api/chats/{id}", on_get, NULL, false, true},
        {"PATCH", "/api/chats/{id}", on_change, NULL, false, true},
        {"DELETE", "/api/chats/{id}", on_drop, NULL, false},
        {"POST", "/api/chats/{id}/messages", on_say, NULL, false},
        {"POST", "/api/chats/{id}/answers", on_again, NULL, false},
        {"GET", "/api/answers/{id}", on_watch, NULL, false, true},
        {"POST", "/api/answers/{id}/stop", on_stop, NULL, false, true},
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
