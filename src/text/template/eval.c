#include "text/template/eval.h"

#include <string.h>

#include "text/template/filters.h"

/* ---- names ---- */

struct scope *eval_scope(struct render *r, struct scope *parent) {
    struct scope *scope = render_alloc(r, sizeof *scope);
    if (scope) scope->parent = parent;
    return scope;
}

bool eval_bind(struct render *r, struct scope *scope, int symbol, struct value *value) {
    if (!value) return false;
    for (int i = 0; i < scope->count; i++) {
        if (scope->items[i].symbol == symbol) {
            scope->items[i].value = value;
            return true;
        }
    }
    if (scope->count == scope->cap) {
        int cap = scope->cap ? scope->cap * 2 : 4;
        struct binding *grown = render_array(r, (size_t)cap, sizeof *grown);
        if (!grown) return false;
        if (scope->count) memcpy(grown, scope->items, (size_t)scope->count * sizeof *grown);
        scope->items = grown;
        scope->cap = cap;
    }
    scope->items[scope->count++] = (struct binding){symbol, value};
    return true;
}

struct value *eval_lookup(struct render *r, const struct scope *scope, int symbol) {
    for (; scope; scope = scope->parent) {
        for (int i = 0; i < scope->count; i++) {
            if (scope->items[i].symbol == symbol) return scope->items[i].value;
        }
    }
    return r->globals[symbol];
}

int eval_symbol(const struct render *r, const char *name) {
    for (int i = 0; i < r->ast->n_symbol; i++) {
        if (str_equal(r->ast->symbols[i], str_of(name))) return i;
    }
    return -1;
}

/* ---- expressions ---- */

static struct value *eval_name(struct render *r, struct scope *scope, const struct node *node) {
    struct value *v = eval_lookup(r, scope, node->symbol);
    if (v) return v;
    return value_undefined(r, "'%.*s' is undefined", (int)node->text.len, node->text.data);
}

static struct value *eval_items(struct render *r, struct scope *scope, const struct node *node) {
    struct listbuf items = {.r = r};
    for (int i = 0; i < node->kids.count; i++) {
        if (!listbuf_add(&items, eval_node(r, scope, node->kids.items[i]))) return NULL;
    }
    return value_list(r, node->kind == NODE_LIST ? VALUE_LIST : VALUE_TUPLE, listbuf_list(&items));
}

static struct value *eval_dict(struct render *r, struct scope *scope, const struct node *node) {
    struct dict *d = dict_new(r);
    for (int i = 0; d && i < node->kids.count; i += 2) {
        struct value *key = eval_node(r, scope, node->kids.items[i]);
        struct value *value = key ? eval_node(r, scope, node->kids.items[i + 1]) : NULL;
        if (!dict_set(r, d, key, value)) return NULL;
    }
    return value_dict(r, d);
}

static struct value *eval_concat(struct render *r, struct scope *scope, const struct node *node) {
    struct strbuf text = {.r = r};
    struct listbuf parts = {.r = r};
    for (int i = 0; i < node->kids.count; i++) {
        if (!listbuf_add(&parts, eval_node(r, scope, node->kids.items[i]))) return NULL;
    }
    const struct value *first = parts.items[0];
    bool append = first->kind == VALUE_STR && first->as.s.len >= OPS_LONG_TEXT;
    for (size_t i = append ? 1 : 0; i < parts.count && !r->failed; i++)
        ops_write(r, &text, parts.items[i]);
    if (r->failed || text.failed) return NULL;
    return append ? strbuf_append(r, first->as.s, strbuf_view(&text)) : strbuf_value(&text);
}

static struct value *eval_compare(struct render *r, struct scope *scope, const struct node *node) {
    struct value *left = eval_node(r, scope, node->a);
    bool holds = true;
    for (int i = 0; left && holds && i < node->kids.count; i++) {
        struct value *right = eval_node(r, scope, node->kids.items[i]);
        r->line = node->line;
        if (!right || !ops_compare(r, (enum ops_compare)node->ops[i], left, right, &holds))
            return NULL;
        left = right;
    }
    return left ? value_bool(holds) : NULL;
}

static struct value *eval_cond(struct render *r, struct scope *scope, const struct node *node) {
    struct value *test = eval_node(r, scope, node->b);
    if (!test) return NULL;
    if (ops_truth(test)) return eval_node(r, scope, node->a);
    if (node->c) return eval_node(r, scope, node->c);
    return value_undefined(r, "the inline if-expression evaluated to false and has no else");
}

static struct value *eval_slice(struct render *r, struct scope *scope, const struct node *node) {
    const struct node *parts[3] = {node->a, node->b, node->c};
    struct value **items = render_array(r, 3, sizeof *items);
    for (int i = 0; items && i < 3; i++) {
        if (parts[i] && !(items[i] = eval_node(r, scope, parts[i]))) return NULL;
    }
    return items ? value_list(r, VALUE_SLICE, (struct list){items, 3}) : NULL;
}

struct value *eval_filters(struct render *r, struct scope *scope, const struct node *node,
                           struct value *input) {
    struct call call;
    if (!render_enter(r)) {
        render_leave(r);
        return NULL;
    }
    if (node->a)
        input = node->a->kind == NODE_FILTER && input ? eval_filters(r, scope, node->a, input)
                                                      : eval_node(r, scope, node->a);
    render_leave(r);
    if (!input || !eval_args(r, scope, node->args, &call)) return NULL;
    r->line = node->line;
    if (!node->row)
        return render_fail(r, "there is no filter '%.*s'", (int)node->text.len, node->text.data);
    return filters_run(r, node->row, input, &call);
}

static struct value *eval_test(struct render *r, struct scope *scope, const struct node *node) {
    struct call call;
    struct value *input = eval_node(r, scope, node->a);
    if (!input || !eval_args(r, scope, node->args, &call)) return NULL;
    r->line = node->line;
    if (!node->row)
        return render_fail(r, "there is no test '%.*s'", (int)node->text.len, node->text.data);
    return filters_run(r, node->row, input, &call);
}

static struct value *eval_called(struct render *r, struct scope *scope, const struct node *node) {
    struct call call;
    struct value *callee = eval_node(r, scope, node->a);
    if (!callee || !eval_args(r, scope, node->args, &call)) return NULL;
    r->line = node->line;
    return eval_call(r, callee, &call);
}

static struct value *eval_two(struct render *r, struct scope *scope, const struct node *node) {
    struct value *a = eval_node(r, scope, node->a);
    if (!a) return NULL;
    if (node->kind == NODE_AND) return ops_truth(a) ? eval_node(r, scope, node->b) : a;
    if (node->kind == NODE_OR) return ops_truth(a) ? a : eval_node(r, scope, node->b);
    struct value *b = eval_node(r, scope, node->b);
    r->line = node->line;
    if (!b) return NULL;
    if (node->kind == NODE_ITEM) return ops_getitem(r, a, b);
    return ops_binary(r, (enum ops_binary)node->op, a, b);
}

static struct value *eval_one(struct render *r, struct scope *scope, const struct node *node) {
    struct value *a = eval_node(r, scope, node->a);
    r->line = node->line;
    if (!a) return NULL;
    if (node->kind == NODE_NOT) return value_bool(!ops_truth(a));
    if (node->kind == NODE_ATTR) return ops_getattr(r, a, node->text);
    return node->kind == NODE_NEG ? ops_negative(r, a) : ops_positive(r, a);
}

static struct value *eval_kind(struct render *r, struct scope *scope, const struct node *node) {
    switch (node->kind) {
    case NODE_CONST: return node->constant;
    case NODE_NAME: return eval_name(r, scope, node);
    case NODE_LIST:
    case NODE_TUPLE: return eval_items(r, scope, node);
    case NODE_DICT: return eval_dict(r, scope, node);
    case NODE_CONCAT: return eval_concat(r, scope, node);
    case NODE_COMPARE: return eval_compare(r, scope, node);
    case NODE_COND: return eval_cond(r, scope, node);
    case NODE_SLICE: return eval_slice(r, scope, node);
    case NODE_FILTER: return eval_filters(r, scope, node, NULL);
    case NODE_TEST: return eval_test(r, scope, node);
    case NODE_CALL: return eval_called(r, scope, node);
    case NODE_AND:
    case NODE_OR:
    case NODE_BINARY:
    case NODE_ITEM: return eval_two(r, scope, node);
    default: // NODE_NOT, NODE_NEG, NODE_POS, NODE_ATTR
        return eval_one(r, scope, node);
    }
}

struct value *eval_node(struct render *r, struct scope *scope, const struct node *node) {
    struct value *v = NULL;
    if (render_enter(r)) {
        r->line = node->line;
        v = eval_kind(r, scope, node);
    }
    render_leave(r);
    return r->failed ? NULL : v;
}
