/* Answers as server-sent events. */
#include <stdlib.h>
#include <string.h>

#include "serve/openai/exchange_self.h"

/* Nobody can be told: the scheduler ends it when it asks. */
static void cut(struct exchange *x) { x->cut = true; }

static void send(struct exchange *x, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text)
        openai_no_memory(&x->problem);
    else if (!x->cut && http_stream_event(x->http, NULL, text, strlen(text)) != HTTP_DONE)
        cut(x); // gone, or far too slow
    free(text);
}

/* A chunk with these choices. */
static void send_chunk(struct exchange *x, json_t *choices) {
    json_t *chunk =
        json_pack("{s:s, s:s, s:I, s:s, s:s, s:o}", "id", x->id, "object",
                  x->asked.kind == OPENAI_CHAT ? "chat.completion.chunk" : "text_completion",
                  "created", (json_int_t)x->created, "model", served_parts(x->served)->id,
                  "system_fingerprint", served_class(x->served), "choices", choices);
    if (chunk && x->asked.include_usage) json_object_set_new(chunk, "usage", json_null());
    send(x, chunk);
}

/* Takes `delta` (of a chat) or `text` (of a completion); `finish` may be NULL. */
static void send_choice(struct exchange_choice *choice, json_t *delta, json_t *text,
                        const char *finish) {
    struct exchange *x = choice->x;
    json_t *json = json_pack("{s:i, s:o, s:o}", "index", choice->index, "logprobs",
                             exchange_take_logprobs(choice), "finish_reason",
                             finish ? json_string(finish) : json_null());
    if (delta) json_object_set_new(json, "delta", delta);
    if (text) json_object_set_new(json, "text", text);
    if (x->asked.return_token_ids)
        json_object_set_new(json, "token_ids", exchange_take_ids(choice));
    send_chunk(x, json_pack("[o]", json));
}

enum { ENTRIES_A_CHUNK = 256 };

static json_t *slice(const json_t *entries, size_t first) {
    json_t *part = json_array();
    for (size_t i = first; i < json_array_size(entries) && i < first + ENTRIES_A_CHUNK; i++)
        json_array_append(part, json_array_get(entries, i));
    return part;
}

void exchange_stream_open(struct exchange_choice *choice) {
    struct exchange *x = choice->x;
    if (choice->begun) return;
    choice->begun = true;
    if (x->asked.kind == OPENAI_CHAT) {
        json_t *choices =
            json_pack("[{s:i, s:{s:s, s:s}, s:n, s:n}]", "index", choice->index, "delta", "role",
                      "assistant", "content", "", "logprobs", "finish_reason");
        send_chunk(x, choices);
        return;
    }
    if (!x->asked.echo) return;
    const struct exchange_part *part = &x->parts[choice->index / x->asked.n];
    struct byte_buffer all = {0};
    struct token_stream stream;
    struct jl_error err;
    token_stream_init(&stream, served_parts(x->served)->tokenizer, true);
    for (size_t i = 0; i < part->ids.len; i++)
        token_stream_push(&stream, part->ids.data[i], &all.data, &all.len, &all.cap, &err);
    token_stream_end(&stream, &all.data, &all.len, &all.cap, &err);
    json_t *entries = choice->logprobs; // many of them are cut into several chunks
    size_t n = json_array_size(entries);
    for (size_t first = 0; first == 0 || first < n; first += ENTRIES_A_CHUNK) {
        choice->logprobs = entries ? slice(entries, first) : NULL;
        send_choice(choice, NULL,
                    first == 0 ? json_stringn(all.data ? all.data : "", all.len) : json_string(""),
                    NULL);
    }
    json_decref(entries);
    buffer_free(&all);
}

void exchange_stream_begin(struct exchange *x) {
    struct http_header headers[EXCHANGE_HEADERS];
    const struct http_stream_head head = {
        .kind = HTTP_STREAM_SSE, .headers = headers, .n_headers = exchange_headers(x, headers)};
    if (x->streaming) return;
    x->streaming = true;
    if (http_stream_begin(x->http, &head) != HTTP_DONE) cut(x);
    // Clients count on the choices to begin in their order.
    for (int i = 0; x->asked.kind == OPENAI_CHAT && i < x->n_choice; i++)
        exchange_stream_open(&x->choices[i]);
}

static json_t *call_delta(int index, json_t *call) {
    json_object_set_new(call, "index", json_integer(index));
    return json_pack("{s:[o]}", "tool_calls", call);
}

bool exchange_stream_piece(struct exchange_choice *choice, const struct dialect_event *event) {
    struct exchange *x = choice->x;
    json_t *delta = NULL;
    char id[80];
    exchange_stream_begin(x);
    exchange_stream_open(choice);
    switch (event->kind) {
    case DIALECT_REASONING:
        delta = json_pack("{s:s%, s:s%}", "reasoning_content", event->text, event->len, "reasoning",
                          event->text, event->len);
        break;
    case DIALECT_CONTENT:
        if (x->asked.kind == OPENAI_COMPLETION) {
            send_choice(choice, NULL, json_stringn(event->text, event->len), NULL);
            return !x->cut && !x->problem.status;
        }
        delta = json_pack("{s:s%}", "content", event->text, event->len);
        break;
    case DIALECT_CALL_START:
        exchange_call_id(choice, event, id, sizeof id);
        delta = call_delta(event->index,
                           json_pack("{s:s, s:s, s:{s:s, s:s}}", "id", id, "type", "function",
                                     "function", "name", event->name, "arguments", ""));
        break;
    case DIALECT_CALL_ARGS:
        delta = call_delta(event->index, json_pack("{s:{s:s%}}", "function", "arguments",
                                                   event->text, event->len));
        break;
    case DIALECT_CALL_END:
    case DIALECT_CALL_BROKEN: return true; // what follows the broken place comes as content
    }
    if (delta)
        send_choice(choice, delta, NULL, NULL);
    else
        openai_no_memory(&x->problem);
    return !x->cut && !x->problem.status;
}

void exchange_stream_finish(struct exchange_choice *choice) {
    bool chat = choice->x->asked.kind == OPENAI_CHAT;
    exchange_stream_begin(choice->x);
    exchange_stream_open(choice);
    send_choice(choice, chat ? json_object() : NULL, chat ? NULL : json_string(""), choice->finish);
}

void exchange_stream_end(struct exchange *x) {
    if (x->problem.status) {
        send(x, openai_problem_json(&x->problem));
    } else if (x->asked.include_usage) {
        send(x,
             json_pack("{s:s, s:s, s:I, s:s, s:s, s:[], s:o}", "id", x->id, "object",
                       x->asked.kind == OPENAI_CHAT ? "chat.completion.chunk" : "text_completion",
                       "created", (json_int_t)x->created, "model", served_parts(x->served)->id,
                       "system_fingerprint", served_class(x->served), "choices", "usage",
                       exchange_usage(x)));
    }
    if (x->cut) return; // what was cut must not end as if it were whole
    http_stream_event(x->http, NULL, "[DONE]", 6);
    http_stream_end(x->http);
}
