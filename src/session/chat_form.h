/* How a model is spoken to: its chat template and the dialect of its turns. const once open. */
#ifndef JL_SESSION_CHAT_FORM_H
#define JL_SESSION_CHAT_FORM_H

#include "session/end_tokens.h"
#include "session/open_template.h"
#include "text/chat_template.h"
#include "text/dialect.h"
#include "text/tokenizer.h"

struct chat_form {
    struct model_template source;
    struct chat_template *tmpl; // NULL: the model has no template
    const struct dialect *dialect;
};

/* The form of the model at `path`. One without a template is JL_OK; a template that cannot be read
 * is an error, not a model without one. */
enum jl_status chat_form_open(const char *path, const struct tokenizer *tokenizer,
                              struct chat_form *out, struct jl_error *err);
void chat_form_close(struct chat_form *form); // zeroed is fine

/* Adds the tokens that end a turn of the dialect. */
void chat_form_ends(const struct chat_form *form, const struct tokenizer *tokenizer,
                    int32_t n_vocab, struct end_tokens *ends);

/* The text of a conversation. `variables` is the caller's and gets what every call defines and it
 * lacks (session/open_template.h). Never empty. The clock is the system's. */
enum jl_status chat_form_render(const struct chat_form *form, json_t *variables,
                                struct chat_rendered *out, struct jl_error *err);

/* The same with a clock and limits of the caller's; NULL: as above. */
enum jl_status chat_form_render_with(const struct chat_form *form, json_t *variables,
                                     const struct chat_render_options *options,
                                     struct chat_rendered *out, struct jl_error *err);

#endif
