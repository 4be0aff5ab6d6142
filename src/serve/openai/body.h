/* JSON bodies as clients really send them. */
#ifndef JL_SERVE_OPENAI_BODY_H
#define JL_SERVE_OPENAI_BODY_H

#include "serve/openai/problem.h"

/* *out: an object. Half a surrogate pair, or U+0000, written as an escape (agents cut texts inside
 * an emoji, tools return raw bytes) is read as U+FFFD: else a conversation that has one could
 * never go on. */
bool openai_body_read(const char *text, size_t len, json_t **out, struct openai_problem *problem);

#endif
