/* The text of a string literal. */
#ifndef JL_TEXT_TEMPLATE_LEXER_STRING_H
#define JL_TEXT_TEMPLATE_LEXER_STRING_H

#include "base/arena.h"
#include "base/status.h"
#include "text/template/value.h"

/* `source` is what stands between the quotes, in UTF-8. *why says what is wrong, for a message. */
enum jl_status lexer_string_unescape(const char *source, size_t len, struct arena *arena,
                                     struct str *out, const char **why);

#endif
