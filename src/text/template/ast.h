/* A parsed template: a tree of nodes in one arena, never written to again.
 *
 * What a node's fields hold is said at its kind. */
#ifndef JL_TEXT_TEMPLATE_AST_H
#define JL_TEXT_TEMPLATE_AST_H

#include "base/arena.h"
#include "text/template/value.h"

enum node_kind {
    /* expressions */
    NODE_CONST,   // constant
    NODE_NAME,    // symbol
    NODE_LIST,    // kids
    NODE_TUPLE,   // kids; as a target too
    NODE_DICT,    // kids: key, value, key, value...
    NODE_AND,     // a, b
    NODE_OR,      // a, b
    NODE_NOT,     // a
    NODE_NEG,     // a
    NODE_POS,     // a
    NODE_BINARY,  // op: enum ops_binary; a, b
    NODE_CONCAT,  // kids
    NODE_COMPARE, // a; kids; ops: enum ops_compare of each kid
    NODE_COND,    // a if b else c; c may be NULL
    NODE_ATTR,    // a.text
    NODE_ITEM,    // a[b]
    NODE_SLICE,   // a:b:c, each may be NULL; inside NODE_ITEM
    NODE_CALL,    // a(args)
    NODE_FILTER,  // a|text(args); a NULL: of a block
    NODE_TEST,    // a is text(args)
    NODE_NSREF,   // target symbol.text
    /* statements */
    NODE_TEXT,         // constant: template text
    NODE_OUTPUT,       // a
    NODE_IF,           // a; body; other
    NODE_FOR,          // target a; over b; filter c; body; other; flag: recursive
    NODE_SET,          // target a; value b
    NODE_SET_BLOCK,    // target a; filters b (innermost has a == NULL) or NULL; body
    NODE_WITH,         // kids: target, value...; body
    NODE_MACRO,        // symbol, text; signature; body
    NODE_CALL_BLOCK,   // call a; signature; body
    NODE_FILTER_BLOCK, // filters b; body
    NODE_BLOCK,        // text; body; flag: scoped; op: required
    NODE_GENERATION,   // signature; body
    NODE_SCOPE,        // body
    NODE_LOADER,       // text: include, import or extends, which need other templates
    NODE_BREAK,
    NODE_CONTINUE,
};

struct node_list {
    struct node **items;
    int count;
};

struct node_args { // of a call, filter or test
    struct node_list args;
    struct node_list kwargs; // values
    struct str *names;       // of kwargs
    struct node *dyn_args, *dyn_kwargs;
};

struct signature {
    int *symbols; // the parameters
    int count;
    struct node_list defaults; // of the last parameters
    bool uses_caller, uses_varargs, uses_kwargs;
};

struct node {
    enum node_kind kind;
    int line;
    int op, symbol;
    bool flag;
    struct str text;
    struct value *constant;
    struct node *a, *b, *c;
    struct node_list kids, body, other;
    int *ops;
    struct node_args *args;
    struct signature *signature;
    const void *row; // of the filter's or test's table; NULL: unknown, fails when it runs
};

struct ast {
    struct arena arena;
    struct node_list body;
    struct str *symbols; // names by number
    int n_symbol, cap_symbol;
    struct node_list blocks; // every NODE_BLOCK
};

#endif
