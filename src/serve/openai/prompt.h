/* From a request to the tokens that a model reads, and how its answer is to be read. */
#ifndef JL_SERVE_OPENAI_PROMPT_H
#define JL_SERVE_OPENAI_PROMPT_H

#include "serve/openai/request.h"
#include "serve/served.h"

/* The text of a chat by the model's template, without tokens: `out` is freed by the caller. */
bool openai_prompt_render(struct served *served, const struct openai_request *request,
                          struct chat_rendered *out, struct openai_problem *problem);

/* The same as tokens. *start: where the answer begins, for the dialect. */
bool openai_prompt_chat(struct served *served, const struct openai_request *request, uint64_t owner,
                        struct token_ids *ids, struct dialect_start *start,
                        struct openai_problem *problem);

/* One prompt of a completion; with the request's suffix where the model can fill in a gap. */
bool openai_prompt_completion(struct served *served, const struct openai_request *request,
                              const struct openai_prompt *prompt, uint64_t owner,
                              struct token_ids *ids, struct openai_problem *problem);

/* The prompt and the answer must fit: else the words that clients look for, with both numbers. */
bool openai_prompt_fits(const struct served *served, const struct openai_request *request,
                        size_t n_prompt, struct openai_problem *problem);

/* Whether the model can be asked to think or not to. */
bool openai_prompt_has_switch(const struct chat_form *form);

#endif
