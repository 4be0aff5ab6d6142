/* A reply as the model itself would write it, for templates whose rendering of it does not go on
 * from the prompt. dialect_render_calls reads back what it writes, so the text means the message.
 */
#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/json_print.h"
#include "train/data/chat.h"

/* The parts of a message; heap. */
struct spoken {
    struct byte_buffer thinking, content;
    bool thinks;
    struct dialect_call *calls;
    size_t n_call;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a conversation");
}

static void spoken_free(struct spoken *s) {
    for (size_t i = 0; i < s->n_call; i++)
        free((char *)s->calls[i].arguments);
    free(s->calls);
    buffer_free(&s->thinking);
    buffer_free(&s->content);
}

static bool put(struct byte_buffer *buffer, const char *text, size_t len) {
    return buffer_append(buffer, text, len);
}

/* A content with the thought inside it. */
static enum jl_status part_thought(const struct dialect *dialect, struct dialect_start start,
                                   const json_t *content, struct spoken *s, struct jl_error *err) {
    struct dialect_options options = dialect_options_default();
    struct dialect_stream *stream;
    struct dialect_event event;
    bool fits = true;
    options.start = start;
    options.ignore_calls = true;
    JL_TRY(dialect_stream_new(dialect, &options, &stream, err));
    enum jl_status status =
        dialect_stream_push(stream, json_string_value(content), json_string_length(content), err);
    if (status == JL_OK) status = dialect_stream_end(stream, err);
    while (status == JL_OK && fits && dialect_stream_next(stream, &event)) {
        bool thought = event.kind == DIALECT_REASONING;
        s->thinks = s->thinks || thought;
        fits = put(thought ? &s->thinking : &s->content, event.text, event.len);
    }
    dialect_stream_free(stream);
    return status == JL_OK && !fits ? no_memory(err) : status;
}

static enum jl_status read_texts(const struct dialect *dialect, struct dialect_start start,
                                 const json_t *message, struct spoken *s, struct jl_error *err) {
    const json_t *reasoning = json_object_get(message, "reasoning_content");
    const json_t *content = json_object_get(message, "content");
    const char *text = json_string_value(content);
    size_t len = text ? json_string_length(content) : 0, close = strlen(dialect->think.close);
    bool inside = !reasoning && close && len && memmem(text, len, dialect->think.close, close);
    if (inside) return part_thought(dialect, start, content, s, err);
    bool fits = put(&s->content, text ? text : "", len);
    s->thinks = reasoning != NULL;
    if (fits && reasoning)
        fits = put(&s->thinking, json_string_value(reasoning), json_string_length(reasoning));
    return fits ? JL_OK : no_memory(err);
}

static enum jl_status read_call(const json_t *call, struct dialect_call *out,
                                struct jl_error *err) {
    const json_t *function = json_object_get(call, "function");
    const json_t *arguments = json_object_get(function, "arguments");
    struct byte_buffer text = {0};
    enum jl_status status = JL_OK;
    if (json_is_string(arguments)) {
        if (!put(&text, json_string_value(arguments), json_string_length(arguments)))
            status = no_memory(err);
    } else {
        status = json_print_value(arguments, NULL, &text, err);
    }
    if (status == JL_OK && !put(&text, "", 1)) status = no_memory(err);
    *out = (struct dialect_call){.name = json_string_value(json_object_get(function, "name")),
                                 .arguments = text.data,
                                 .id = json_string_value(json_object_get(call, "id"))};
    return status;
}

static enum jl_status read_calls(const json_t *calls, struct spoken *s, struct jl_error *err) {
    size_t i;
    json_t *call;
    s->calls = calloc(json_array_size(calls) + 1, sizeof *s->calls);
    if (!s->calls) return no_memory(err);
    json_array_foreach(calls, i, call) {
        enum jl_status status = read_call(call, &s->calls[i], err);
        s->n_call = i + 1;
        JL_TRY(status);
    }
    return JL_OK;
}

/* What of the turn's text the prompt has written already: the mark that opens the thought. */
static enum jl_status skip_opened(const struct dialect *dialect, struct dialect_start start,
                                  const struct spoken *s, const char *text, size_t *skip,
                                  struct jl_error *err) {
    const struct dialect_think *think = &dialect->think;
    size_t open = strlen(think->open), after = strlen(think->after_open);
    size_t left = start.skip ? strlen(start.skip) : 0;
    *skip = 0;
    if (!start.in_thought) return JL_OK;
    if (!s->thinks)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the chat template opens a thought in the prompt and the reply has none: "
                       "give it as \"reasoning_content\", \"\" for an empty one");
    if (left > after || strncmp(text, think->open, open) != 0 ||
        strncmp(text + open, think->after_open, after) != 0)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the thought of the reply does not go on from the prompt's");
    *skip = open + after - left;
    return JL_OK;
}

/* Marks a part of the reply, found from *at on, as a user's words. */
static bool mark(struct chat_rendered *whole, const struct byte_buffer *part, size_t *at) {
    if (part->len == 0) return true;
    const char *found = memmem(whole->text + *at, whole->len - *at, part->data, part->len);
    if (!found) return false;
    size_t start = (size_t)(found - whole->text), stop = start + part->len;
    bool touches = whole->n_user && whole->user[whole->n_user - 1].stop == start;
    if (touches)
        whole->user[whole->n_user - 1].stop = stop;
    else
        whole->user[whole->n_user++] = (struct text_span){start, stop};
    *at = stop;
    return true;
}

static enum jl_status put_together(const struct chat_rendered *prompt, const struct spoken *s,
                                   const char *text, size_t len, struct chat_rendered *out,
                                   struct jl_error *err) {
    size_t at = prompt->len;
    out->text = malloc(prompt->len + len + 1);
    out->user = calloc(prompt->n_user + 2, sizeof *out->user);
    if (!out->text || !out->user) return no_memory(err);
    memcpy(out->text, prompt->text, prompt->len);
    memcpy(out->text + prompt->len, text, len + 1);
    out->len = prompt->len + len;
    out->n_user = prompt->n_user;
    if (prompt->n_user) memcpy(out->user, prompt->user, prompt->n_user * sizeof *out->user);
    if (mark(out, &s->thinking, &at) && mark(out, &s->content, &at)) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "the model would not write the reply as it stands: remove white space at its "
                   "ends");
}

enum jl_status data_chat_speak(const struct data_chat *chat, const struct chat_rendered *prompt,
                               const json_t *message, struct chat_rendered *out,
                               struct jl_error *err) {
    const struct dialect *dialect = chat->form->dialect;
    struct dialect_start start = dialect_prompt_end(dialect, prompt->text, prompt->len);
    struct spoken s = {0};
    struct jl_error inner = {0};
    char *text = NULL;
    size_t len = 0, skip = 0;
    *out = (struct chat_rendered){0};
    enum jl_status status = read_texts(dialect, start, message, &s, err);
    if (status == JL_OK) status = read_calls(json_object_get(message, "tool_calls"), &s, err);
    bool fits = put(&s.content, "", 1) && put(&s.thinking, "", 1); // as C strings
    if (status == JL_OK && !fits) status = no_memory(err);
    if (status == JL_OK && (strlen(s.content.data) + 1 != s.content.len ||
                            strlen(s.thinking.data) + 1 != s.thinking.len))
        status = jl_fail(err, JL_ERR_UNSUPPORTED, "the reply has a NUL character: remove it");
    if (status == JL_OK) {
        const struct dialect_turn turn = {.thinking = s.thinks ? s.thinking.data : NULL,
                                          .content = s.content.data,
                                          .calls = s.calls,
                                          .n_call = s.n_call};
        status = dialect_render_calls(dialect, &turn, &text, &len, &inner);
        if (status != JL_OK)
            jl_fail(err, status,
                    "the chat template does not write this reply behind its prompt, "
                    "and the model would not either: %s",
                    inner.message);
        s.content.len--;
        s.thinking.len--;
    }
    if (status == JL_OK) status = skip_opened(dialect, start, &s, text, &skip, err);
    if (status == JL_OK) status = put_together(prompt, &s, text + skip, len - skip, out, err);
    if (status != JL_OK) chat_rendered_free(out);
    free(text);
    spoken_free(&s);
    return status;
}
