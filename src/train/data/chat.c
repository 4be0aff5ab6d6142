#include "train/data/chat.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/json_print.h"

/* A reply behind its prompt: ids[n_prompt, n) are the model's to write. */
struct turn {
    int32_t *ids; // heap
    size_t n, n_prompt;
};

struct example {
    int32_t *ids;  // (n), heap
    uint8_t *loss; // (n), heap
    size_t n;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for a conversation");
}

/* ---- texts and tokens ---- */

static struct tokenizer_text text_of(const struct chat_rendered *rendered) {
    return (struct tokenizer_text){rendered->text, rendered->len, rendered->user, rendered->n_user};
}

static enum jl_status encode(const struct data_chat *chat, const struct tokenizer_text *text,
                             struct token_ids *ids, struct jl_error *err) {
    return tokenizer_encode_marked(chat->tokenizer, text, ENCODE_SPECIAL, ids, NULL, err);
}

static enum jl_status decode(const struct data_chat *chat, const struct token_ids *ids,
                             bool show_control, struct byte_buffer *out, struct jl_error *err) {
    struct token_stream stream;
    token_stream_init(&stream, chat->tokenizer, true);
    stream.raw = true;
    stream.show_control = show_control;
    for (size_t i = 0; i < ids->len; i++)
        JL_TRY(token_stream_push(&stream, ids->data[i], &out->data, &out->len, &out->cap, err));
    return token_stream_end(&stream, &out->data, &out->len, &out->cap, err);
}

static bool begins_with(const struct token_ids *whole, const int32_t *ids, size_t n) {
    return whole->len >= n && (n == 0 || !memcmp(whole->data, ids, n * sizeof *ids));
}

/* The text behind its first `skip` bytes. */
static enum jl_status encode_rest(const struct data_chat *chat, const struct chat_rendered *whole,
                                  size_t skip, struct token_ids *ids, struct jl_error *err) {
    struct text_span *user = calloc(whole->n_user + 1, sizeof *user);
    size_t n_user = 0;
    if (!user) return no_memory(err);
    for (size_t i = 0; i < whole->n_user; i++) {
        struct text_span span = whole->user[i];
        if (span.stop <= skip) continue;
        if (span.start < skip) span.start = skip;
        user[n_user++] = (struct text_span){span.start - skip, span.stop - skip};
    }
    struct tokenizer_text rest = {whole->text + skip, whole->len - skip, user, n_user};
    enum jl_status status = encode(chat, &rest, ids, err);
    free(user);
    return status;
}

static enum jl_status append(struct token_ids *ids, const int32_t *more, size_t n,
                             struct jl_error *err) {
    int32_t *grown = realloc(ids->data, (ids->len + n + 1) * sizeof *grown);
    if (!grown) return no_memory(err);
    if (n) memcpy(grown + ids->len, more, n * sizeof *more);
    *ids = (struct token_ids){grown, ids->len + n};
    return JL_OK;
}

static enum jl_status same_text(const struct data_chat *chat, const struct token_ids *a,
                                const struct token_ids *b, bool *same, struct jl_error *err) {
    struct byte_buffer texts[2] = {0};
    enum jl_status status = decode(chat, a, true, &texts[0], err);
    if (status == JL_OK) status = decode(chat, b, true, &texts[1], err);
    *same = texts[0].len == texts[1].len &&
            (texts[0].len == 0 || !memcmp(texts[0].data, texts[1].data, texts[0].len));
    buffer_free(&texts[0]);
    buffer_free(&texts[1]);
    return status;
}

/* The ids of `whole`, beginning with those of the prompt. A token of plain encoding may lie across
 * the end of the prompt; the model never sees that one, so the rest is then encoded by itself. */
static enum jl_status join(const struct data_chat *chat, const struct chat_rendered *whole,
                           size_t prompt_len, const struct token_ids *prompt, struct token_ids *out,
                           struct jl_error *err) {
    struct token_ids plain = {0}, rest = {0};
    struct tokenizer_text text = text_of(whole);
    bool same = false;
    JL_TRY(encode(chat, &text, &plain, err));
    if (begins_with(&plain, prompt->data, prompt->len)) {
        *out = plain;
        return JL_OK;
    }
    enum jl_status status = encode_rest(chat, whole, prompt_len, &rest, err);
    if (status == JL_OK) status = append(out, prompt->data, prompt->len, err);
    if (status == JL_OK) status = append(out, rest.data, rest.len, err);
    if (status == JL_OK) status = same_text(chat, out, &plain, &same, err);
    if (status == JL_OK && !same)
        status = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the tokenizer spells the reply otherwise than behind its prompt: a "
                         "reply must not begin with white space here");
    free(plain.data);
    free(rest.data);
    return status;
}

/* ---- what a text shows ---- */

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Whether `text` has the words of a string; NULL and white space are in every text. */
static bool shows(const char *text, size_t len, const json_t *words) {
    const char *from = json_string_value(words);
    size_t n = from ? json_string_length(words) : 0;
    while (n && is_space(from[0])) {
        from++;
        n--;
    }
    while (n && is_space(from[n - 1]))
        n--;
    return n == 0 || memmem(text, len, from, n);
}

/* Whether a rendered reply has all of the message. */
static bool shows_message(const char *text, size_t len, const json_t *message) {
    size_t i;
    json_t *call;
    json_array_foreach(json_object_get(message, "tool_calls"), i, call) {
        if (!shows(text, len, json_object_get(json_object_get(call, "function"), "name")))
            return false;
    }
    return shows(text, len, json_object_get(message, "content")) &&
           shows(text, len, json_object_get(message, "reasoning_content"));
}

/* The same of a message before the reply, which templates may write as JSON: tools' above all. */
static enum jl_status shows_said(const struct chat_rendered *prompt, const json_t *content,
                                 bool *does, struct jl_error *err) {
    struct byte_buffer text = {0};
    *does = shows(prompt->text, prompt->len, content);
    if (*does) return JL_OK;
    enum jl_status status = json_print_value(content, NULL, &text, err);
    if (status == JL_OK) // without the quotes
        *does = memmem(prompt->text, prompt->len, text.data + 1, text.len - 2);
    buffer_free(&text);
    return status;
}

/* Templates that leave out what was said before would teach answers to nothing. Past replies are
 * theirs to shorten. */
static enum jl_status check_prompt(const struct chat_rendered *prompt, const json_t *messages,
                                   size_t n, struct jl_error *err) {
    for (size_t i = 0; i < n; i++) {
        const json_t *message = json_array_get(messages, i);
        const char *role = json_string_value(json_object_get(message, "role"));
        bool does = true;
        if (strcmp(role, "assistant") != 0)
            JL_TRY(shows_said(prompt, json_object_get(message, "content"), &does, err));
        if (!does)
            return jl_fail(err, JL_ERR_UNSUPPORTED,
                           "message %zu: the chat template leaves out what the %s says", i + 1,
                           role);
    }
    return JL_OK;
}

/* ---- the token that ends a reply ---- */

/* The first end behind the prompt. What a template writes behind it must be no words. */
static enum jl_status find_end(const struct data_chat *chat, const struct token_ids *ids,
                               size_t n_prompt, size_t *end, struct jl_error *err) {
    size_t at = n_prompt, blank = 0;
    while (at < ids->len && !end_tokens_has(&chat->ends, ids->data[at]))
        at++;
    *end = at;
    if (at == ids->len) return JL_OK;
    struct token_ids rest = {ids->data + at + 1, ids->len - at - 1};
    struct byte_buffer text = {0};
    enum jl_status status = decode(chat, &rest, false, &text, err);
    while (blank < text.len && is_space(text.data[blank]))
        blank++;
    if (status == JL_OK && blank < text.len)
        status = jl_fail(err, JL_ERR_UNSUPPORTED,
                         "the chat template writes words behind the token that ends a reply");
    buffer_free(&text);
    return status;
}

/* What comes behind the reply when the conversation goes on, if that is a token that ends one: some
 * families end a turn with the mark of whose turn is next. Else EOS. */
static enum jl_status choose_end(const struct data_chat *chat, const struct data_chat_view *reply,
                                 const struct token_ids *ids, int32_t *end, struct jl_error *err) {
    const json_t *message = json_array_get(reply->messages, reply->n - 1);
    const char *role = json_object_get(message, "tool_calls") ? "tool" : "user";
    json_t *next = json_incref(json_array_get(reply->messages, reply->n));
    if (!next) next = json_pack("{s:s, s:s}", "role", role, "content", "0");
    if (!next) return no_memory(err);
    struct data_chat_view view = *reply;
    struct chat_rendered rendered = {0};
    struct token_ids longer = {0};
    view.extra = next;
    *end = tokenizer_eos(chat->tokenizer);
    // A template that refuses such a next message has its reasons, and no say.
    enum jl_status status = data_chat_render(chat, &view, &rendered, NULL);
    struct tokenizer_text text = text_of(&rendered);
    if (status == JL_OK) status = encode(chat, &text, &longer, err);
    if (status == JL_OK && longer.len > ids->len && begins_with(&longer, ids->data, ids->len) &&
        end_tokens_has(&chat->ends, longer.data[ids->len]))
        *end = longer.data[ids->len];
    free(longer.data);
    chat_rendered_free(&rendered);
    json_decref(next);
    if (status == JL_ERR_MEMORY) return no_memory(err);
    if (*end == TOKEN_NONE && chat->ends.n) *end = chat->ends.ids[0];
    if (*end != TOKEN_NONE) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "no token ends a reply: the tokenizer has no EOS and the chat template writes "
                   "none");
}

/* ---- a reply ---- */

/* Both texts are there: what the model reads and what it is to write. */
static enum jl_status make_ids(const struct data_chat *chat, const struct data_chat_view *reply,
                               const struct chat_rendered *prompt,
                               const struct chat_rendered *whole, struct turn *out,
                               struct jl_error *err) {
    struct token_ids before = {0}, ids = {0};
    struct tokenizer_text text = text_of(prompt);
    size_t end = 0;
    int32_t id = TOKEN_NONE;
    enum jl_status status = encode(chat, &text, &before, err);
    if (status == JL_OK) status = join(chat, whole, prompt->len, &before, &ids, err);
    if (status == JL_OK) status = find_end(chat, &ids, before.len, &end, err);
    if (status == JL_OK && end < ids.len) {
        ids.len = end + 1;
    } else if (status == JL_OK) {
        status = choose_end(chat, reply, &ids, &id, err);
        if (status == JL_OK) status = append(&ids, &id, 1, err);
    }
    *out = (struct turn){ids.data, ids.len, before.len};
    free(before.data);
    return status;
}

/* `reply` shows the reply as its last message. */
static enum jl_status make_turn(const struct data_chat *chat, const struct data_chat_view *reply,
                                struct turn *out, struct jl_error *err) {
    struct chat_rendered prompt = {0}, whole = {0}, spoken = {0};
    struct data_chat_view before = *reply;
    const json_t *message = json_array_get(reply->messages, reply->n - 1);
    before.n--;
    before.prompt = true;
    *out = (struct turn){0};
    enum jl_status status = data_chat_render(chat, &before, &prompt, err);
    if (status == JL_OK) status = check_prompt(&prompt, reply->messages, before.n, err);
    if (status == JL_OK) status = data_chat_render(chat, reply, &whole, err);
    bool goes_on = status == JL_OK && whole.len > prompt.len &&
                   !memcmp(whole.text, prompt.text, prompt.len) &&
                   shows_message(whole.text + prompt.len, whole.len - prompt.len, message);
    if (status == JL_OK && !goes_on) status = data_chat_speak(chat, &prompt, message, &spoken, err);
    if (status == JL_OK)
        status = make_ids(chat, reply, &prompt, goes_on ? &whole : &spoken, out, err);
    chat_rendered_free(&prompt);
    chat_rendered_free(&whole);
    chat_rendered_free(&spoken);
    return status;
}

/* ---- all replies ---- */

/* Puts the example, if there is one, into the document. */
static enum jl_status close_example(struct example *example, struct data_doc *doc,
                                    struct jl_error *err) {
    enum jl_status status = JL_OK;
    if (example->n) status = data_doc_add(doc, example->ids, example->loss, example->n, err);
    free(example->ids);
    free(example->loss);
    *example = (struct example){0};
    return status;
}

/* Takes the turn's ids. */
static enum jl_status add_turn(struct example *example, const struct turn *turn,
                               struct data_doc *doc, struct jl_error *err) {
    uint8_t *loss = calloc(turn->n, 1);
    enum jl_status status = loss ? JL_OK : no_memory(err);
    bool goes_on = example->n && example->n <= turn->n_prompt &&
                   !memcmp(example->ids, turn->ids, example->n * sizeof *turn->ids);
    if (loss && goes_on) {
        memcpy(loss, example->loss, example->n);
        example->n = 0; // all of it is in the longer one
    }
    if (loss) memset(loss + turn->n_prompt, 1, turn->n - turn->n_prompt);
    if (status == JL_OK) status = close_example(example, doc, err);
    free(example->ids);
    free(example->loss);
    *example = (struct example){turn->ids, loss, turn->n};
    if (status != JL_OK) example->n = 0;
    return status;
}

static enum jl_status add_replies(const struct data_chat *chat, const struct data_line *line,
                                  const bool *learns, struct data_doc *doc, struct jl_error *err) {
    struct example example = {0};
    enum jl_status status = JL_OK;
    for (size_t i = 0; i < json_array_size(line->messages) && status == JL_OK; i++) {
        struct data_chat_view reply = {
            .messages = line->messages, .n = i + 1, .tools = line->tools};
        struct turn turn;
        if (!learns[i]) continue;
        status = make_turn(chat, &reply, &turn, err);
        if (status == JL_OK)
            status = add_turn(&example, &turn, doc, err);
        else
            free(turn.ids);
    }
    if (status != JL_OK) example.n = 0;
    enum jl_status closed = close_example(&example, doc, err);
    return status != JL_OK ? status : closed;
}

enum jl_status data_chat_add(const struct data_chat *chat, struct data_line *line,
                             struct data_doc *doc, struct jl_error *err) {
    size_t i, n = json_array_size(line->messages);
    json_t *message;
    if (!chat->form)
        return jl_fail(err, JL_ERR_UNSUPPORTED,
                       "the model has no chat template, so it cannot learn conversations: give "
                       "the folder a chat_template.jinja, or lines with \"text\"");
    if (line->tools && !chat_template_uses(chat->form->tmpl, "tools"))
        return jl_fail(err, JL_ERR_UNSUPPORTED, "the chat template knows no tools");
    bool *learns = calloc(n, sizeof *learns);
    if (!learns) return no_memory(err);
    enum jl_status status = JL_OK;
    json_array_foreach(line->messages, i, message) {
        learns[i] = data_line_learns(message);
        json_object_del(message, "weight"); // ours, not the template's
        if (status == JL_OK && json_object_get(message, "tool_calls"))
            status = data_chat_fit_calls(chat, message, err);
    }
    if (status == JL_OK) status = add_replies(chat, line, learns, doc, err);
    free(learns);
    return status;
}
