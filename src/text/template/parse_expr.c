/* Expressions, with the precedence of Jinja's own parser. */
#include <string.h>

#include "text/template/filters.h"
#include "text/template/parser.h"

/* ---- calls ---- */

static bool add_keyword(struct parser *p, struct node_args *args, struct str name,
                        struct node *value) {
    struct str *names = arena_calloc(&p->ast->arena, (size_t)args->kwargs.count + 1, sizeof *names);
    if (!value) return false;
    if (!names) return RENDER_NO(parser_no_memory(p));
    if (args->kwargs.count) memcpy(names, args->names, (size_t)args->kwargs.count * sizeof *names);
    names[args->kwargs.count] = name;
    args->names = names;
    return parser_add(p, &args->kwargs, value);
}

static bool parse_argument(struct parser *p, struct node_args *args) {
    const struct lex_token *token = parser_peek(p, 0);
    const char *wrong = "invalid arguments of a call";
    if (parser_skip(p, LEX_MUL)) {
        if (args->dyn_args || args->dyn_kwargs) return parser_fail(p, token->line, "%s", wrong);
        args->dyn_args = parser_expression(p, true);
        return args->dyn_args != NULL;
    }
    if (parser_skip(p, LEX_POW)) {
        if (args->dyn_kwargs) return parser_fail(p, token->line, "%s", wrong);
        args->dyn_kwargs = parser_expression(p, true);
        return args->dyn_kwargs != NULL;
    }
    if (token->kind == LEX_NAME && parser_peek(p, 1)->kind == LEX_ASSIGN) {
        if (args->dyn_kwargs) return parser_fail(p, token->line, "%s", wrong);
        p->at += 2;
        for (int i = 0; i < args->kwargs.count; i++) {
            if (str_equal(args->names[i], token->text))
                return parser_fail(p, token->line, "an argument is named twice");
        }
        return add_keyword(p, args, token->text, parser_expression(p, true));
    }
    if (args->dyn_args || args->dyn_kwargs || args->kwargs.count)
        return parser_fail(p, token->line, "%s", wrong);
    return parser_add(p, &args->args, parser_expression(p, true));
}

static struct node_args *parse_args(struct parser *p) {
    struct node_args *args = arena_alloc(&p->ast->arena, sizeof *args);
    if (!args) return parser_no_memory(p);
    if (!parser_expect(p, LEX_LPAREN)) return NULL;
    for (bool first = true; !parser_is(p, LEX_RPAREN); first = false) {
        if (!first && !parser_expect(p, LEX_COMMA)) return NULL;
        if (!first && parser_is(p, LEX_RPAREN)) break;
        if (!parse_argument(p, args)) return NULL;
    }
    return parser_expect(p, LEX_RPAREN) ? args : NULL;
}

static struct node *parse_call(struct parser *p, struct node *callee) {
    struct node *node = parser_node(p, NODE_CALL, parser_peek(p, 0)->line);
    if (!node) return NULL;
    node->a = callee;
    node->args = parse_args(p);
    return node->args ? node : NULL;
}

/* ---- subscripts ---- */

static struct node *parse_subscribed(struct parser *p) {
    int line = parser_peek(p, 0)->line;
    struct node *first = NULL;
    if (!parser_is(p, LEX_COLON)) {
        first = parser_expression(p, true);
        if (!first || !parser_is(p, LEX_COLON)) return first;
    }
    p->at++;
    struct node *node = parser_node(p, NODE_SLICE, line);
    if (!node) return NULL;
    node->a = first;
    if (!parser_is(p, LEX_COLON) && !parser_is(p, LEX_RBRACKET) && !parser_is(p, LEX_COMMA)) {
        node->b = parser_expression(p, true);
        if (!node->b) return NULL;
    }
    if (parser_skip(p, LEX_COLON) && !parser_is(p, LEX_RBRACKET) && !parser_is(p, LEX_COMMA)) {
        node->c = parser_expression(p, true);
        if (!node->c) return NULL;
    }
    return node;
}

static struct node *parse_subscript(struct parser *p, struct node *object) {
    const struct lex_token *token = parser_peek(p, 0), *name = parser_peek(p, 1);
    p->at++;
    if (token->kind == LEX_DOT) {
        p->at++;
        struct node *node = parser_node(p, NODE_ATTR, token->line);
        if (!node) return NULL;
        node->a = object;
        node->text = name->text;
        if (name->kind == LEX_NAME) return node;
        if (name->kind != LEX_INTEGER)
            return parser_fail(p, name->line, "expected a name or number");
        node->kind = NODE_ITEM;
        node->b = parser_node(p, NODE_CONST, name->line);
        if (!node->b || !(node->b->constant = parser_constant(p, VALUE_INT))) return NULL;
        node->b->constant->as.i = name->i;
        return node;
    }
    struct node *node = parser_node(p, NODE_ITEM, token->line);
    struct node *tuple = parser_node(p, NODE_TUPLE, token->line);
    if (!node || !tuple) return NULL;
    while (!parser_is(p, LEX_RBRACKET)) {
        if (tuple->kids.count && !parser_expect(p, LEX_COMMA)) return NULL;
        if (!parser_add(p, &tuple->kids, parse_subscribed(p))) return NULL;
    }
    p->at++;
    node->a = object;
    node->b = tuple->kids.count == 1 ? tuple->kids.items[0] : tuple;
    return node;
}

/* The chains below are loops, but each link is a level of the tree that runs: all are counted. */
static struct node *parse_postfix(struct parser *p, struct node *node) {
    for (int links = 0; node; links++) {
        enum token_kind kind = parser_peek(p, 0)->kind;
        if (links > PARSER_MAX_DEPTH)
            return parser_fail(p, node->line, "the expression is too long a chain");
        if (kind == LEX_DOT || kind == LEX_LBRACKET)
            node = parse_subscript(p, node);
        else if (kind == LEX_LPAREN)
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* ---- filters and tests ---- */

/* A name with dots, as one text. */
static bool parse_dotted(struct parser *p, struct str *name) {
    const struct lex_token *token = parser_peek(p, 0);
    if (!parser_expect(p, LEX_NAME)) return false;
    *name = token->text;
    while (parser_skip(p, LEX_DOT)) {
        token = parser_peek(p, 0);
        if (!parser_expect(p, LEX_NAME)) return false;
        name->len = (size_t)(token->text.data + token->text.len - name->data);
    }
    return true;
}

struct node *parser_filters(struct parser *p, struct node *input, bool inline_start) {
    for (int links = 0; inline_start || parser_is(p, LEX_PIPE); links++) {
        if (!inline_start) p->at++;
        inline_start = false;
        struct node *node = parser_node(p, NODE_FILTER, parser_peek(p, 0)->line);
        if (!node || !parse_dotted(p, &node->text)) return NULL;
        if (links > PARSER_MAX_DEPTH)
            return parser_fail(p, node->line, "the expression is too long a chain");
        node->a = input;
        node->row = filters_find(node->text);
        if (!node->row && !p->soft)
            return parser_fail(p, node->line, "there is no filter '%.*s'", (int)node->text.len,
                               node->text.data);
        node->args = parser_is(p, LEX_LPAREN) ? parse_args(p)
                                              : arena_alloc(&p->ast->arena, sizeof *node->args);
        if (!node->args) return p->status == JL_OK ? parser_no_memory(p) : NULL;
        input = node;
    }
    return input;
}

static bool begins_argument(const struct parser *p) {
    switch (parser_peek(p, 0)->kind) {
    case LEX_NAME:
        return !parser_is_name(p, "else") && !parser_is_name(p, "or") && !parser_is_name(p, "and");
    case LEX_STRING:
    case LEX_INTEGER:
    case LEX_FLOAT:
    case LEX_LBRACKET:
    case LEX_LBRACE: return true;
    default: return false;
    }
}

static struct node *parse_test(struct parser *p, struct node *input) {
    struct node *node = parser_node(p, NODE_TEST, parser_peek(p, 0)->line);
    if (!node) return NULL;
    p->at++; // is
    bool negated = parser_skip_name(p, "not");
    if (!parse_dotted(p, &node->text)) return NULL;
    node->a = input;
    node->row = filters_find_test(node->text);
    if (!node->row && !p->soft)
        return parser_fail(p, node->line, "there is no test '%.*s'", (int)node->text.len,
                           node->text.data);
    if (parser_is(p, LEX_LPAREN)) {
        node->args = parse_args(p);
    } else {
        node->args = arena_alloc(&p->ast->arena, sizeof *node->args);
        if (!node->args) return parser_no_memory(p);
        if (begins_argument(p)) {
            if (parser_is_name(p, "is"))
                return parser_fail(p, node->line, "tests cannot be chained with 'is'");
            struct node *arg = parse_postfix(p, parser_primary(p));
            if (!parser_add(p, &node->args->args, arg)) return NULL;
        }
    }
    if (!node->args) return NULL;
    if (!negated) return node;
    struct node *not = parser_node(p, NODE_NOT, node->line);
    if (not ) not ->a = node;
    return not ;
}

static struct node *parse_filter_expr(struct parser *p, struct node *node) {
    for (int links = 0; node; links++) {
        if (links > PARSER_MAX_DEPTH)
            return parser_fail(p, node->line, "the expression is too long a chain");
        if (parser_is(p, LEX_PIPE))
            node = parser_filters(p, node, false);
        else if (parser_is_name(p, "is"))
            node = parse_test(p, node);
        else if (parser_is(p, LEX_LPAREN))
            node = parse_call(p, node);
        else
            break;
    }
    return node;
}

/* ---- literals ---- */

static struct node *parse_list(struct parser *p) {
    struct node *node = parser_node(p, NODE_LIST, parser_peek(p, 0)->line);
    if (!node) return NULL;
    p->at++;
    while (!parser_is(p, LEX_RBRACKET)) {
        if (node->kids.count && !parser_expect(p, LEX_COMMA)) return NULL;
        if (parser_is(p, LEX_RBRACKET)) break;
        if (!parser_add(p, &node->kids, parser_expression(p, true))) return NULL;
    }
    p->at++;
    return node;
}

static struct node *parse_dict(struct parser *p) {
    struct node *node = parser_node(p, NODE_DICT, parser_peek(p, 0)->line);
    if (!node) return NULL;
    p->at++;
    while (!parser_is(p, LEX_RBRACE)) {
        if (node->kids.count && !parser_expect(p, LEX_COMMA)) return NULL;
        if (parser_is(p, LEX_RBRACE)) break;
        if (!parser_add(p, &node->kids, parser_expression(p, true)) ||
            !parser_expect(p, LEX_COLON) || !parser_add(p, &node->kids, parser_expression(p, true)))
            return NULL;
    }
    p->at++;
    return node;
}

/* caller, varargs and kwargs exist in a macro that mentions them. */
static void note_name(struct parser *p, struct str name) {
    for (int i = 0; i < p->n_macro; i++) {
        struct signature *s = p->macros[i];
        s->uses_caller |= str_equal(name, str_of("caller"));
        s->uses_varargs |= str_equal(name, str_of("varargs"));
        s->uses_kwargs |= str_equal(name, str_of("kwargs"));
    }
}

static struct node *parse_name(struct parser *p, const struct lex_token *token) {
    struct str name = token->text;
    bool yes = str_equal(name, str_of("true")) || str_equal(name, str_of("True"));
    bool no = str_equal(name, str_of("false")) || str_equal(name, str_of("False"));
    bool none = str_equal(name, str_of("none")) || str_equal(name, str_of("None"));
    struct node *node = parser_node(p, yes || no || none ? NODE_CONST : NODE_NAME, token->line);
    if (!node) return NULL;
    p->at++;
    node->text = name;
    if (node->kind == NODE_CONST) {
        node->constant = none ? value_none() : value_bool(yes);
        return node;
    }
    note_name(p, name);
    node->symbol = parser_symbol(p, name);
    return node->symbol < 0 ? NULL : node;
}

/* Strings side by side are one. */
static struct node *parse_string(struct parser *p, const struct lex_token *token) {
    struct node *node = parser_node(p, NODE_CONST, token->line);
    size_t len = 0, n = 0;
    while (parser_peek(p, (int)n)->kind == LEX_STRING)
        len += parser_peek(p, (int)n++)->text.len;
    if (!node || !(node->constant = parser_constant(p, VALUE_STR))) return NULL;
    node->constant->as.s = token->text;
    p->at += n;
    if (n == 1) return node;
    char *text = arena_alloc(&p->ast->arena, len + 1);
    if (!text) return parser_no_memory(p);
    node->constant->as.s = (struct str){.data = text, .len = len};
    for (; n > 0; n--, token++) {
        memcpy(text, token->text.data, token->text.len);
        text += token->text.len;
    }
    return node;
}

struct node *parser_primary(struct parser *p) {
    const struct lex_token *token = parser_peek(p, 0);
    struct node *node;
    switch (token->kind) {
    case LEX_NAME: return parse_name(p, token);
    case LEX_STRING: return parse_string(p, token);
    case LEX_INTEGER:
    case LEX_FLOAT:
        node = parser_node(p, NODE_CONST, token->line);
        if (!node) return NULL;
        node->constant = parser_constant(p, token->kind == LEX_FLOAT ? VALUE_FLOAT : VALUE_INT);
        if (!node->constant) return NULL;
        if (token->kind == LEX_FLOAT)
            node->constant->as.f = token->f;
        else
            node->constant->as.i = token->i;
        p->at++;
        return node;
    case LEX_LPAREN:
        p->at++;
        node = parser_tuple(p, PARSER_PARENS);
        return node && parser_expect(p, LEX_RPAREN) ? node : NULL;
    case LEX_LBRACKET: return parse_list(p);
    case LEX_LBRACE: return parse_dict(p);
    default: return parser_fail(p, token->line, "unexpected %s", lexer_name(token->kind));
    }
}

/* ---- operators, loosest last ---- */

static struct node *join(struct parser *p, enum node_kind kind, int line, struct node *a,
                         struct node *b) {
    struct node *node = parser_node(p, kind, line);
    if (!a || !b || !node) return NULL;
    node->a = a;
    node->b = b;
    return node;
}

static struct node *parse_unary(struct parser *p, bool with_filter) {
    const struct lex_token *token = parser_peek(p, 0);
    struct node *node = NULL;
    if (token->kind == LEX_SUB || token->kind == LEX_ADD) {
        bool ok = parser_enter(p);
        p->at++;
        node =
            ok ? parser_node(p, token->kind == LEX_SUB ? NODE_NEG : NODE_POS, token->line) : NULL;
        if (node && !(node->a = parse_unary(p, false))) node = NULL;
        p->depth--;
    } else {
        node = parser_primary(p);
    }
    node = parse_postfix(p, node);
    return with_filter ? parse_filter_expr(p, node) : node;
}

struct level { // of binary operators, left to right
    enum token_kind kind;
    enum ops_binary op;
};

static struct node *fold(struct parser *p, const struct level *ops, int n_op,
                         struct node *(*next)(struct parser *)) {
    struct node *left = next(p);
    for (int links = 0; left;) {
        int line = parser_peek(p, 0)->line, i = 0;
        while (i < n_op && ops[i].kind != parser_peek(p, 0)->kind)
            i++;
        if (i == n_op) break;
        if (++links > PARSER_MAX_DEPTH)
            return parser_fail(p, line, "the expression is too long a chain");
        p->at++;
        left = join(p, NODE_BINARY, line, left, next(p));
        if (left) left->op = (int)ops[i].op;
    }
    return left;
}

static struct node *parse_operand(struct parser *p) { return parse_unary(p, true); }

static struct node *parse_pow(struct parser *p) {
    static const struct level ops[] = {{LEX_POW, OPS_POW}};
    return fold(p, ops, 1, parse_operand);
}

static struct node *parse_product(struct parser *p) {
    static const struct level ops[] = {
        {LEX_MUL, OPS_MUL}, {LEX_DIV, OPS_DIV}, {LEX_FLOORDIV, OPS_FLOORDIV}, {LEX_MOD, OPS_MOD}};
    return fold(p, ops, 4, parse_pow);
}

static struct node *parse_concat(struct parser *p) {
    struct node *first = parse_product(p);
    if (!first || !parser_is(p, LEX_TILDE)) return first;
    struct node *node = parser_node(p, NODE_CONCAT, first->line);
    if (!node || !parser_add(p, &node->kids, first)) return NULL;
    while (parser_skip(p, LEX_TILDE)) {
        if (!parser_add(p, &node->kids, parse_product(p))) return NULL;
    }
    return node;
}

static struct node *parse_sum(struct parser *p) {
    static const struct level ops[] = {{LEX_ADD, OPS_ADD}, {LEX_SUB, OPS_SUB}};
    return fold(p, ops, 2, parse_concat);
}

/* The comparison at the current token, passed over; negative: there is none. */
static int comparison(struct parser *p) {
    switch (parser_peek(p, 0)->kind) {
    case LEX_EQ: p->at++; return OPS_EQ;
    case LEX_NE: p->at++; return OPS_NE;
    case LEX_LT: p->at++; return OPS_LT;
    case LEX_LE: p->at++; return OPS_LE;
    case LEX_GT: p->at++; return OPS_GT;
    case LEX_GE: p->at++; return OPS_GE;
    default: break;
    }
    if (parser_skip_name(p, "in")) return OPS_IN;
    const struct lex_token *next = parser_peek(p, 1);
    if (parser_is_name(p, "not") && next->kind == LEX_NAME && str_equal(next->text, str_of("in"))) {
        p->at += 2;
        return OPS_NOT_IN;
    }
    return -1;
}

static struct node *parse_compare(struct parser *p) {
    struct node *first = parse_sum(p);
    if (!first) return NULL;
    int op = comparison(p);
    if (op < 0) return first;
    struct node *node = parser_node(p, NODE_COMPARE, first->line);
    if (!node) return NULL;
    node->a = first;
    for (; op >= 0; op = comparison(p)) {
        int n = node->kids.count;
        int *ops = arena_calloc(&p->ast->arena, (size_t)n + 1, sizeof *ops);
        if (!ops) return parser_no_memory(p);
        if (n) memcpy(ops, node->ops, (size_t)n * sizeof *ops);
        ops[n] = op;
        node->ops = ops;
        if (n >= PARSER_MAX_DEPTH)
            return parser_fail(p, node->line, "the expression is too long a chain");
        if (!parser_add(p, &node->kids, parse_sum(p))) return NULL;
    }
    return node;
}

static struct node *parse_not(struct parser *p) {
    int line = parser_peek(p, 0)->line, n = 0;
    while (parser_skip_name(p, "not"))
        n++;
    struct node *node = parse_compare(p);
    if (n > PARSER_MAX_DEPTH) return parser_fail(p, line, "the expression is too long a chain");
    for (; n > 0 && node; n--) {
        struct node *not = parser_node(p, NODE_NOT, line);
        if (not ) not ->a = node;
        node = not ;
    }
    return node;
}

static struct node *parse_words(struct parser *p, const char *word, enum node_kind kind,
                                struct node *(*next)(struct parser *)) {
    struct node *left = next(p);
    for (int links = 0; left && parser_is_name(p, word); links++) {
        int line = parser_peek(p, 0)->line;
        if (links > PARSER_MAX_DEPTH)
            return parser_fail(p, line, "the expression is too long a chain");
        p->at++;
        left = join(p, kind, line, left, next(p));
    }
    return left;
}

static struct node *parse_and(struct parser *p) {
    return parse_words(p, "and", NODE_AND, parse_not);
}

static struct node *parse_or(struct parser *p) { return parse_words(p, "or", NODE_OR, parse_and); }

/* a if b else c. Its parts count as conditional code for unknown filters. */
static struct node *parse_cond(struct parser *p) {
    size_t start = p->at;
    bool soft = p->soft;
    p->soft = true; // whether an `if` follows is seen only behind it
    struct node *left = parse_or(p);
    p->soft = soft;
    if (left && !soft && !parser_is_name(p, "if")) {
        p->at = start;
        left = parse_or(p); // once more, so that an unknown filter is found
    }
    for (int links = 0; left && parser_is_name(p, "if"); links++) {
        if (links > PARSER_MAX_DEPTH)
            return parser_fail(p, left->line, "the expression is too long a chain");
        p->at++;
        p->soft = true;
        struct node *node = join(p, NODE_COND, left->line, left, parse_or(p));
        if (node && parser_skip_name(p, "else") && !(node->c = parser_expression(p, true)))
            node = NULL;
        p->soft = soft;
        left = node;
    }
    return left;
}

struct node *parser_expression(struct parser *p, bool with_cond) {
    struct node *node = NULL;
    if (parser_enter(p)) node = with_cond ? parse_cond(p) : parse_or(p);
    p->depth--;
    return node;
}

static bool tuple_ends(const struct parser *p, int flags) {
    return parser_is(p, LEX_VARIABLE_END) || parser_is(p, LEX_BLOCK_END) ||
           parser_is(p, LEX_RPAREN) || ((flags & PARSER_END_IN) && parser_is_name(p, "in")) ||
           ((flags & PARSER_END_REC) && parser_is_name(p, "recursive"));
}

struct node *parser_tuple(struct parser *p, int flags) {
    struct node *tuple = parser_node(p, NODE_TUPLE, parser_peek(p, 0)->line);
    bool is_tuple = false;
    if (!tuple) return NULL;
    for (;;) {
        if (tuple->kids.count && !parser_expect(p, LEX_COMMA)) return NULL;
        if (tuple_ends(p, flags)) break;
        struct node *item = NULL;
        if (flags & PARSER_SIMPLE) {
            if (parser_enter(p)) item = parser_primary(p);
            p->depth--;
        } else {
            item = parser_expression(p, !(flags & PARSER_NO_COND));
        }
        if (!parser_add(p, &tuple->kids, item)) return NULL;
        if (!parser_is(p, LEX_COMMA)) break;
        is_tuple = true;
    }
    if (is_tuple) return tuple;
    if (tuple->kids.count) return tuple->kids.items[0];
    if (flags & PARSER_PARENS) return tuple;
    return parser_fail(p, tuple->line, "expected an expression, not %s",
                       lexer_name(parser_peek(p, 0)->kind));
}
