/* Text and thoughts, and the public functions of a stream. */
#include "text/dialect/stream.h"

#include <stdlib.h>
#include <string.h>

// The customary way to end a thought early; ours, in the words of a thinker.
#define FORCE_SENTENCE                                                                             \
    "\n\nMy time for thinking is up, so I will answer now with what I have worked out so far."

struct dialect_options dialect_options_default(void) {
    return (struct dialect_options){.thinking_budget = -1, .limit = DIALECT_LIMIT};
}

static void add_marks(struct dialect_stream *s) {
    const struct dialect *d = s->dialect;
    const struct dialect_think *think = &d->think;
    match_add(&s->match, think->open, "", MARK_THINK, IN_UNTHOUGHT | IN_OPENED);
    match_add(&s->match, think->close, think->before_close, MARK_THOUGHT_END, IN_THOUGHT);
    match_add(&s->match, d->answer_open, "", MARK_ANSWER, IN_FRESH);
    match_add(&s->match, d->answer_close, *d->answer_close ? "\n" : "", MARK_ANSWER_END, IN_ANSWER);
    const struct call_format *calls = s->calls;
    if (!calls) return;
    unsigned where = IN_FRESH | IN_TEXT | (calls->ends_thought ? (unsigned)IN_THOUGHT : 0);
    match_add(&s->match, calls->section_open, calls->before, MARK_SECTION, where);
    match_add(&s->match, calls->section_alt, calls->before, MARK_SECTION, where);
    if (!*calls->section_open || calls->lone)
        match_add(&s->match, calls->open, calls->before, MARK_CALL, where);
    if (calls->body == CALL_BARE && s->schema.n) match_add(&s->match, "{", "", MARK_BARE, IN_FRESH);
}

enum jl_status dialect_stream_new(const struct dialect *dialect,
                                  const struct dialect_options *options,
                                  struct dialect_stream **out, struct jl_error *err) {
    *out = NULL;
    struct dialect_stream *s = calloc(1, sizeof *s);
    if (!s) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a text stream");
    s->dialect = dialect;
    s->options = *options;
    if (!s->options.limit) s->options.limit = DIALECT_LIMIT;
    s->calls = options->ignore_calls ? NULL : dialect->calls;
    enum jl_status status = schema_open(options->tools, options->n_tool, &s->schema, err);
    if (status != JL_OK) {
        dialect_stream_free(s);
        return status;
    }
    s->options.tools = NULL; // the caller's, and copied
    s->skip = options->start.skip;
    s->fresh = true;
    if (options->start.in_thought && *dialect->think.open) {
        s->state = STREAM_THOUGHT;
        s->had_thought = s->thought_empty = true;
    }
    add_marks(s);
    *out = s;
    return JL_OK;
}

void dialect_stream_free(struct dialect_stream *s) {
    if (!s) return;
    schema_close(&s->schema);
    events_free(&s->events);
    buffer_free(&s->spaces);
    buffer_free(&s->raw);
    buffer_free(&s->again);
    buffer_free(&s->value);
    buffer_free(&s->call.name);
    buffer_free(&s->call.id);
    buffer_free(&s->call.key);
    buffer_free(&s->call.early);
    free(s->force);
    free(s);
}

void stream_text(struct dialect_stream *s, enum dialect_event_kind kind, const char *text,
                 size_t len) {
    if (len == 0 || (kind == DIALECT_REASONING && s->options.hide_thinking)) return;
    if (!events_add(&s->events, kind, 0, text, len)) s->no_memory = true;
}

void stream_keep(struct dialect_stream *s, struct byte_buffer *buffer, char byte) {
    if (!buffer_append(buffer, &byte, 1)) s->no_memory = true;
}

void stream_to_text(struct dialect_stream *s) {
    s->state = STREAM_TEXT;
    s->fresh = true;
    s->had_thought = false;
    s->spaces.len = 0;
    s->match.n_held = 0;
}

/* A byte that is no part of a mark. */
static void out(struct dialect_stream *s, char byte) {
    if (s->state == STREAM_THOUGHT) {
        s->thought_empty = false;
        stream_text(s, DIALECT_REASONING, &byte, 1);
        return;
    }
    if (s->fresh) stream_text(s, DIALECT_CONTENT, s->spaces.data, s->spaces.len);
    s->spaces.len = 0;
    s->fresh = false;
    stream_text(s, DIALECT_CONTENT, &byte, 1);
}

static void mark(struct dialect_stream *s, int action) {
    const struct dialect_think *think = &s->dialect->think;
    char held[MATCH_BYTES];
    size_t n = s->match.n_held;
    memcpy(held, s->match.held, n);
    s->match.n_held = 0;
    s->skip = NULL;
    switch (action) {
    case MARK_THINK:
        s->spaces.len = 0;
        s->state = STREAM_THOUGHT;
        s->had_thought = true;
        s->thought_empty = false;
        s->skip = think->after_open;
        break;
    case MARK_THOUGHT_END:
        s->state = STREAM_TEXT;
        s->fresh = true;
        s->skip = think->after_close;
        break;
    case MARK_ANSWER:
        s->spaces.len = 0;
        s->in_answer = true;
        s->skip = "\n";
        break;
    case MARK_ANSWER_END:
        s->spaces.len = 0;
        s->in_answer = false;
        s->fresh = true;
        break;
    default: stream_call_begin(s, held, n, action);
    }
}

static unsigned where(const struct dialect_stream *s) {
    if (s->state == STREAM_THOUGHT)
        return IN_THOUGHT | (s->thought_empty ? (unsigned)IN_OPENED : 0);
    unsigned at = IN_TEXT;
    if (s->fresh) at |= IN_FRESH;
    if (s->fresh && !s->had_thought) at |= IN_UNTHOUGHT;
    if (s->in_answer) at |= IN_ANSWER;
    return at;
}

static void text_byte(struct dialect_stream *s, char byte) {
    if (s->skip && *s->skip) {
        if (*s->skip++ == byte) return;
        s->skip = NULL;
    }
    if (s->state == STREAM_TEXT && s->fresh && s->match.n_held == 0 && match_is_space(byte)) {
        stream_keep(s, &s->spaces, byte);
        return;
    }
    s->match.held[s->match.n_held++] = byte;
    while (s->match.n_held) {
        int action = match_test(&s->match, where(s));
        if (action == MATCH_HOLD) return;
        if (action != MATCH_NONE) {
            mark(s, action);
            return;
        }
        out(s, match_shift(&s->match));
    }
}

static void any_byte(struct dialect_stream *s, char byte) {
    if (s->state == STREAM_TEXT || s->state == STREAM_THOUGHT)
        text_byte(s, byte);
    else
        stream_call_byte(s, byte);
}

static void read_again(struct dialect_stream *s) {
    while (s->again_at < s->again.len && !s->no_memory)
        any_byte(s, s->again.data[s->again_at++]);
    s->again.len = s->again_at = 0;
}

static size_t held(const struct dialect_stream *s) {
    size_t fenced = s->events.fence ? s->events.text.len - s->events.fence_text : 0;
    return s->spaces.len + s->raw.len + s->value.len + s->call.early.len + fenced;
}

/* Gives up all that is held, as text: after the limit nothing is understood any more. */
static void give_up(struct dialect_stream *s) {
    if (s->state != STREAM_TEXT && s->state != STREAM_THOUGHT) {
        bool started = s->call.started;
        if (started && s->options.whole_calls) {
            events_fence_drop(&s->events);
        } else if (started && !s->call.complete) {
            const char *why = "the call is longer than may be held back";
            if (!events_add(&s->events, DIALECT_CALL_BROKEN, s->n_call - 1, why, strlen(why)))
                s->no_memory = true;
        }
        events_fence_open(&s->events);
        stream_text(s, DIALECT_CONTENT, s->raw.data, s->raw.len);
    } else {
        stream_text(s, DIALECT_CONTENT, s->spaces.data, s->spaces.len);
        stream_text(s, s->state == STREAM_THOUGHT ? DIALECT_REASONING : DIALECT_CONTENT,
                    s->match.held, s->match.n_held);
    }
    if (s->again.len)
        stream_text(s, DIALECT_CONTENT, s->again.data + s->again_at, s->again.len - s->again_at);
    s->again.len = s->again_at = s->raw.len = s->spaces.len = s->value.len = s->match.n_held = 0;
    s->call.early.len = 0;
    s->state = STREAM_TEXT;
    s->dead = true;
}

static enum jl_status check(struct dialect_stream *s, struct jl_error *err) {
    if (!s->no_memory) return JL_OK;
    s->dead = true;
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the text of a turn");
}

enum jl_status dialect_stream_push(struct dialect_stream *s, const char *text, size_t len,
                                   struct jl_error *err) {
    if (s->dead || s->over)
        return jl_fail(err, s->over ? JL_ERR_USAGE : JL_ERR_LIMIT,
                       "the text stream has ended and takes no more text");
    events_compact(&s->events);
    if (events_waiting(&s->events) > s->options.limit && !s->events.fence)
        return jl_fail(err, JL_ERR_LIMIT,
                       "more than %zu bytes of events wait: fetch them before pushing more",
                       s->options.limit);
    for (size_t i = 0; i < len && !s->no_memory; i++) {
        any_byte(s, text[i]);
        read_again(s);
        if (held(s) <= s->options.limit) continue;
        give_up(s);
        JL_TRY(check(s, err));
        return jl_fail(err, JL_ERR_LIMIT,
                       "a tool call or white space needs more than %zu bytes to be held back",
                       s->options.limit);
    }
    return check(s, err);
}

enum jl_status dialect_stream_end(struct dialect_stream *s, struct jl_error *err) {
    if (s->over) return JL_OK;
    s->over = true;
    events_compact(&s->events);
    while (s->state != STREAM_TEXT && s->state != STREAM_THOUGHT && !s->no_memory) {
        stream_call_over(s);
        read_again(s);
    }
    // White space alone is the text of a turn without calls, and separates calls otherwise.
    if (s->state == STREAM_TEXT && s->fresh && s->match.n_held == 0 && s->n_call == 0)
        stream_text(s, DIALECT_CONTENT, s->spaces.data, s->spaces.len);
    while (s->match.n_held)
        out(s, match_shift(&s->match));
    s->spaces.len = 0;
    return check(s, err);
}

bool dialect_stream_next(struct dialect_stream *s, struct dialect_event *event) {
    return events_next(&s->events, s->over || s->dead, event);
}

bool dialect_stream_in_thought(const struct dialect_stream *s) {
    return s->state == STREAM_THOUGHT;
}

int dialect_stream_calls(const struct dialect_stream *s) { return s->n_call; }

static bool ends_whole(const struct dialect_stream *s) {
    return s->match.n_held == 0 || (s->match.n_held == 1 && s->match.held[0] == '\n');
}

bool dialect_thinking_over(struct dialect_stream *s, size_t n_token, const char **text) {
    if (s->state != STREAM_THOUGHT || s->options.thinking_budget < 0 || s->budget_over)
        return false;
    s->thought_tokens += n_token;
    // Never inside a mark: the model may be closing the thought itself.
    if (s->thought_tokens < (size_t)s->options.thinking_budget || !ends_whole(s)) return false;
    const struct dialect_think *think = &s->dialect->think;
    const char *sentence = s->options.thinking_budget ? FORCE_SENTENCE : "";
    if (!s->force) {
        size_t size = strlen(sentence) + strlen(think->before_close) + strlen(think->close) +
                      strlen(think->after_close) + 1;
        s->force = malloc(size);
        if (!s->force) return false; // asked again after the next token
        char *at = stpcpy(s->force, sentence);
        at = stpcpy(at, think->before_close);
        at = stpcpy(at, think->close);
        stpcpy(at, think->after_close);
    }
    s->budget_over = true;
    *text = s->force;
    return true;
}
