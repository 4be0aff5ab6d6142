/* Running a tree: expressions in eval.c, calls in eval_call.c, statements in exec.c, loops in
 * exec_loop.c. */
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

/* ---- statements ---- */

enum exec_result { EXEC_OK, EXEC_FAILED, EXEC_BREAK, EXEC_CONTINUE };

enum exec_result exec_body(struct render *r, struct scope *scope, const struct node_list *body);
/* Runs a body with its output in a string of its own; NULL: failed. */
struct value *exec_capture(struct render *r, struct scope *scope, const struct node_list *body);
bool exec_emit(struct render *r, struct value *value); // str(value) to the output
bool exec_assign(struct render *r, struct scope *scope, const struct node *target,
                 struct value *value);
struct value *exec_block(struct render *r, const struct node *block); // self.NAME()

struct macro {
    const struct node *node; // NODE_MACRO or NODE_CALL_BLOCK
    struct scope *scope;     // where it was defined
};
struct value *exec_macro_value(struct render *r, struct scope *scope, const struct node *node);
struct value *exec_macro(struct render *r, const struct macro *macro, const struct call *call);

struct loop_state {
    const struct node *node;
    struct scope *outer;
    struct value *over;
    struct ops_iter source;
    struct list ahead; // fetched but not yet run
    size_t n_ahead_used;
    int64_t index0, length; // length negative: not known yet
    int depth0;
    struct value *previous, *current, *changed;
};
enum exec_result exec_for(struct render *r, struct scope *scope, const struct node *node);
struct value *exec_loop_call(struct render *r, struct loop_state *loop, const struct call *call);
/* loop.NAME; *out NULL: there is no such attribute. */
bool exec_loop_attribute(struct render *r, struct value *loop, struct str name, struct value **out);

#endif
