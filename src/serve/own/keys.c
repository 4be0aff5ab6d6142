/* Keys by the page: whose this one is, and, for one marked `admin`, all of them. */
#include <stdlib.h>
#include <string.h>

#include "serve/http/keys.h"
#include "serve/job.h"
#include "serve/openai/body.h"
#include "serve/openai/whole.h"
#include "serve/own/own.h"

struct task {
    struct job job;
    const struct routes_context *context;
    bool (*answer)(struct task *task, json_t **out);
    struct openai_problem problem;
};

static void run(struct job *job) {
    struct task *task = (struct task *)job;
    json_t *out = NULL;
    if (task->answer(task, &out))
        openai_reply_json(task->job.http, out, NULL, 0);
    else
        openai_reply_problem(task->job.http, &task->problem);
}

static void begin(void *ctx, struct http_request *http,
                  bool (*answer)(struct task *task, json_t **out)) {
    const struct routes_context *context = ctx;
    struct task *task = calloc(1, sizeof *task);
    if (!task) return; // dropped without an answer: a 500
    *task = (struct task){.context = context, .answer = answer};
    if (!job_begin(serving_workers(context->serving), &task->job, http, run))
        openai_reply_busy(http);
}

static bool well(struct task *task, enum jl_status status, const struct jl_error *err) {
    return status == JL_OK || openai_failed(&task->problem, status, err->message);
}

/* A limit that is not there is null. */
static json_t *limit_json(unsigned n) { return n ? json_integer(n) : json_null(); }

static json_t *key_json(const char *name, unsigned at_once, unsigned per_minute,
                        unsigned tokens_per_minute, bool admin) {
    return json_pack("{s:s, s:o, s:o, s:o, s:b}", "name", name, "at_once", limit_json(at_once),
                     "per_minute", limit_json(per_minute), "tokens_per_minute",
                     limit_json(tokens_per_minute), "admin", admin);
}

/* {"asked": whether the server asks for keys, "key": this one, "keys": all, for an admin}. */
static bool list(struct task *task, json_t **out) {
    struct http_client client = http_request_client(task->job.http);
    const char *path = task->context->keys_file;
    struct jl_error err = {0};
    struct http_keys keys = {0};
    if (client.admin && path && !well(task, http_keys_read(path, &keys, &err), &err)) return false;
    json_t *all = client.admin ? json_array() : json_null();
    for (size_t i = 0; i < keys.n; i++) {
        const struct http_key *k = &keys.rows[i];
        json_array_append_new(
            all, key_json(k->name, k->at_once, k->per_minute, k->tokens_per_minute, k->admin));
    }
    *out = json_pack("{s:b, s:o, s:o}", "asked", path != NULL, "key",
                     client.name ? key_json(client.name, client.at_once, client.per_minute,
                                            client.tokens_per_minute, client.admin)
                                 : json_null(),
                     "keys", all);
    http_keys_free(&keys);
    return true;
}

/* ---- changes ---- */

static bool may_change(struct task *task) {
    if (task->context->keys_file && http_request_client(task->job.http).admin) return true;
    openai_refuse(&task->problem, NULL,
                  task->context->keys_file
                      ? "only a key that is marked `admin` in the keys file changes keys"
                      : "this server asks for no keys: it has no keys file");
    task->problem.status = 403;
    task->problem.code = "forbidden";
    return false;
}

/* The server takes the file as it is now. */
static bool reload(struct task *task) {
    struct jl_error err = {0};
    return well(task, http_server_reload_keys(task->context->server, &err), &err);
}

static bool read_limit(struct task *task, const json_t *body, const char *name, unsigned *out) {
    const json_t *value = json_object_get(body, name);
    if (!value || json_is_null(value)) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > HTTP_KEY_MOST)
        return openai_refuse(&task->problem, name, "\"%s\" must be a number from 1 to %u", name,
                             HTTP_KEY_MOST);
    *out = (unsigned)json_integer_value(value);
    return true;
}

static bool read_key(struct task *task, const json_t *body, struct http_key *key) {
    const json_t *name = json_object_get(body, "name"), *admin = json_object_get(body, "admin");
    size_t n = json_string_length(name);
    if (!http_key_good_name(json_is_string(name) ? json_string_value(name) : "", n))
        return openai_refuse(&task->problem, "name",
                             "\"name\" must have up to 63 letters, digits, '.', '_', '@', '-'");
    memcpy(key->name, json_string_value(name), n + 1);
    if (admin && !json_is_boolean(admin))
        return openai_refuse(&task->problem, "admin", "\"admin\" must be true or false");
    key->admin = json_is_true(admin);
    return read_limit(task, body, "at_once", &key->at_once) &&
           read_limit(task, body, "per_minute", &key->per_minute) &&
           read_limit(task, body, "tokens_per_minute", &key->tokens_per_minute);
}

/* {"name", "at_once", "per_minute", "tokens_per_minute", "admin"}: {"key": this once}. */
static bool make(struct task *task, json_t **out) {
    struct http_key key = {0};
    struct jl_error err = {0};
    char text[HTTP_KEY_TEXT];
    json_t *body = NULL;
    size_t len;
    const char *bytes = http_request_body(task->job.http, &len);
    bool ok = may_change(task) && openai_body_read(bytes, len, &body, &task->problem) &&
              read_key(task, body, &key) &&
              well(task, http_keys_add(task->context->keys_file, &key, text, &err), &err) &&
              reload(task);
    json_decref(body);
    if (ok) *out = json_pack("{s:s, s:s}", "name", key.name, "key", text);
    explicit_bzero(text, sizeof text);
    return ok;
}

static bool drop(struct task *task, json_t **out) {
    struct jl_error err = {0};
    const char *name = http_request_part(task->job.http, "name");
    if (!may_change(task)) return false;
    if (!strcmp(name, http_request_client(task->job.http).name))
        return openai_refuse(&task->problem, "name",
                             "this is the key that asks: nobody could undo it");
    if (!well(task, http_keys_remove(task->context->keys_file, name, &err), &err) || !reload(task))
        return false;
    *out = json_object();
    return true;
}

void own_keys(void *ctx, struct http_request *http) { begin(ctx, http, list); }
void own_make_key(void *ctx, struct http_request *http) { begin(ctx, http, make); }
void own_remove_key(void *ctx, struct http_request *http) { begin(ctx, http, drop); }
