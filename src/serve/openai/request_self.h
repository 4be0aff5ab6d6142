/* How the fields of a request are read, for the files that share it. */
#ifndef JL_SERVE_OPENAI_REQUEST_SELF_H
#define JL_SERVE_OPENAI_REQUEST_SELF_H

#include "serve/openai/request.h"

struct reading {
    struct openai_request *out;
    struct openai_problem *problem;
    const char *name; // of the field
    size_t at;        // of a switch, in *out
};

/* Reads a field's value, which is not null. False: the problem says why. */
typedef bool request_field(struct reading *r, const json_t *value);

bool request_wants(struct reading *r, const char *what); // "\"NAME\" must be WHAT"; false
bool request_read_bool(struct reading *r, const json_t *value, bool *out);
bool request_read_whole(struct reading *r, const json_t *value, int64_t low, int64_t high,
                        int64_t *out);

/* request_chat.c: conversations, forms of answers, thoughts */
request_field request_read_messages, request_read_tools, request_read_tool_choice,
    request_read_format, request_read_schema, request_read_choice, request_read_regex,
    request_read_grammar, request_read_structured, request_read_effort, request_read_budget,
    request_read_thinking, request_read_generation_prompt, request_read_kwargs;

#endif
