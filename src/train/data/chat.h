/* Conversations to examples: each reply of the assistant behind exactly the prompt that it would
 * get when the model is asked.
 *
 * The prompt of a reply is what the template makes of the messages before it, with
 * add_generation_prompt. The reply is what the template writes behind that prompt when the reply is
 * the last message, up to the token that ends a turn. Where it does not go on from the prompt, or
 * lacks words of the reply (templates that open the thought in the prompt, or cut it away), the
 * reply is what the model itself would write (text/dialect.h). What neither way can prove is an
 * error.
 *
 * A reply joins the example before it if its prompt begins with that example's tokens, all of them;
 * else (templates that drop past thoughts) it begins an example of its own. */
#ifndef JL_TRAIN_DATA_CHAT_H
#define JL_TRAIN_DATA_CHAT_H

#include "train/data/data.h"
#include "train/data/doc.h"
#include "train/data/line.h"

/* What all conversations have in common; const once open, shared by all threads. */
struct data_chat {
    const struct tokenizer *tokenizer;
    const struct chat_form *form; // NULL: no conversations
    struct chat_render_options options;
    struct end_tokens ends;
    int32_t n_vocab;
    bool takes_object, takes_string; // how the template wants a call's arguments; neither: it
                                     // writes no calls
    bool null_beside_calls;          // no content beside calls is null, else ""
};
enum jl_status data_chat_open(const struct data_model *model, int64_t now, struct data_chat *out,
                              struct jl_error *err);

/* Appends the conversation's examples. The line's JSON is changed and of no use afterwards. */
enum jl_status data_chat_add(const struct data_chat *chat, struct data_line *line,
                             struct data_doc *doc, struct jl_error *err);

/* ---- the parts ---- */

/* The text that a template makes of the first n messages, and `extra` (may be NULL) behind them. */
struct data_chat_view {
    const json_t *messages;
    size_t n;
    json_t *extra, *tools; // NULL without
    bool prompt;           // add_generation_prompt
};
enum jl_status data_chat_render(const struct data_chat *chat, const struct data_chat_view *view,
                                struct chat_rendered *out, struct jl_error *err);

/* Calls as the template wants them. JL_ERR_UNSUPPORTED: it writes none. */
enum jl_status data_chat_fit_calls(const struct data_chat *chat, json_t *message,
                                   struct jl_error *err);

/* A reply as the model would write it behind `prompt`, as prompt and reply in one text with the
 * user's spans; heap, chat_rendered_free. */
enum jl_status data_chat_speak(const struct data_chat *chat, const struct chat_rendered *prompt,
                               const json_t *message, struct chat_rendered *out,
                               struct jl_error *err);

#endif
