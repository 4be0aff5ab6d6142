/* Statements of a tree: exec.c, loops in exec_loop.c, macros in exec_macro.c. */
#ifndef JL_TEXT_TEMPLATE_EXEC_H
#define JL_TEXT_TEMPLATE_EXEC_H

#include "text/template/eval.h"

enum exec_result { EXEC_OK, EXEC_FAILED, EXEC_BREAK, EXEC_CONTINUE };

enum exec_result exec_body(struct render *r, struct scope *scope, const struct node_list *body);
/* Runs a body with its output in a string of its own; NULL: failed. */
struct value *exec_capture(struct render *r, struct scope *scope, const struct node_list *body);
bool exec_emit(struct render *r, struct value *value); // str(value) to the output
bool exec_assign(struct render *r, struct scope *scope, const struct node *target,
                 struct value *value);
struct value *exec_block(struct render *r, const struct node *block); // self.NAME()

struct macro {
    const struct node *node; // NODE_MACRO, NODE_CALL_BLOCK or NODE_GENERATION
    struct scope *scope;     // where it was defined
};
struct value *exec_macro_value(struct render *r, struct scope *scope, const struct node *node);
struct value *exec_macro(struct render *r, const struct macro *macro, const struct call *call);
/* Binds caller, kwargs and varargs where the body mentions them; other arguments too many fail. */
bool exec_macro_extras(struct render *r, const struct macro *macro, struct scope *scope,
                       const struct call *call);

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
