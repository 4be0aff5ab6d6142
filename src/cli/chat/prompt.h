/* The next prompt of a conversation, as token ids. */
#ifndef JL_CLI_CHAT_PROMPT_H
#define JL_CLI_CHAT_PROMPT_H

#include "cli/chat/conversation.h"
#include "cli/talk.h"
#include "session/chat_form.h"

/* How a model is spoken to: by its chat template, or not at all (`chat.tmpl` NULL). */
struct prompt_form {
    struct chat_form chat;
    enum prompt_thinking { PROMPT_THINK_AS_MODEL, PROMPT_THINK_ON, PROMPT_THINK_OFF } thinking;
};

/* Whether the template can be asked to think or not. */
bool prompt_has_switch(const struct prompt_form *form);

/* The form of the model at `path`; its end-of-turn tokens are added to the talk's. `plain`: as if
 * it had no template. A template that cannot be read is an error, not a plain form. */
enum jl_status prompt_form_open(struct talk *talk, const char *path, bool plain,
                                struct prompt_form *out, struct jl_error *err);
void prompt_form_close(struct prompt_form *form); // zeroed is fine

struct prompt {
    int32_t *ids;
    size_t n;
    struct dialect_start start; // where the answer begins, for the dialect's stream
};

/* The template's text of the conversation; special tokens are found where the template wrote them
 * and never in anybody's words. Without a template all texts one after another. What the talk's
 * session holds of the text stays as it was spelled (session/splice.h). At least one token, or an
 * error. */
enum jl_status prompt_build(const struct talk *talk, const struct prompt_form *form,
                            const struct conversation *conversation, struct prompt *out,
                            struct jl_error *err);
void prompt_free(struct prompt *prompt);

#endif
