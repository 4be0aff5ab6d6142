/* Statements, and what both halves of the parser need. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/template/parser.h"

/* ---- the token stream ---- */

const struct lex_token *parser_peek(const struct parser *p, int ahead) {
    const struct lex_token *token = &p->tokens[p->at];
    for (; ahead > 0 && token->kind != LEX_EOF; ahead--)
        token++;
    return token;
}

bool parser_is(const struct parser *p, enum token_kind kind) {
    return p->tokens[p->at].kind == kind;
}

bool parser_is_name(const struct parser *p, const char *name) {
    const struct lex_token *token = &p->tokens[p->at];
    return token->kind == LEX_NAME && str_equal(token->text, str_of(name));
}

bool parser_skip_name(struct parser *p, const char *name) {
    bool is = parser_is_name(p, name);
    p->at += is;
    return is;
}

bool parser_skip(struct parser *p, enum token_kind kind) {
    bool is = parser_is(p, kind) && kind != LEX_EOF;
    p->at += is;
    return is;
}

void *parser_fail(struct parser *p, int line, const char *fmt, ...) {
    if (p->status != JL_OK) return NULL;
    char text[400];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0) text[0] = '\0';
    va_end(args);
    p->status = jl_fail(p->err, JL_ERR_FORMAT, "chat template, line %d: %s", line, text);
    return NULL;
}

void *parser_no_memory(struct parser *p) {
    if (p->status == JL_OK)
        p->status = jl_fail(p->err, JL_ERR_MEMORY, "out of memory reading a chat template");
    return NULL;
}

bool parser_expect(struct parser *p, enum token_kind kind) {
    const struct lex_token *token = parser_peek(p, 0);
    if (parser_skip(p, kind)) return true;
    bool named = token->kind == LEX_NAME;
    parser_fail(p, token->line, "expected %s, not %s%.*s%s", lexer_name(kind),
                named ? "'" : lexer_name(token->kind), named ? (int)token->text.len : 0,
                named ? token->text.data : "", named ? "'" : "");
    return false;
}

bool parser_enter(struct parser *p) {
    if (++p->depth <= PARSER_MAX_DEPTH) return p->status == JL_OK;
    if (p->status == JL_OK)
        p->status = jl_fail(p->err, JL_ERR_LIMIT, "chat template, line %d: it nests too deeply",
                            parser_peek(p, 0)->line);
    return false;
}

/* ---- nodes ---- */

struct node *parser_node(struct parser *p, enum node_kind kind, int line) {
    struct node *node = arena_alloc(&p->ast->arena, sizeof *node);
    if (!node) return parser_no_memory(p);
    node->kind = kind;
    node->line = line;
    return node;
}

bool parser_add(struct parser *p, struct node_list *list, struct node *node) {
    if (!node) return false;
    bool full = list->count == 0 || (list->count >= 4 && (list->count & (list->count - 1)) == 0);
    if (full) { // a power of two: make room for as many again
        size_t cap = list->count ? (size_t)list->count * 2 : 4;
        struct node **grown = arena_calloc(&p->ast->arena, cap, sizeof *grown);
        if (!grown) return RENDER_NO(parser_no_memory(p));
        if (list->count) memcpy(grown, list->items, (size_t)list->count * sizeof *grown);
        list->items = grown;
    }
    list->items[list->count++] = node;
    return true;
}

int parser_symbol(struct parser *p, struct str name) {
    struct ast *ast = p->ast;
    for (int i = 0; i < ast->n_symbol; i++) {
        if (str_equal(ast->symbols[i], name)) return i;
    }
    if (ast->n_symbol == PARSER_MAX_SYMBOLS) {
        if (p->status == JL_OK)
            p->status = jl_fail(p->err, JL_ERR_LIMIT, "chat template, line %d: more than %d names",
                                parser_peek(p, 0)->line, PARSER_MAX_SYMBOLS);
        return -1;
    }
    if (ast->n_symbol == ast->cap_symbol) {
        int cap = ast->cap_symbol ? ast->cap_symbol * 2 : 32;
        struct str *grown = arena_calloc(&ast->arena, (size_t)cap, sizeof *grown);
        if (!grown) {
            parser_no_memory(p);
            return -1;
        }
        if (ast->n_symbol) memcpy(grown, ast->symbols, (size_t)ast->n_symbol * sizeof *grown);
        ast->symbols = grown;
        ast->cap_symbol = cap;
    }
    ast->symbols[ast->n_symbol] = name;
    return ast->n_symbol++;
}

struct value *parser_constant(struct parser *p, enum value_kind kind) {
    struct value *v = arena_alloc(&p->ast->arena, sizeof *v);
    if (!v) return parser_no_memory(p);
    v->kind = kind;
    return v;
}

/* ---- bodies ---- */

static bool parse_statement(struct parser *p, struct node_list *body);

static bool at_end_tag(const struct parser *p, const char *const *ends) {
    for (; *ends; ends++) {
        if (parser_is_name(p, *ends)) return true;
    }
    return false;
}

/* Nodes up to a tag of `ends` (whose name is then the current token), or to the end of the text
 * where ends is NULL. */
static bool parse_nodes(struct parser *p, const char *const *ends, struct node_list *body) {
    for (;;) {
        const struct lex_token *token = parser_peek(p, 0);
        struct node *node;
        switch (token->kind) {
        case LEX_EOF:
            return !ends || parser_fail(p, token->line, "the template ends before {%% %s %%}",
                                        *ends) != NULL;
        case LEX_DATA:
            node = parser_node(p, NODE_TEXT, token->line);
            if (!node || !(node->constant = parser_constant(p, VALUE_STR))) return false;
            node->constant->as.s = token->text;
            p->at++;
            if (!parser_add(p, body, node)) return false;
            break;
        case LEX_VARIABLE_BEGIN:
            p->at++;
            node = parser_node(p, NODE_OUTPUT, token->line);
            if (!node || !(node->a = parser_tuple(p, 0)) || !parser_expect(p, LEX_VARIABLE_END) ||
                !parser_add(p, body, node))
                return false;
            break;
        default: // LEX_BLOCK_BEGIN
            p->at++;
            if (ends && at_end_tag(p, ends)) return true;
            if (!parse_statement(p, body) || !parser_expect(p, LEX_BLOCK_END)) return false;
            break;
        }
    }
}

/* From behind a tag's arguments to the name of the tag that ends the body. */
static bool parse_body(struct parser *p, const char *const *ends, struct node_list *body) {
    parser_skip(p, LEX_COLON);
    if (!parser_expect(p, LEX_BLOCK_END)) return false;
    bool ok = parser_enter(p) && parse_nodes(p, ends, body);
    p->depth--;
    return ok;
}

static bool parse_last_body(struct parser *p, const char *end, struct node_list *body) {
    const char *const ends[] = {end, NULL};
    if (!parse_body(p, ends, body)) return false;
    p->at++;
    return true;
}

/* The body of a function: loops around it are not its own. */
static bool parse_function_body(struct parser *p, const char *end, struct signature *signature,
                                struct node_list *body) {
    int loops = p->loops;
    bool soft = p->soft;
    p->loops = 0;
    p->soft = false;
    if (p->n_macro == PARSER_MAX_DEPTH) return RENDER_NO(parser_fail(p, 0, "it nests too deeply"));
    if (signature) p->macros[p->n_macro++] = signature;
    bool ok = parse_last_body(p, end, body);
    if (signature) p->n_macro--;
    p->loops = loops;
    p->soft = soft;
    return ok;
}

/* ---- targets ---- */

/* A name, or a tuple of such; reserved words cannot be assigned to. */
static bool check_target(struct parser *p, const struct node *target) {
    if (!target) return false;
    if (target->kind == NODE_NAME || target->kind == NODE_NSREF) return true;
    if (target->kind != NODE_TUPLE)
        return RENDER_NO(parser_fail(p, target->line, "this cannot be assigned to"));
    if (!parser_enter(p)) return p->depth--, false;
    bool ok = true;
    for (int i = 0; ok && i < target->kids.count; i++)
        ok = check_target(p, target->kids.items[i]);
    p->depth--;
    return ok;
}

static struct node *parse_name_target(struct parser *p) {
    const struct lex_token *token = parser_peek(p, 0);
    if (!parser_is(p, LEX_NAME)) return parser_expect(p, LEX_NAME) ? NULL : NULL;
    struct node *node = parser_primary(p);
    if (node && node->kind != NODE_NAME)
        return parser_fail(p, token->line, "'%.*s' cannot be assigned to", (int)token->text.len,
                           token->text.data);
    return node;
}

static struct node *parse_target(struct parser *p, int flags, bool with_namespace) {
    const struct lex_token *token = parser_peek(p, 0);
    if (with_namespace && parser_peek(p, 1)->kind == LEX_DOT) {
        struct node *node = parser_node(p, NODE_NSREF, token->line);
        if (!node || !parser_expect(p, LEX_NAME)) return NULL;
        p->at++;
        node->text = parser_peek(p, 0)->text;
        node->symbol = parser_symbol(p, token->text);
        return node->symbol >= 0 && parser_expect(p, LEX_NAME) ? node : NULL;
    }
    struct node *target = parser_tuple(p, flags | PARSER_SIMPLE);
    return check_target(p, target) ? target : NULL;
}

/* ---- tags ---- */

static struct node *parse_set(struct parser *p, struct node *node) {
    node->a = parse_target(p, 0, true);
    if (!node->a) return NULL;
    if (parser_skip(p, LEX_ASSIGN)) {
        node->kind = NODE_SET;
        node->b = parser_tuple(p, 0);
        return node->b ? node : NULL;
    }
    node->kind = NODE_SET_BLOCK;
    if (parser_is(p, LEX_PIPE) && !(node->b = parser_filters(p, NULL, false))) return NULL;
    return parse_last_body(p, "endset", &node->body) ? node : NULL;
}

static struct node *parse_for(struct parser *p, struct node *node) {
    static const char *const ends[] = {"endfor", "else", NULL};
    node->kind = NODE_FOR;
    node->a = parse_target(p, PARSER_END_IN, false);
    if (!node->a) return NULL;
    if (!parser_skip_name(p, "in")) return parser_fail(p, node->line, "expected 'in' in a for");
    node->b = parser_tuple(p, PARSER_NO_COND | PARSER_END_REC);
    if (!node->b) return NULL;
    if (parser_skip_name(p, "if") && !(node->c = parser_expression(p, true))) return NULL;
    node->flag = parser_skip_name(p, "recursive");
    bool soft = p->soft;
    p->soft = false;
    p->loops++;
    bool ok = parse_body(p, ends, &node->body);
    p->loops--;
    if (ok) {
        bool other = parser_is_name(p, "else");
        p->at++;
        ok = !other || parse_last_body(p, "endfor", &node->other);
    }
    p->soft = soft;
    return ok ? node : NULL;
}

static struct node *parse_if(struct parser *p, struct node *node) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    bool soft = p->soft, ok = true;
    struct node *branch = node;
    node->kind = NODE_IF;
    p->soft = true;
    while (ok) {
        branch->a = parser_tuple(p, PARSER_NO_COND);
        ok = branch->a && parse_body(p, ends, &branch->body);
        if (!ok) break;
        int line = parser_peek(p, 0)->line;
        if (parser_skip_name(p, "elif")) { // an if in the else branch, but no deeper to run
            struct node *next = parser_node(p, NODE_IF, line);
            ok = next && parser_add(p, &node->other, next);
            branch = next;
            continue;
        }
        bool other = parser_is_name(p, "else");
        p->at++;
        if (other) {
            struct node *last = parser_node(p, NODE_IF, line); // no condition: always
            ok = last && parse_last_body(p, "endif", &last->body) &&
                 parser_add(p, &node->other, last);
        }
        break;
    }
    p->soft = soft;
    return ok ? node : NULL;
}

static struct node *parse_with(struct parser *p, struct node *node) {
    node->kind = NODE_WITH;
    while (!parser_is(p, LEX_BLOCK_END)) {
        if (node->kids.count && !parser_expect(p, LEX_COMMA)) return NULL;
        struct node *target = parse_target(p, 0, false);
        if (!parser_add(p, &node->kids, target) || !parser_expect(p, LEX_ASSIGN) ||
            !parser_add(p, &node->kids, parser_expression(p, true)))
            return NULL;
    }
    return parse_last_body(p, "endwith", &node->body) ? node : NULL;
}

static bool parse_signature(struct parser *p, struct signature *s) {
    if (!parser_expect(p, LEX_LPAREN)) return false;
    while (!parser_is(p, LEX_RPAREN)) {
        if (s->count && !parser_expect(p, LEX_COMMA)) return false;
        struct node *name = parse_name_target(p);
        if (!name) return false;
        int *symbols = arena_calloc(&p->ast->arena, (size_t)s->count + 1, sizeof *symbols);
        if (!symbols) return RENDER_NO(parser_no_memory(p));
        if (s->count) memcpy(symbols, s->symbols, (size_t)s->count * sizeof *symbols);
        for (int i = 0; i < s->count; i++) {
            if (symbols[i] == name->symbol)
                return RENDER_NO(parser_fail(p, name->line, "two parameters have one name"));
        }
        symbols[s->count] = name->symbol;
        s->symbols = symbols;
        s->count++;
        if (parser_skip(p, LEX_ASSIGN)) {
            if (!parser_add(p, &s->defaults, parser_expression(p, true))) return false;
        } else if (s->defaults.count) {
            return RENDER_NO(
                parser_fail(p, name->line, "a parameter without default follows one with"));
        }
        if (s->count > 1000) return RENDER_NO(parser_fail(p, name->line, "too many parameters"));
    }
    return parser_expect(p, LEX_RPAREN);
}

static struct node *parse_macro(struct parser *p, struct node *node) {
    node->kind = NODE_MACRO;
    node->signature = arena_alloc(&p->ast->arena, sizeof *node->signature);
    if (!node->signature) return parser_no_memory(p);
    struct node *name = parse_name_target(p);
    if (!name || !parse_signature(p, node->signature)) return NULL;
    node->text = name->text;
    node->symbol = name->symbol;
    return parse_function_body(p, "endmacro", node->signature, &node->body) ? node : NULL;
}

static struct node *parse_call_block(struct parser *p, struct node *node) {
    node->kind = NODE_CALL_BLOCK;
    node->text = str_of("caller");
    node->signature = arena_alloc(&p->ast->arena, sizeof *node->signature);
    if (!node->signature) return parser_no_memory(p);
    if (parser_is(p, LEX_LPAREN) && !parse_signature(p, node->signature)) return NULL;
    node->a = parser_expression(p, true);
    if (!node->a) return NULL;
    if (node->a->kind != NODE_CALL) return parser_fail(p, node->line, "expected a call");
    return parse_function_body(p, "endcall", node->signature, &node->body) ? node : NULL;
}

static struct node *parse_filter_block(struct parser *p, struct node *node) {
    node->kind = NODE_FILTER_BLOCK;
    node->b = parser_filters(p, NULL, true);
    if (!node->b) return NULL;
    return parse_last_body(p, "endfilter", &node->body) ? node : NULL;
}

static struct node *parse_block(struct parser *p, struct node *node) {
    node->kind = NODE_BLOCK;
    node->text = parser_peek(p, 0)->text;
    if (!parser_expect(p, LEX_NAME)) return NULL;
    node->flag = parser_skip_name(p, "scoped");
    node->op = parser_skip_name(p, "required");
    for (int i = 0; i < p->ast->blocks.count; i++) {
        if (str_equal(p->ast->blocks.items[i]->text, node->text))
            return parser_fail(p, node->line, "the block '%.*s' is defined twice",
                               (int)node->text.len, node->text.data);
    }
    if (!parser_add(p, &p->ast->blocks, node)) return NULL;
    if (!parse_function_body(p, "endblock", NULL, &node->body)) return NULL;
    if (parser_is(p, LEX_NAME) && str_equal(parser_peek(p, 0)->text, node->text)) p->at++;
    return node;
}

static struct node *parse_generation(struct parser *p, struct node *node) {
    node->kind = NODE_GENERATION;
    node->signature = arena_alloc(&p->ast->arena, sizeof *node->signature);
    if (!node->signature) return parser_no_memory(p);
    return parse_function_body(p, "endgeneration", node->signature, &node->body) ? node : NULL;
}

/* Escaping of HTML is off; a template that turns it on is refused rather than half obeyed. */
static struct node *parse_autoescape(struct parser *p, struct node *node) {
    node->kind = NODE_SCOPE;
    struct node *on = parser_expression(p, true);
    if (!on) return NULL;
    if (on->kind != NODE_CONST || on->constant != value_bool(false)) {
        if (p->status == JL_OK)
            p->status = jl_fail(p->err, JL_ERR_UNSUPPORTED,
                                "chat template, line %d: autoescape is not supported", node->line);
        return NULL;
    }
    return parse_last_body(p, "endautoescape", &node->body) ? node : NULL;
}

/* include, import, from and extends parse, and fail where they run: there are no other templates.
 */
static struct node *parse_loader(struct parser *p, struct node *node) {
    node->kind = NODE_LOADER;
    if (!parser_expression(p, true)) return NULL;
    while (!parser_is(p, LEX_BLOCK_END) && !parser_is(p, LEX_EOF))
        p->at++; // names, "as", "with context", "ignore missing"
    return node;
}

static struct node *parse_jump(struct parser *p, struct node *node) {
    node->kind = str_equal(node->text, str_of("break")) ? NODE_BREAK : NODE_CONTINUE;
    if (p->loops == 0)
        return parser_fail(p, node->line, "'%.*s' outside a loop", (int)node->text.len,
                           node->text.data);
    return node;
}

/* {% print a, b %} */
static bool parse_print(struct parser *p, struct node_list *body) {
    for (bool first = true; !parser_is(p, LEX_BLOCK_END); first = false) {
        if (!first && !parser_expect(p, LEX_COMMA)) return false;
        struct node *node = parser_node(p, NODE_OUTPUT, parser_peek(p, 0)->line);
        if (!node || !(node->a = parser_expression(p, true)) || !parser_add(p, body, node))
            return false;
    }
    return true;
}

static bool parse_statement(struct parser *p, struct node_list *body) {
    static const struct {
        const char *tag;
        struct node *(*parse)(struct parser *, struct node *);
    } tags[] = {
        {"if", parse_if},
        {"for", parse_for},
        {"set", parse_set},
        {"macro", parse_macro},
        {"call", parse_call_block},
        {"filter", parse_filter_block},
        {"with", parse_with},
        {"block", parse_block},
        {"break", parse_jump},
        {"continue", parse_jump},
        {"include", parse_loader},
        {"import", parse_loader},
        {"from", parse_loader},
        {"extends", parse_loader},
        {"generation", parse_generation},
        {"autoescape", parse_autoescape},
    };
    const struct lex_token *token = parser_peek(p, 0);
    if (token->kind != LEX_NAME)
        return RENDER_NO(parser_fail(p, token->line, "expected the name of a tag, not %s",
                                     lexer_name(token->kind)));
    if (parser_skip_name(p, "print")) return parse_print(p, body);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (!str_equal(token->text, str_of(tags[i].tag))) continue;
        struct node *node = parser_node(p, NODE_TEXT, token->line);
        if (!node) return false;
        node->text = token->text;
        p->at++;
        return parser_add(p, body, tags[i].parse(p, node));
    }
    return RENDER_NO(
        parser_fail(p, token->line, "unknown tag '%.*s'", (int)token->text.len, token->text.data));
}

enum jl_status parser_read(struct ast *ast, const char *source, size_t len, struct jl_error *err) {
    struct lex_token *tokens;
    size_t n_token;
    struct parser p = {.ast = ast, .err = err};
    JL_TRY(lexer_read(source, len, &ast->arena, &tokens, &n_token, err));
    p.tokens = tokens;
    return parse_nodes(&p, NULL, &ast->body) ? JL_OK : p.status;
}
