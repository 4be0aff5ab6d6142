#include "cli/chat/chat.h"

#include "cli/chat/signals.h"

/* Failures after which the conversation can go on as it was, if only to be saved: all but those of
 * the output, of which nobody could be told. */
static bool can_mend(enum jl_status status) { return status != JL_OK && status != JL_ERR_IO; }

static void note_stop(struct chat *chat, const struct answer *answer) {
    switch (answer->why) {
    case GENERATE_CANCEL:
        screen_note(&chat->screen, "stopped; what came is kept, /retry asks again");
        break;
    case GENERATE_CONTEXT:
        screen_note(&chat->screen,
                    "the context of %d tokens is full: /save FILE keeps the conversation, /clear "
                    "starts over",
                    session_capacity(chat->talk.session));
        break;
    case GENERATE_LENGTH:
        screen_note(&chat->screen, "stopped after %d tokens: -n N allows more", answer->n_token);
        break;
    default: break;
    }
}

static double rate(long n, double seconds) { return seconds > 0 ? (double)n / seconds : 0; }

static void note_speed(struct chat *chat, const struct answer *answer) {
    int n_read = answer->n_prompt - answer->n_reused;
    chat->sums.n_answer++;
    chat->sums.n_read += n_read;
    chat->sums.n_reused += answer->n_reused;
    chat->sums.n_token += answer->n_token;
    chat->sums.n_drafted += answer->speculation.n_drafted;
    chat->sums.n_accepted += answer->speculation.n_accepted;
    chat->sums.read_seconds += answer->prompt_seconds;
    chat->sums.decode_seconds += answer->decode_seconds;
    if (!chat->screen.terminal) return;
    screen_dim(&chat->screen,
               "(%d tokens at %.1f/s; read %d at %.0f/s, kept %d; context %d of %d)\n",
               answer->n_token, rate(answer->n_token, answer->decode_seconds), n_read,
               rate(n_read, answer->prompt_seconds), answer->n_reused,
               session_n_token(chat->talk.session), session_capacity(chat->talk.session));
}

static enum jl_status keep(struct chat *chat, struct answer *answer, struct jl_error *err) {
    json_t *message;
    JL_TRY(conversation_message("assistant", answer->content.data ? answer->content.data : "",
                                answer->content.len, &message, err));
    if (answer->reasoning.len)
        json_object_set_new(message, "reasoning",
                            json_stringn(answer->reasoning.data, answer->reasoning.len));
    if (answer->calls) json_object_set(message, "tool_calls", answer->calls);
    return conversation_add(&chat->said, message, err);
}

static void note_failure(struct chat *chat, enum jl_status status, const char *message) {
    if (status == JL_ERR_CANCELLED)
        screen_note(&chat->screen, "stopped before the answer began");
    else
        screen_note(&chat->screen, "%s", message);
    if (status == JL_ERR_LIMIT)
        screen_note(&chat->screen, "/save FILE keeps the conversation, /clear starts over");
}

/* Answers the last message. *kept: an answer was added, be it a part of one. */
static enum jl_status reply(struct chat *chat, bool *kept, struct jl_error *err) {
    struct prompt prompt = {0};
    struct answer answer = {0};
    struct answer_request request = {
        .talk = &chat->talk,
        .screen = &chat->screen,
        .prompt = &prompt,
        .dialect = chat->form.chat.dialect,
        .sampling = chat->sampling,
        .n = chat->n,
        .cancel = signals_interrupt(),
        .progress = chat->screen.styled,
    };
    struct jl_error inner;
    signals_take_interrupt();
    enum jl_status status = prompt_build(&chat->talk, &chat->form, &chat->said, &prompt, err);
    if (status == JL_OK) status = answer_give(&request, &answer, err);
    signals_take_interrupt();
    if (status == JL_OK && answer.why == GENERATE_CANCEL && answer.n_token == 0)
        status = jl_fail(err, JL_ERR_CANCELLED, "stopped");
    bool whole = status == JL_OK;
    chat->stopped = status == JL_ERR_CANCELLED || (whole && answer.why == GENERATE_CANCEL);
    // An answer without a token is one too, if nothing went wrong: the model had nothing to say.
    *kept = whole || answer.n_token > 0;
    enum jl_status keeping = *kept ? keep(chat, &answer, &inner) : JL_OK;
    if (whole) {
        note_speed(chat, &answer);
        note_stop(chat, &answer);
    } else if (can_mend(status)) {
        note_failure(chat, status, err->message);
        status = JL_OK;
    }
    if (status == JL_OK && keeping != JL_OK) status = jl_fail(err, keeping, "%s", inner.message);
    answer_free(&answer);
    prompt_free(&prompt);
    if (chat->screen.failed) chat->leave = true;
    return status;
}

enum jl_status chat_ask(struct chat *chat, const char *text, size_t len, struct jl_error *err) {
    json_t *message;
    bool kept = false;
    enum jl_status status = conversation_message("user", text, len, &message, err);
    if (status == JL_ERR_USAGE) {
        screen_note(&chat->screen, "%s", err->message);
        return JL_OK;
    }
    if (status == JL_OK) status = conversation_add(&chat->said, message, err);
    if (status != JL_OK) return status;
    chat->sampling.sequence = 0;
    status = reply(chat, &kept, err);
    // A question without an answer is not kept: a template may refuse two in a row.
    if (!kept) {
        conversation_drop_last(&chat->said);
        screen_note(&chat->screen, "the question is not kept: the up arrow brings it back");
    }
    return status;
}

enum jl_status chat_retry(struct chat *chat, struct jl_error *err) {
    size_t n = conversation_count(&chat->said);
    bool answered = n && conversation_is(&chat->said, n - 1, "assistant"), kept = false;
    if (n < 1 + (size_t)answered) {
        screen_note(&chat->screen, "there is no question to answer again");
        return JL_OK;
    }
    json_t *old = NULL;
    if (answered) {
        old = conversation_take_last(&chat->said);
        chat->sampling.sequence++;
    }
    if (chat->sampling.params.temperature <= 0)
        screen_note(&chat->screen, "at temperature 0 the same question gets the same answer: "
                                   "/temp 0.7 asks for variety");
    enum jl_status status = reply(chat, &kept, err);
    struct jl_error inner;
    if (old && !kept) { // nothing new came: the old answer stays
        enum jl_status back = conversation_add(&chat->said, old, &inner);
        return status == JL_OK && back != JL_OK ? jl_fail(err, back, "%s", inner.message) : status;
    }
    json_decref(old);
    return status;
}
