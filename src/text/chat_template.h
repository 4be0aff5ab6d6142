/* Chat templates: the Jinja that models ship, rendered to a prompt.
 *
 * The language is that of Jinja2 3.1 in the sandbox in which such templates run everywhere:
 * trim_blocks, lstrip_blocks, loop controls, `{% generation %}`, `tojson` without HTML escapes,
 * raise_exception, strftime_now (docs/templates.md). A template sees its variables and nothing
 * else.
 *
 * Every byte of the result is known to come from the template or from its variables. A tokenizer
 * must read special tokens in the former only: see `user`. */
#ifndef JL_TEXT_CHAT_TEMPLATE_H
#define JL_TEXT_CHAT_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/span.h"

struct chat_template;

/* `source` is UTF-8 and copied. const once parsed and shared by all threads. JL_ERR_FORMAT: the
 * message names the line. */
enum jl_status chat_template_parse(const char *source, size_t len, struct chat_template **out,
                                   struct jl_error *err);
void chat_template_free(struct chat_template *tmpl); // NULL is fine

/* Whether the template reads the variable anywhere, for example "tools" or "enable_thinking". */
bool chat_template_uses(const struct chat_template *tmpl, const char *name);

struct chat_render_options {
    int64_t now;  // clock of strftime_now, seconds since 1970 in UTC; without has_now the
    bool has_now; // system's clock in local time
    size_t max_steps, max_output, max_memory; // evaluation steps, bytes, bytes; 0: the default
};

#define CHAT_RENDER_STEPS ((size_t)20 * 1000 * 1000)
#define CHAT_RENDER_OUTPUT ((size_t)64 << 20)
#define CHAT_RENDER_MEMORY ((size_t)512 << 20)

struct chat_rendered {
    char *text; // len bytes and a NUL
    size_t len;
    struct text_span *user; // bytes that came out of a string of the variables, ascending, apart
    size_t n_user;
    struct text_span *generation; // bytes written inside {% generation %} blocks, likewise
    size_t n_generation;
};

/* `variables` is an object; it is not changed and must not change meanwhile. All its strings are
 * the user's but for those at the top named bos_token, eos_token, unk_token, sep_token, pad_token,
 * cls_token and mask_token. `options` may be NULL. JL_ERR_FORMAT: the template failed or called
 * raise_exception, the message says in which line and why; JL_ERR_LIMIT, JL_ERR_MEMORY: a limit was
 * reached; JL_ERR_UNSUPPORTED: something of Jinja or Python that is not here. */
enum jl_status chat_template_render(const struct chat_template *tmpl, const json_t *variables,
                                    const struct chat_render_options *options,
                                    struct chat_rendered *out, struct jl_error *err);
void chat_rendered_free(struct chat_rendered *rendered); // zeroed is fine

#endif
