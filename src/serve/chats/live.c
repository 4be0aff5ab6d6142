#include "serve/chats/live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "serve/openai/exchange.h"
#include "text/buffer.h"

#define SAVE_SECONDS 0.5 // from one time that what came is kept to the next

/* One answer. The scheduler's thread adds to it, a worker keeps it, the HTTP thread brings those
 * who look on. */
struct answer {
    struct work save; // the work of keeping it
    struct live *live;
    struct answer *next;
    struct serving_client client;
    json_t *message; // as the store has it; with what came, when it is asked for
    char *chat;      // whose it is
    struct byte_buffer content, reasoning;
    struct http_request **watchers; // (n_watcher)
    size_t n_watcher;
    double began, first, thought_end, saved; // 0: not yet
    bool saving, over;
    atomic_bool stopped;
};

struct live {
    struct serving *serving;
    struct store *store;
    pthread_mutex_t lock; // over the list and all in it
    struct answer *first;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
}

enum jl_status live_create(struct serving *serving, struct store *store, struct live **out,
                           struct jl_error *err) {
    *out = calloc(1, sizeof **out);
    if (!*out) return no_memory(err);
    (*out)->serving = serving;
    (*out)->store = store;
    pthread_mutex_init(&(*out)->lock, NULL);
    return JL_OK;
}

static const char *id_of(const struct answer *answer) {
    return json_string_value(json_object_get(answer->message, "id"));
}

static void free_answer(struct answer *answer) {
    for (size_t i = 0; i < answer->n_watcher; i++)
        http_request_drop(answer->watchers[i]);
    free(answer->watchers);
    buffer_free(&answer->content);
    buffer_free(&answer->reasoning);
    json_decref(answer->message);
    free(answer->chat);
    free(answer);
}

void live_free(struct live *live) {
    if (!live) return;
    while (live->first) {
        struct answer *answer = live->first;
        struct jl_error err;
        live->first = answer->next;
        if (answer->over) store_write(live->store, id_of(answer), answer->message, &err);
        free_answer(answer);
    }
    pthread_mutex_destroy(&live->lock);
    free(live);
}

/* ---- those who look on; under the lock ---- */

static bool send_to(struct http_request *request, const json_t *event) {
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    bool sent = text && http_stream_event(request, NULL, text, strlen(text)) == HTTP_DONE;
    free(text);
    return sent;
}

/* Takes the event. Whoever is gone, or cannot follow, is not told any more. */
static void tell(struct answer *answer, json_t *event) {
    for (size_t i = 0; i < answer->n_watcher;) {
        if (send_to(answer->watchers[i], event)) {
            i++;
            continue;
        }
        http_request_drop(answer->watchers[i]);
        answer->watchers[i] = answer->watchers[--answer->n_watcher];
    }
    json_decref(event);
}

static json_t *text_of(const struct byte_buffer *buffer) {
    return json_stringn(buffer->data ? buffer->data : "", buffer->len);
}

/* What came so far, with how long it took. */
static json_t *facts_of(const struct answer *answer) {
    double now = clock_seconds();
    double thought = answer->thought_end > 0 ? answer->thought_end : now;
    json_t *facts = json_pack("{s:I}", "ms", (json_int_t)(1e3 * (now - answer->began)));
    if (facts && answer->first > 0)
        json_object_set_new(facts, "first_ms",
                            json_integer((json_int_t)(1e3 * (answer->first - answer->began))));
    if (facts && answer->reasoning.len)
        json_object_set_new(facts, "thought_ms",
                            json_integer((json_int_t)(1e3 * (thought - answer->first))));
    return facts;
}

static json_t *state_of(const struct answer *answer) {
    json_t *state = json_copy(answer->message), *facts = facts_of(answer);
    if (state && facts && !json_object_set_new(state, "content", text_of(&answer->content)) &&
        !json_object_set_new(state, "reasoning", text_of(&answer->reasoning)) &&
        !json_object_set(state, "facts", facts)) {
        json_decref(facts);
        return state;
    }
    json_decref(facts);
    json_decref(state);
    return NULL;
}

/* ---- keeping it; on a worker ---- */

static void leave_list(struct answer *answer) {
    struct answer **at = &answer->live->first;
    while (*at != answer)
        at = &(*at)->next;
    *at = answer->next;
}

/* One whose end could not be kept when it came: the disk was full, or another program held the
 * file. It stays in the list, where whoever looks on finds it, and is tried again with the next
 * answer that is kept, and when the server ends. */
static struct answer *take_unkept(struct live *live) {
    struct answer *answer = live->first;
    while (answer && (!answer->over || answer->saving))
        answer = answer->next;
    if (answer) answer->saving = true;
    return answer;
}

/* Whether what there is of it could be kept; with its end it is gone from the list. */
static bool keep(struct answer *answer) {
    struct live *live = answer->live;
    struct jl_error err;
    enum jl_status status = JL_ERR_MEMORY;
    bool last, again;
    do {
        pthread_mutex_lock(&live->lock);
        last = answer->over;
        json_t *state = last ? json_incref(answer->message) : state_of(answer);
        pthread_mutex_unlock(&live->lock);
        if (state) status = store_write(live->store, id_of(answer), state, &err);
        json_decref(state);
        pthread_mutex_lock(&live->lock);
        again = answer->over && !last; // it ended meanwhile
        if (!again) answer->saving = false;
        last = last && status == JL_OK;
        if (last) leave_list(answer);
        pthread_mutex_unlock(&live->lock);
    } while (again);
    if (last) free_answer(answer);
    return status == JL_OK;
}

static void save(struct work *work) {
    struct answer *answer = (struct answer *)work;
    struct live *live = answer->live;
    while (answer && keep(answer)) {
        pthread_mutex_lock(&live->lock);
        answer = take_unkept(live);
        pthread_mutex_unlock(&live->lock);
    }
}

/* Under the lock. */
static void save_soon(struct answer *answer) {
    double now = clock_seconds();
    if (answer->saving || (!answer->over && now - answer->saved < SAVE_SECONDS)) return;
    answer->saved = now;
    answer->saving = true;
    workers_must(serving_workers(answer->live->serving), &answer->save);
}

/* ---- the exchange's sink ---- */

static void on_progress(void *ctx, const struct scheduler_progress *progress) {
    struct answer *answer = ctx;
    pthread_mutex_lock(&answer->live->lock);
    tell(answer, json_pack("{s:{s:i, s:i, s:i}}", "waiting", "before", progress->n_before, "read",
                           progress->n_read, "prompt", progress->n_prompt));
    pthread_mutex_unlock(&answer->live->lock);
}

static bool on_piece(void *ctx, const struct dialect_event *event) {
    struct answer *answer = ctx;
    bool thought = event->kind == DIALECT_REASONING;
    if (event->kind != DIALECT_CONTENT && !thought) return true;
    pthread_mutex_lock(&answer->live->lock);
    double now = clock_seconds();
    if (answer->first <= 0) answer->first = now;
    if (!thought && answer->reasoning.len && answer->thought_end <= 0) {
        answer->thought_end = now;
        tell(answer, json_pack("{s:o}", "facts", facts_of(answer))); // how long it thought
    }
    bool fits =
        buffer_append(thought ? &answer->reasoning : &answer->content, event->text, event->len);
    tell(answer, json_pack("{s:s%}", thought ? "reasoning" : "content", event->text, event->len));
    save_soon(answer);
    pthread_mutex_unlock(&answer->live->lock);
    return fits;
}

static bool on_gone(void *ctx) {
    struct answer *answer = ctx;
    return atomic_load(&answer->stopped);
}

/* "done", "length", "stopped", "cut" (by the server's end) or "error". */
static void on_ended(void *ctx, const struct openai_problem *problem, const char *finish,
                     const json_t *usage) {
    struct answer *answer = ctx;
    bool stopped = atomic_load(&answer->stopped);
    const char *status = stopped                               ? "stopped"
                         : problem && problem->status == 503   ? "cut"
                         : problem                             ? "error"
                         : finish && !strcmp(finish, "length") ? "length"
                                                               : "done";
    pthread_mutex_lock(&answer->live->lock);
    json_object_set_new(answer->message, "status", json_string(status));
    if (problem && !stopped)
        json_object_set_new(answer->message, "error", json_string(problem->message));
    json_t *state = state_of(answer), *facts = json_object_get(state, "facts");
    if (usage && facts) json_object_set(facts, "usage", (json_t *)(uintptr_t)usage);
    if (state) { // what is kept in the end is what was told
        json_decref(answer->message);
        answer->message = json_incref(state);
    }
    tell(answer, json_pack("{s:o}", "state", state));
    for (size_t i = 0; i < answer->n_watcher; i++)
        http_stream_end(answer->watchers[i]);
    answer->over = true;
    bool saving = answer->saving; // then that keeps the end, too, and frees it
    answer->saving = true;
    pthread_mutex_unlock(&answer->live->lock);
    if (!saving) save(&answer->save);
}

/* ---- what is asked ---- */

/* A question with its files, as the model reads it. */
static json_t *content_of(const json_t *message) {
    const json_t *files = json_object_get(message, "files"), *file;
    const json_t *content = json_object_get(message, "content");
    struct byte_buffer text = {0};
    size_t i;
    bool fits = buffer_append(&text, json_string_value(content), json_string_length(content));
    json_array_foreach(files, i, file) {
        const char *name = json_string_value(json_object_get(file, "name"));
        const json_t *words = json_object_get(file, "text");
        if (!name || !json_is_string(words)) continue;
        fits = fits && buffer_append(&text, "\n\n", 2) &&
               buffer_append(&text, name, strlen(name)) && buffer_append(&text, ":\n```\n", 6) &&
               buffer_append(&text, json_string_value(words), json_string_length(words)) &&
               buffer_append(&text, "\n```", 4);
    }
    json_t *out = fits ? text_of(&text) : NULL;
    buffer_free(&text);
    return out;
}

static bool add_messages(json_t *list, const json_t *chat, const json_t *way) {
    const json_t *system = json_object_get(chat, "system"), *message;
    size_t i;
    bool fits = true;
    if (json_string_length(system))
        fits = !json_array_append_new(list,
                                      json_pack("{s:s, s:O}", "role", "system", "content", system));
    json_array_foreach(way, i, message) {
        json_t *said = json_pack("{s:O, s:o}", "role", json_object_get(message, "role"), "content",
                                 content_of(message));
        const json_t *thought = json_object_get(message, "reasoning");
        if (said && json_string_length(thought))
            json_object_set(said, "reasoning_content", (json_t *)(uintptr_t)thought);
        fits = fits && said && !json_array_append_new(list, said);
    }
    return fits;
}

/* The body of a request in OpenAI's form: the chat's settings are its fields. */
static char *body_of(const json_t *chat, const json_t *way) {
    json_t *body = json_deep_copy(json_object_get(chat, "settings")), *list = json_array();
    bool fits = body && list && add_messages(list, chat, way);
    const json_t *model = json_object_get(chat, "model");
    fits = fits && !json_object_set(body, "messages", list) &&
           !json_object_set_new(body, "stream", json_false()) &&
           !json_object_set_new(body, "n", json_integer(1));
    if (fits && json_string_length(model))
        fits = !json_object_set(body, "model", (json_t *)(uintptr_t)model);
    char *text = fits ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    json_decref(list);
    return text;
}

static enum jl_status say_answer(struct live *live, uint64_t owner, const json_t *chat,
                                 const char *parent, json_t **out, struct jl_error *err) {
    json_t *fields = json_pack("{s:s, s:s, s:s, s:O}", "role", "assistant", "parent", parent,
                               "status", "running", "model", json_object_get(chat, "model"));
    if (!fields) return no_memory(err);
    enum jl_status status = store_say(
        live->store, owner, json_string_value(json_object_get(chat, "id")), fields, out, err);
    json_decref(fields);
    return status;
}

/* Takes `body` and `message`. */
static enum jl_status start(struct live *live, const struct serving_client *client,
                            const char *chat, char *body, json_t *message, struct jl_error *err) {
    struct answer *answer = calloc(1, sizeof *answer);
    char *whose = strdup(chat);
    if (!answer || !whose) {
        free(answer);
        free(whose);
        free(body);
        json_decref(message);
        return no_memory(err);
    }
    *answer = (struct answer){.save = {.run = save},
                              .live = live,
                              .client = *client,
                              .message = message,
                              .chat = whose,
                              .began = clock_seconds()};
    answer->saved = answer->began;
    atomic_init(&answer->stopped, false);
    pthread_mutex_lock(&live->lock);
    answer->next = live->first;
    live->first = answer;
    pthread_mutex_unlock(&live->lock);
    const struct openai_sink sink = {.progress = on_progress,
                                     .piece = on_piece,
                                     .gone = on_gone,
                                     .ended = on_ended,
                                     .ctx = answer};
    enum jl_status status = openai_exchange_run(live->serving, client, body, &sink, err);
    if (status == JL_OK) return JL_OK;
    struct jl_error inner;
    json_t *failed = json_pack("{s:s, s:s}", "status", "error", "error", err->message);
    if (failed) store_write(live->store, id_of(answer), failed, &inner);
    json_decref(failed);
    pthread_mutex_lock(&live->lock);
    leave_list(answer);
    pthread_mutex_unlock(&live->lock);
    free_answer(answer);
    return status;
}

/* The page's requests end at once, and answers go on: these are what a key's limit is about. */
static enum jl_status check_at_once(struct live *live, const struct serving_client *client,
                                    struct jl_error *err) {
    unsigned n = 0;
    pthread_mutex_lock(&live->lock);
    for (struct answer *one = live->first; one; one = one->next)
        n += one->client.owner == client->owner && !one->over;
    pthread_mutex_unlock(&live->lock);
    if (!client->at_once || n < client->at_once) return JL_OK;
    return jl_fail(err, JL_ERR_BUSY, "this key has as many answers being written as it may: %u",
                   client->at_once);
}

enum jl_status live_answer(struct live *live, const struct serving_client *client, const char *chat,
                           const char *parent, json_t **out, struct jl_error *err) {
    json_t *known = NULL, *way = NULL, *message = NULL;
    char *body = NULL;
    *out = NULL;
    JL_TRY(check_at_once(live, client, err));
    enum jl_status status = store_get(live->store, client->owner, chat, &known, err);
    if (status == JL_OK) status = store_way(live->store, client->owner, chat, parent, &way, err);
    if (status == JL_OK && !json_array_size(way))
        status = jl_fail(err, JL_ERR_USAGE, "there is no such message to answer");
    if (status == JL_OK && !(body = body_of(known, way))) status = no_memory(err);
    if (status == JL_OK) status = say_answer(live, client->owner, known, parent, &message, err);
    if (status == JL_OK && !(*out = json_deep_copy(message))) status = no_memory(err);
    if (status == JL_OK) {
        status = start(live, client, chat, body, message, err);
    } else {
        free(body);
        json_decref(message);
    }
    if (status != JL_OK) {
        json_decref(*out);
        *out = NULL;
    }
    json_decref(known);
    json_decref(way);
    return status;
}

/* ---- looking on ---- */

/* Under the lock. */
static struct answer *find(struct live *live, uint64_t owner, const char *message) {
    struct answer *answer = live->first;
    while (answer && (answer->client.owner != owner || strcmp(id_of(answer), message) != 0))
        answer = answer->next;
    return answer;
}

bool live_watch(struct live *live, uint64_t owner, const char *message,
                struct http_request *request) {
    const struct http_stream_head head = {.kind = HTTP_STREAM_SSE};
    pthread_mutex_lock(&live->lock);
    struct answer *answer = find(live, owner, message);
    struct http_request **grown =
        answer ? realloc(answer->watchers, (answer->n_watcher + 1) * sizeof *grown) : NULL;
    if (grown) {
        answer->watchers = grown;
        json_t *state = answer->over ? json_incref(answer->message) : state_of(answer);
        json_t *event = json_pack("{s:o}", "state", state);
        bool begun = http_stream_begin(request, &head) == HTTP_DONE && send_to(request, event);
        if (begun && answer->over) {
            http_stream_end(request);
            save_soon(answer); // it could not be kept yet
        } else if (begun) {
            http_request_hold(request);
            grown[answer->n_watcher++] = request;
        }
        json_decref(event);
    }
    pthread_mutex_unlock(&live->lock);
    return grown;
}

bool live_stop(struct live *live, uint64_t owner, const char *message) {
    pthread_mutex_lock(&live->lock);
    struct answer *answer = find(live, owner, message);
    if (answer) atomic_store(&answer->stopped, true);
    pthread_mutex_unlock(&live->lock);
    return answer;
}

void live_stop_all(struct live *live, uint64_t owner, const char *chat) {
    pthread_mutex_lock(&live->lock);
    for (struct answer *answer = live->first; answer; answer = answer->next)
        if (answer->client.owner == owner && !strcmp(answer->chat, chat))
            atomic_store(&answer->stopped, true);
    pthread_mutex_unlock(&live->lock);
}
