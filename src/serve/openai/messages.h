/* Conversations as clients send them, made into what chat templates read. */
#ifndef JL_SERVE_OPENAI_MESSAGES_H
#define JL_SERVE_OPENAI_MESSAGES_H

#include "serve/openai/problem.h"

/* *out: a new list. Roles system, developer (which becomes system), user, assistant, tool and
 * function; contents are strings, lists of texts or, beside calls, null. Thoughts come as
 * reasoning_content, reasoning or reasoning_details and leave as reasoning_content. Arguments of
 * calls become objects, and an answer of a tool gets the name of the call it answers. What else a
 * message has is left out. False: `problem` says which message. */
bool openai_messages(const json_t *messages, json_t **out, struct openai_problem *problem);

/* Tools as OpenAI writes them: checked, and each with its function. *out: a new list, NULL without
 * tools. */
bool openai_tools(const json_t *tools, json_t **out, struct openai_problem *problem);

#endif
