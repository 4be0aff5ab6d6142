/* Expressions of a tree: values in eval.c, calls in eval_call.c. */
#ifndef JL_TEXT_TEMPLATE_EVAL_H
#define JL_TEXT_TEMPLATE_EVAL_H

#include "text/template/ast.h"
#include "text/template/ops.h"
#include "text/template/value.h"

/* ---- names ---- */

struct binding {
    int symbol;
    struct value *value;
};

/* A scope is made for each iteration, macro call and block; what is set there ends with it. */
struct scope {
    struct scope *parent; // NULL: the template's top, then come the variables
    struct binding *items;
    int count, cap;
};

struct scope *eval_scope(struct render *r, struct scope *parent);
bool eval_bind(struct render *r, struct scope *scope, int symbol, struct value *value);
struct value *eval_lookup(struct render *r, const struct scope *scope, int symbol); // NULL: none
int eval_symbol(const struct render *r, const char *name); // negative: the template has it nowhere

/* ---- expressions ---- */

struct value *eval_node(struct render *r, struct scope *scope, const struct node *node);
/* A filter or a chain of filters of a block, with its input. */
struct value *eval_filters(struct render *r, struct scope *scope, const struct node *node,
                           struct value *input);
bool eval_args(struct render *r, struct scope *scope, const struct node_args *args,
               struct call *out);
struct value *eval_call(struct render *r, struct value *callee, const struct call *call);

#endif
