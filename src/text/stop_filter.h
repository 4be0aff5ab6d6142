/* Stop strings over streamed text: gives out what can no longer be part of one.
 *
 * Held back is exactly the longest end of the text that some stop string begins with, so never more
 * than the longest string less one byte (and what is left of a character that was cut). The first
 * string to be complete stops the stream; of several complete at the same byte the longest counts.
 * Linear in the text. */
#ifndef JL_TEXT_STOP_FILTER_H
#define JL_TEXT_STOP_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "text/patterns.h"

#define STOP_FILTER_STRINGS PATTERNS_MAX     // most strings of a filter
#define STOP_FILTER_BYTES PATTERNS_MAX_BYTES // most bytes of all together

struct stop_filter;

/* Strings are UTF-8. n may be 0: everything passes. */
enum jl_status stop_filter_new(const struct pattern_text *strings, size_t n,
                               struct stop_filter **out, struct jl_error *err);
void stop_filter_free(struct stop_filter *filter); // NULL is fine

/* Feeds text, cut anywhere, also inside a character. *out (*out_len bytes, owned by the filter,
 * valid until the next call) is what may be shown now: whole characters if the input is UTF-8.
 * After a stop everything further is swallowed. */
enum jl_status stop_filter_push(struct stop_filter *filter, const char *text, size_t len,
                                const char **out, size_t *out_len, struct jl_error *err);
/* The text is over: gives out what was held. */
enum jl_status stop_filter_end(struct stop_filter *filter, const char **out, size_t *out_len,
                               struct jl_error *err);

/* Which string stopped the stream, -1: none yet. */
int stop_filter_stopped(const struct stop_filter *filter);
/* Bytes pushed so far up to the stop string's first byte, or, with no stop, all of them. */
size_t stop_filter_used(const struct stop_filter *filter);

#endif
