/* Tokens -> tree. Internal to the parser's two files, but for parser_read. */
#ifndef JL_TEXT_TEMPLATE_PARSER_H
#define JL_TEXT_TEMPLATE_PARSER_H

#include "text/template/ast.h"
#include "text/template/lexer.h"

#define PARSER_MAX_DEPTH 150    // nested expressions and statements
#define PARSER_MAX_SYMBOLS 4096 // different names of variables

struct parser {
    struct ast *ast;
    const struct lex_token *tokens;
    size_t at;
    int depth;
    int loops; // loops around the place, within the innermost function
    bool soft; // inside an if: an unknown filter fails only when it runs
    struct signature *macros[PARSER_MAX_DEPTH]; // the functions around the place
    int n_macro;
    struct jl_error *err;
    enum jl_status status;
};

/* Parses the whole text into `ast`, whose arena owns everything. */
enum jl_status parser_read(struct ast *ast, const char *source, size_t len, struct jl_error *err);

/* The rest: NULL or false once it has failed. */
const struct lex_token *parser_peek(const struct parser *p, int ahead);
bool parser_is(const struct parser *p, enum token_kind kind);
bool parser_is_name(const struct parser *p, const char *name); // the current token is this word
bool parser_skip_name(struct parser *p, const char *name);
bool parser_skip(struct parser *p, enum token_kind kind);
bool parser_expect(struct parser *p, enum token_kind kind);
void *parser_fail(struct parser *p, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void *parser_no_memory(struct parser *p);
bool parser_enter(struct parser *p); // paired with p->depth--, also when it failed

struct node *parser_node(struct parser *p, enum node_kind kind, int line);
bool parser_add(struct parser *p, struct node_list *list, struct node *node);
int parser_symbol(struct parser *p, struct str name); // negative: failed
struct value *parser_constant(struct parser *p, enum value_kind kind);

struct node *parser_expression(struct parser *p, bool with_cond);
struct node *parser_primary(struct parser *p);

enum parser_tuple_flags {
    PARSER_SIMPLE = 1,   // names and literals only: a target
    PARSER_NO_COND = 2,  // no inline if
    PARSER_PARENS = 4,   // inside parentheses: may be empty
    PARSER_END_IN = 8,   // "in" ends it
    PARSER_END_REC = 16, // "recursive" ends it
};
struct node *parser_tuple(struct parser *p, int flags);
struct node *parser_filters(struct parser *p, struct node *input, bool inline_start);

#endif
