/* Template text -> tokens, with Jinja's white space rules applied (trim_blocks, lstrip_blocks, -
 * and
 * +, one newline at the end dropped). */
#ifndef JL_TEXT_TEMPLATE_LEXER_H
#define JL_TEXT_TEMPLATE_LEXER_H

#include "base/arena.h"
#include "base/status.h"
#include "text/template/value.h"

enum token_kind {
    LEX_EOF,
    LEX_DATA,
    LEX_VARIABLE_BEGIN,
    LEX_VARIABLE_END,
    LEX_BLOCK_BEGIN,
    LEX_BLOCK_END,
    LEX_NAME,
    LEX_STRING,  // text: unescaped
    LEX_INTEGER, // i
    LEX_FLOAT,   // f
    LEX_ADD,
    LEX_SUB,
    LEX_MUL,
    LEX_DIV,
    LEX_FLOORDIV,
    LEX_MOD,
    LEX_POW,
    LEX_TILDE,
    LEX_EQ,
    LEX_NE,
    LEX_LT,
    LEX_LE,
    LEX_GT,
    LEX_GE,
    LEX_ASSIGN,
    LEX_DOT,
    LEX_COMMA,
    LEX_COLON,
    LEX_SEMICOLON,
    LEX_PIPE,
    LEX_LPAREN,
    LEX_RPAREN,
    LEX_LBRACKET,
    LEX_RBRACKET,
    LEX_LBRACE,
    LEX_RBRACE,
};

struct lex_token {
    enum token_kind kind;
    int line;
    struct str text;
    int64_t i;
    double f;
};

/* The tokens, the last is LEX_EOF; they and what they point to lie in `arena`. */
enum jl_status lexer_read(const char *source, size_t len, struct arena *arena,
                          struct lex_token **tokens, size_t *n_token, struct jl_error *err);

/* For messages. */
const char *lexer_name(enum token_kind kind);

/* Python's str.isspace for one character. */
bool lexer_is_space(uint32_t code);

#endif
