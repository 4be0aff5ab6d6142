/* Answers that are sent as a whole, and the pieces that both ways have in common. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/openai/exchange_self.h"

static bool no_memory(struct exchange_choice *choice) {
    return openai_no_memory(&choice->x->problem);
}

/* ---- calls ---- */

void exchange_call_id(const struct exchange_choice *choice, const struct dialect_event *event,
                      char *out, size_t size) {
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a
    if (event->id && *event->id) {
        snprintf(out, size, "%s", event->id);
        return;
    }
    for (const char *at = choice->x->id; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(1099511628211);
    hash += (uint64_t)choice->index * 1000003 + (uint64_t)event->index * 7919;
    hash *= UINT64_C(0x9E3779B97F4A7C15);
    for (int i = 0; i < 9; i++, hash /= 62) // some templates take nine letters and digits, no more
        out[i] = digits[hash % 62];
    out[9] = 0;
}

static bool open_call(struct exchange_choice *choice, const struct dialect_event *event) {
    struct exchange_call *grown =
        realloc(choice->calls, ((size_t)choice->n_call + 1) * sizeof *grown);
    if (!grown) return no_memory(choice);
    choice->calls = grown;
    struct exchange_call *call = &grown[choice->n_call];
    *call = (struct exchange_call){.name = strdup(event->name)};
    if (!call->name) return no_memory(choice);
    exchange_call_id(choice, event, call->id, sizeof call->id);
    choice->n_call++;
    return true;
}

bool exchange_keep_piece(struct exchange_choice *choice, const struct dialect_event *event) {
    struct byte_buffer *to = &choice->content;
    switch (event->kind) {
    case DIALECT_REASONING: to = &choice->reasoning; break;
    case DIALECT_CONTENT: break;
    case DIALECT_CALL_START: return open_call(choice, event);
    case DIALECT_CALL_ARGS: to = &choice->calls[choice->n_call - 1].arguments; break;
    case DIALECT_CALL_END: // an id that came behind the arguments
        if (event->id && *event->id)
            exchange_call_id(choice, event, choice->calls[choice->n_call - 1].id,
                             sizeof choice->calls->id);
        return true;
    case DIALECT_CALL_BROKEN: return true; // what there was of it stays; the rest is content
    }
    return buffer_append(to, event->text, event->len) || no_memory(choice);
}

static json_t *calls_of(const struct exchange_choice *choice) {
    json_t *calls = json_array();
    for (int i = 0; i < choice->n_call; i++) {
        const struct exchange_call *call = &choice->calls[i];
        json_array_append_new(calls,
                              json_pack("{s:s, s:s, s:{s:s, s:s%}}", "id", call->id, "type",
                                        "function", "function", "name", call->name, "arguments",
                                        call->arguments.data ? call->arguments.data : "",
                                        call->arguments.len));
    }
    return calls;
}

/* ---- log-probabilities ---- */

/* The bytes of a token, whatever it is. */
static bool token_text(const struct exchange *x, int32_t id, struct byte_buffer *out) {
    struct token_stream stream;
    struct jl_error err;
    token_stream_init(&stream, served_parts(x->served)->tokenizer, false);
    stream.show_control = stream.raw = true;
    out->len = 0;
    return token_stream_push(&stream, id, &out->data, &out->len, &out->cap, &err) == JL_OK &&
           token_stream_end(&stream, &out->data, &out->len, &out->cap, &err) == JL_OK;
}

/* A text that may be a piece of a character: U+FFFD for what is none, in completions its bytes. */
static json_t *text_json(const struct exchange *x, const struct byte_buffer *bytes) {
    json_t *json = json_stringn(bytes->data ? bytes->data : "", bytes->len);
    char out[8 + 4 * 64] = "bytes:";
    if (json) return json;
    if (x->asked.kind == OPENAI_CHAT) return json_string("\xef\xbf\xbd");
    for (size_t i = 0, at = 6; i < bytes->len && i < 64; i++, at += 4)
        snprintf(out + at, sizeof out - at, "\\x%02x", (unsigned char)bytes->data[i]);
    return json_string(out);
}

static json_t *entry_of(const struct exchange *x, int32_t id, double logprob) {
    struct byte_buffer text = {0};
    json_t *bytes = json_array(), *entry = NULL;
    if (bytes) {
        if (!token_text(x, id, &text)) text.len = 0; // a row of the model that is no token
        for (size_t i = 0; i < text.len; i++)
            json_array_append_new(bytes, json_integer((unsigned char)text.data[i]));
        entry = json_pack("{s:o, s:f, s:O}", "token", text_json(x, &text), "logprob", logprob,
                          "bytes", bytes);
    }
    json_decref(bytes);
    buffer_free(&text);
    return entry;
}

json_t *exchange_logprob(struct exchange_choice *choice, const struct scheduler_token *token) {
    const struct exchange *x = choice->x;
    struct sample_logprob top[OPENAI_MOST_TOP_LOGPROBS];
    int n = x->asked.n_top, n_vocab = exec_model(served_parts(x->served)->exec)->hp.n_vocab;
    if (n > n_vocab) n = n_vocab;
    double logprob = sample_logprobs(token->logits, token->scratch, token->id, n, top);
    json_t *entry = entry_of(x, token->id, logprob), *list = json_array();
    if (entry && list && !json_object_set(entry, "top_logprobs", list))
        for (int i = 0; i < n; i++)
            json_array_append_new(list, entry_of(x, top[i].id, top[i].logprob));
    json_decref(list);
    return entry;
}

bool exchange_prompt_logprobs(struct exchange_choice *choice) {
    const struct exchange *x = choice->x;
    const struct scoring *s = &x->parts[choice->index / x->asked.n].scoring;
    choice->logprobs = json_array();
    for (int at = 0; at < s->n; at++) {
        json_t *entry = entry_of(x, s->ids[at], s->logprobs[at]), *list = json_array();
        if (!entry || !list) {
            json_decref(entry);
            json_decref(list);
            return no_memory(choice);
        }
        if (at == 0) json_object_set_new(entry, "logprob", json_null());
        for (int i = 0; at && i < s->n_top; i++) {
            const struct sample_logprob *one = &s->top[(size_t)at * (size_t)s->n_top + (size_t)i];
            json_array_append_new(list, entry_of(x, one->id, one->logprob));
        }
        json_object_set_new(entry, "top_logprobs", at ? list : json_null());
        if (!at) json_decref(list);
        json_array_append_new(choice->logprobs, entry);
    }
    return true;
}

/* Characters that begin in a token. */
static size_t count_characters(const json_t *bytes) {
    const json_t *byte;
    size_t i, n = 0;
    json_array_foreach(bytes, i, byte) { n += (json_integer_value(byte) & 0xC0) != 0x80; }
    return n;
}

/* Four lists, as completions have it; each entry's text moves the offset on. */
static json_t *as_lists(struct exchange_choice *choice, const json_t *entries) {
    json_t *tokens = json_array(), *logprobs = json_array(), *tops = json_array(),
           *offsets = json_array(), *entry, *top;
    size_t i, k;
    json_array_foreach(entries, i, entry) {
        json_t *likeliest = json_object();
        json_array_append(tokens, json_object_get(entry, "token"));
        json_array_append(logprobs, json_object_get(entry, "logprob"));
        json_array_append_new(offsets, json_integer((json_int_t)choice->text_offset));
        choice->text_offset += count_characters(json_object_get(entry, "bytes"));
        json_array_foreach(json_object_get(entry, "top_logprobs"), k, top) {
            const char *text = json_string_value(json_object_get(top, "token"));
            if (!json_object_get(likeliest, text)) // the likelier one of two that are written alike
                json_object_set(likeliest, text, json_object_get(top, "logprob"));
        }
        const char *chosen = json_string_value(json_object_get(entry, "token"));
        if (choice->x->asked.n_top && !json_object_get(likeliest, chosen))
            json_object_set(likeliest, chosen, json_object_get(entry, "logprob"));
        if (json_is_array(json_object_get(entry, "top_logprobs")))
            json_array_append(tops, likeliest);
        else
            json_array_append_new(tops, json_null()); // nothing comes before the first
        json_decref(likeliest);
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "tokens", tokens, "token_logprobs", logprobs,
                     "top_logprobs", tops, "text_offset", offsets);
}

json_t *exchange_take_logprobs(struct exchange_choice *choice) {
    json_t *entries = choice->logprobs, *out;
    if (!choice->x->asked.logprobs || !entries) return json_null();
    choice->logprobs = NULL;
    choice->x->n_entry -= (int64_t)json_array_size(entries) * (1 + choice->x->asked.n_top);
    if (choice->x->asked.kind == OPENAI_CHAT)
        return json_pack("{s:o, s:n}", "content", entries, "refusal");
    out = as_lists(choice, entries);
    json_decref(entries);
    return out;
}

json_t *exchange_take_ids(struct exchange_choice *choice) {
    json_t *ids = json_array();
    for (size_t i = 0; i < choice->ids.len; i++)
        json_array_append_new(ids, json_integer(choice->ids.data[i]));
    choice->ids.len = 0;
    return ids;
}

/* ---- the answer ---- */

json_t *exchange_usage(const struct exchange *x) {
    json_int_t prompt = 0, cached = 0, made = 0, thought = 0;
    for (int i = 0; i < x->n_part; i++) {
        prompt += (json_int_t)x->parts[i].ids.len;
        cached += x->parts[i].n_cached;
    }
    for (int i = 0; i < x->n_choice; i++) {
        made += x->choices[i].n_token;
        thought += reply_n_thought(x->choices[i].reply);
    }
    return json_pack("{s:I, s:I, s:I, s:{s:I}, s:{s:I}}", "prompt_tokens", prompt,
                     "completion_tokens", made, "total_tokens", prompt + made,
                     "prompt_tokens_details", "cached_tokens", cached, "completion_tokens_details",
                     "reasoning_tokens", thought);
}

static json_t *text_of(const struct byte_buffer *buffer) {
    return json_stringn(buffer->data ? buffer->data : "", buffer->len);
}

static json_t *message_of(const struct exchange_choice *choice) {
    json_t *message = json_pack("{s:s}", "role", "assistant");
    bool bare = choice->n_call && !choice->content.len;
    json_object_set_new(message, "content", bare ? json_null() : text_of(&choice->content));
    json_object_set_new(message, "refusal", json_null());
    if (choice->reasoning.len) { // under both names that clients look for
        json_object_set_new(message, "reasoning_content", text_of(&choice->reasoning));
        json_object_set_new(message, "reasoning", text_of(&choice->reasoning));
    }
    if (choice->n_call) json_object_set_new(message, "tool_calls", calls_of(choice));
    return message;
}

static json_t *prompt_ids(const struct exchange_part *part) {
    json_t *ids = json_array();
    for (size_t i = 0; i < part->ids.len; i++)
        json_array_append_new(ids, json_integer(part->ids.data[i]));
    return ids;
}

/* The text of a completion, with its prompt where that is wanted. */
static json_t *completion_text(struct exchange *x, struct exchange_choice *choice) {
    const struct exchange_part *part = &x->parts[choice->index / x->asked.n];
    struct byte_buffer all = {0};
    struct jl_error err;
    struct token_stream stream;
    if (!x->asked.echo) return text_of(&choice->content);
    token_stream_init(&stream, served_parts(x->served)->tokenizer, true);
    bool fits = true;
    for (size_t i = 0; fits && i < part->ids.len; i++)
        fits = token_stream_push(&stream, part->ids.data[i], &all.data, &all.len, &all.cap, &err) ==
               JL_OK;
    fits = fits && token_stream_end(&stream, &all.data, &all.len, &all.cap, &err) == JL_OK &&
           buffer_append(&all, choice->content.data, choice->content.len);
    json_t *text = fits ? text_of(&all) : NULL;
    buffer_free(&all);
    return text;
}

static json_t *choice_json(struct exchange *x, struct exchange_choice *choice) {
    json_t *json = json_pack("{s:i, s:o, s:s}", "index", choice->index, "logprobs",
                             exchange_take_logprobs(choice), "finish_reason", choice->finish);
    if (x->asked.kind == OPENAI_CHAT)
        json_object_set_new(json, "message", message_of(choice));
    else
        json_object_set_new(json, "text", completion_text(x, choice));
    if (x->asked.return_token_ids) {
        json_object_set_new(json, "token_ids", exchange_take_ids(choice));
        if (x->asked.kind == OPENAI_COMPLETION)
            json_object_set_new(json, "prompt_token_ids",
                                prompt_ids(&x->parts[choice->index / x->asked.n]));
    }
    return json;
}

json_t *exchange_whole(struct exchange *x) {
    json_t *choices = json_array();
    for (int i = 0; i < x->n_choice; i++)
        json_array_append_new(choices, choice_json(x, &x->choices[i]));
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:o, s:o}", "id", x->id, "object",
        x->asked.kind == OPENAI_CHAT ? "chat.completion" : "text_completion", "created",
        (json_int_t)x->created, "model", served_parts(x->served)->id, "system_fingerprint",
        served_class(x->served), "choices", choices, "usage", exchange_usage(x));
    if (json && x->asked.return_token_ids && x->asked.kind == OPENAI_CHAT)
        json_object_set_new(json, "prompt_token_ids", prompt_ids(&x->parts[0]));
    return json;
}
