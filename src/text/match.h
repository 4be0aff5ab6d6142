/* A regular expression of PCRE2 that somebody wrote to be looked for in texts. */
#ifndef JL_TEXT_MATCH_H
#define JL_TEXT_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct match;

/* `pattern` is UTF-8; `\d`, `\w` and case follow Unicode. JL_ERR_FORMAT: the message says what is
 * wrong and where in it. const once made. */
enum jl_status match_new(const char *pattern, size_t len, struct match **out, struct jl_error *err);
void match_free(struct match *match); // NULL is fine

/* Whether it matches anywhere in `text`, whose bytes that are no UTF-8 match nothing. JL_ERR_LIMIT:
 * that takes more steps than a pattern may. */
enum jl_status match_search(const struct match *match, const char *text, size_t len, bool *found,
                            struct jl_error *err);

#endif
