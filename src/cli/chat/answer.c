#include "cli/chat/answer.h"
#include "base/clock.h"

#include <string.h>

#include "base/json.h"

struct listener {
    const struct answer_request *request;
    struct answer *answer;
    struct dialect_stream *stream; // NULL without a dialect
    double started;                // of the first token
    bool in_thought;
    struct byte_buffer name, id, arguments; // of the call that is coming
};

void answer_free(struct answer *answer) {
    buffer_free(&answer->content);
    buffer_free(&answer->reasoning);
    json_decref(answer->calls);
    *answer = (struct answer){0};
}

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
}

/* ---- what a dialect says ---- */

static void end_thought(struct listener *listener) {
    struct answer *answer = listener->answer;
    if (!listener->in_thought) return;
    listener->in_thought = false;
    answer->thought_seconds += clock_seconds() - listener->started;
    screen_thought_end(listener->request->screen, answer->thought_seconds, answer->n_thought);
}

static enum jl_status on_text(struct listener *listener, const struct dialect_event *event,
                              struct jl_error *err) {
    struct answer *answer = listener->answer;
    bool thought = event->kind == DIALECT_REASONING;
    struct byte_buffer *to = thought ? &answer->reasoning : &answer->content;
    if (!buffer_append(to, event->text, event->len)) return no_memory(err);
    if (thought) {
        listener->in_thought = true;
        screen_thought(listener->request->screen, event->text, event->len, answer->n_thought);
        return JL_OK;
    }
    end_thought(listener);
    screen_text(listener->request->screen, event->text, event->len);
    return JL_OK;
}

static bool set(struct byte_buffer *buffer, const char *text) {
    buffer->len = 0;
    return buffer_append(buffer, text, strlen(text) + 1);
}

/* A whole call: kept, and shown as its name and arguments. */
static enum jl_status add_call(struct listener *listener, struct jl_error *err) {
    struct answer *answer = listener->answer;
    struct screen *screen = listener->request->screen;
    const char *name = listener->name.data;
    json_t *arguments;
    enum jl_status status = jl_json_load(listener->arguments.data, listener->arguments.len,
                                         JSON_ALLOW_NUL, &arguments, NULL);
    if (status == JL_ERR_MEMORY) return no_memory(err);
    json_t *call = json_pack("{s:s, s:{s:s, s:o}}", "type", "function", "function", "name", name,
                             "arguments", arguments);
    if (call && listener->id.len > 1)
        json_object_set_new(call, "id", json_string(listener->id.data));
    if (!answer->calls) answer->calls = json_array();
    if (!call || !answer->calls || json_array_append_new(answer->calls, call))
        return jl_fail(err, JL_ERR_FORMAT, "the call of the tool %.60s cannot be read", name);
    screen_text_end(screen);
    screen_text(screen, "-> ", 3);
    screen_text(screen, name, strlen(name));
    screen_text(screen, " ", 1);
    screen_text(screen, listener->arguments.data, listener->arguments.len);
    screen_text(screen, "\n", 1);
    return JL_OK;
}

static enum jl_status on_event(struct listener *listener, const struct dialect_event *event,
                               struct jl_error *err) {
    switch (event->kind) {
    case DIALECT_REASONING:
    case DIALECT_CONTENT: return on_text(listener, event, err);
    case DIALECT_CALL_START:
        end_thought(listener);
        listener->arguments.len = 0;
        return set(&listener->name, event->name) && set(&listener->id, event->id) ? JL_OK
                                                                                  : no_memory(err);
    case DIALECT_CALL_ARGS:
        return buffer_append(&listener->arguments, event->text, event->len) ? JL_OK
                                                                            : no_memory(err);
    case DIALECT_CALL_END: return add_call(listener, err);
    case DIALECT_CALL_BROKEN: break; // its text comes as content: see whole_calls
    }
    return JL_OK;
}

static enum jl_status take_events(struct listener *listener, struct jl_error *err) {
    struct dialect_event event;
    while (dialect_stream_next(listener->stream, &event))
        JL_TRY(on_event(listener, &event, err));
    return JL_OK;
}

/* ---- what the model says ---- */

static enum jl_status on_token(void *ctx, int32_t id, const char *text, size_t len, bool *go_on,
                               struct jl_error *err) {
    struct listener *listener = ctx;
    struct answer *answer = listener->answer;
    if (!listener->stream) {
        struct dialect_event event = {.kind = DIALECT_CONTENT, .text = text, .len = len};
        JL_TRY(on_text(listener, &event, err));
    } else {
        answer->n_thought += id != TOKEN_NONE && dialect_stream_in_thought(listener->stream);
        JL_TRY(dialect_stream_push(listener->stream, text, len, err));
        JL_TRY(take_events(listener, err));
    }
    *go_on = !listener->request->screen->failed;
    return JL_OK;
}

static bool shows(void *ctx, const char *text, size_t len) {
    const struct listener *listener = ctx;
    return dialect_is_mark(listener->request->dialect, text, len);
}

static enum jl_status generate(struct listener *listener, struct jl_error *err) {
    const struct answer_request *request = listener->request;
    struct answer *answer = listener->answer;
    struct generate_sink sink = {on_token, listener, listener->stream ? shows : NULL,
                                 .at_start = listener->stream != NULL};
    struct generate_result result;
    listener->started = clock_seconds();
    struct talk_request asked = {request->sampling, request->n, request->cancel};
    enum jl_status status = talk_generate(request->talk, &asked, &sink, &result, err);
    answer->why = result.finish;
    answer->n_token = result.n_token;
    answer->speculation = result.speculation;
    if (listener->stream) {
        struct jl_error inner;
        enum jl_status ended = dialect_stream_end(listener->stream, &inner);
        if (ended == JL_OK) ended = take_events(listener, &inner);
        if (status == JL_OK && ended != JL_OK) status = jl_fail(err, ended, "%s", inner.message);
    }
    end_thought(listener);
    screen_text_end(request->screen);
    answer->decode_seconds = clock_seconds() - listener->started;
    return status;
}

/* ---- the prompt ---- */

static void on_progress(void *ctx, int done, int total) {
    cli_progress_step(ctx, "reading: token", done, total);
}

static enum jl_status read_prompt(const struct answer_request *request, struct answer *answer,
                                  struct jl_error *err) {
    struct cli_progress line;
    struct session_watch watch = {request->cancel, request->progress ? on_progress : NULL, &line};
    double started = clock_seconds();
    if (request->prompt->n > INT32_MAX)
        return jl_fail(err, JL_ERR_LIMIT, "the prompt has %zu tokens", request->prompt->n);
    answer->n_prompt = (int)request->prompt->n;
    cli_progress_start(&line);
    enum jl_status status = session_sync(request->talk->session, request->prompt->ids,
                                         answer->n_prompt, &watch, &answer->n_reused, err);
    cli_progress_end(&line);
    answer->prompt_seconds = clock_seconds() - started;
    return status;
}

enum jl_status answer_give(const struct answer_request *request, struct answer *out,
                           struct jl_error *err) {
    struct listener listener = {.request = request, .answer = out};
    *out = (struct answer){0};
    enum jl_status status = read_prompt(request, out, err);
    if (status == JL_OK && request->dialect) {
        struct dialect_options options = dialect_options_default();
        options.whole_calls = true;
        options.start = request->prompt->start;
        status = dialect_stream_new(request->dialect, &options, &listener.stream, err);
    }
    if (status == JL_OK) status = generate(&listener, err);
    dialect_stream_free(listener.stream);
    buffer_free(&listener.name);
    buffer_free(&listener.id);
    buffer_free(&listener.arguments);
    return status;
}
