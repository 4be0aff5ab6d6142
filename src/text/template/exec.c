#include <string.h>

#include "text/template/exec.h"
#include "text/template/filters.h"

/* Marks everything that has been written since `start`. */
static void mark_since(struct strbuf *b, size_t start, unsigned char mark) {
    if (b->failed || b->len == start) return;
    if (!b->marks && start > 0) {
        b->marks = render_alloc(b->r, b->cap);
        if (!b->marks) {
            b->failed = true;
            return;
        }
        memset(b->marks, b->mark, b->len);
    }
    if (!b->marks) b->mark |= mark;
    for (size_t i = start; b->marks && i < b->len; i++)
        b->marks[i] |= mark;
}

bool exec_emit(struct render *r, struct value *value) {
    if (!value) return false;
    size_t start = r->out->len;
    if (value->kind == VALUE_STR)
        strbuf_str(r->out, value->as.s);
    else
        ops_write(r, r->out, value);
    if (r->generation) mark_since(r->out, start, r->generation);
    if (r->out->failed || r->failed) return false;
    if (r->out->len > r->max_output)
        render_limit(r, "the output is longer than %zu bytes", r->max_output);
    return !r->failed && render_work(r, (r->out->len - start) / 64);
}

struct value *exec_capture(struct render *r, struct scope *scope, const struct node_list *body) {
    struct strbuf text = {.r = r}, *outer = r->out;
    r->out = &text;
    enum exec_result result = exec_body(r, scope, body);
    r->out = outer;
    return result == EXEC_OK ? strbuf_value(&text) : NULL;
}

/* The same for a body in which break and continue belong to a loop outside. */
static enum exec_result capture_inline(struct render *r, struct scope *scope,
                                       const struct node_list *body, struct value **out) {
    struct strbuf text = {.r = r}, *outer = r->out;
    unsigned char generation = r->generation;
    r->out = &text;
    r->generation = 0;
    enum exec_result result = exec_body(r, scope, body);
    r->generation = generation;
    r->out = outer;
    *out = strbuf_value(&text);
    return *out ? result : EXEC_FAILED;
}

/* ---- assignment ---- */

static bool assign_tuple(struct render *r, struct scope *scope, const struct node *target,
                         struct value *value) {
    struct list items;
    if (!ops_items(r, value, &items)) return false;
    size_t n = (size_t)target->kids.count;
    if (items.count != n)
        return RENDER_NO(render_fail(r, "%zu values for %zu names", items.count, n));
    for (size_t i = 0; i < n; i++) {
        if (!exec_assign(r, scope, target->kids.items[i], items.items[i])) return false;
    }
    return true;
}

bool exec_assign(struct render *r, struct scope *scope, const struct node *target,
                 struct value *value) {
    if (!value) return false;
    if (target->kind == NODE_NAME) return eval_bind(r, scope, target->symbol, value);
    if (target->kind == NODE_TUPLE) {
        bool ok = render_enter(r) && assign_tuple(r, scope, target, value);
        render_leave(r);
        return ok;
    }
    struct value *ns = eval_lookup(r, scope, target->symbol);
    if (!ns || ns->kind != VALUE_NAMESPACE)
        return RENDER_NO(render_fail(r, "attributes can be set on a namespace only"));
    return dict_set(r, ns->as.dict, value_str(r, target->text), value);
}

/* ---- statements ---- */

static enum exec_result done(bool ok) { return ok ? EXEC_OK : EXEC_FAILED; }

static enum exec_result exec_if(struct render *r, struct scope *scope, const struct node *node) {
    const struct node *branch = node;
    for (int i = 0;; i++) {
        struct value *test = branch->a ? eval_node(r, scope, branch->a) : value_bool(true);
        if (!test) return EXEC_FAILED;
        if (ops_truth(test)) return exec_body(r, scope, &branch->body);
        if (i == node->other.count) return EXEC_OK;
        branch = node->other.items[i];
    }
}

static enum exec_result exec_set_block(struct render *r, struct scope *scope,
                                       const struct node *node) {
    struct value *text;
    struct scope *inner = eval_scope(r, scope);
    enum exec_result result = inner ? capture_inline(r, inner, &node->body, &text) : EXEC_FAILED;
    if (result != EXEC_OK) return result;
    if (node->b) text = eval_filters(r, inner, node->b, text);
    r->line = node->line;
    return done(exec_assign(r, scope, node->a, text));
}

/* The outcome of a block with a filter or a call, which Jinja does not turn into text. */
static bool emit_text(struct render *r, struct value *value) {
    if (value && value->kind != VALUE_STR)
        return RENDER_NO(render_fail(r, "the block's text is a %s", value_type(value)));
    return exec_emit(r, value);
}

static enum exec_result exec_filter_block(struct render *r, struct scope *scope,
                                          const struct node *node) {
    struct value *text;
    struct scope *inner = eval_scope(r, scope);
    enum exec_result result = inner ? capture_inline(r, inner, &node->body, &text) : EXEC_FAILED;
    if (result != EXEC_OK) return result;
    return done(emit_text(r, eval_filters(r, inner, node->b, text)));
}

static enum exec_result exec_with(struct render *r, struct scope *scope, const struct node *node) {
    struct scope *inner = eval_scope(r, scope);
    if (!inner) return EXEC_FAILED;
    for (int i = 0; i < node->kids.count; i += 2) {
        struct value *value = eval_node(r, scope, node->kids.items[i + 1]);
        if (!exec_assign(r, inner, node->kids.items[i], value)) return EXEC_FAILED;
    }
    return exec_body(r, inner, &node->body);
}

static enum exec_result exec_call_block(struct render *r, struct scope *scope,
                                        const struct node *node) {
    struct call call;
    struct value *callee = eval_node(r, scope, node->a->a);
    if (!callee || !eval_args(r, scope, node->a->args, &call)) return EXEC_FAILED;
    struct dict *kwargs = dict_new(r);
    struct value *key = value_text(r, "caller"), *caller = exec_macro_value(r, scope, node);
    for (size_t i = 0; kwargs && i < call.kwargs->count; i++) {
        const struct dict_entry *e = &call.kwargs->entries[i];
        if (!dict_set(r, kwargs, e->key, e->value)) return EXEC_FAILED;
    }
    if (!kwargs || !dict_set(r, kwargs, key, caller)) return EXEC_FAILED;
    call.kwargs = kwargs;
    r->line = node->line;
    return done(emit_text(r, eval_call(r, callee, &call)));
}

static enum exec_result exec_generation(struct render *r, struct scope *scope,
                                        const struct node *node) {
    unsigned char outer = r->generation;
    const struct macro body = {node, scope}; // Jinja runs it as the body of a call block
    const struct dict none = {0};
    const struct call call = {.kwargs = (struct dict *)&none};
    struct scope *inner = eval_scope(r, scope);
    if (!inner || !exec_macro_extras(r, &body, inner, &call)) return EXEC_FAILED;
    r->generation = MARK_GENERATION;
    enum exec_result result = exec_body(r, inner, &node->body);
    r->generation = outer;
    return result;
}

static enum exec_result exec_block_here(struct render *r, struct scope *scope,
                                        const struct node *node) {
    struct scope *inner = eval_scope(r, node->flag ? scope : r->root);
    if (node->op) render_fail(r, "a required block has no content");
    return inner && !r->failed ? exec_body(r, inner, &node->body) : EXEC_FAILED;
}

struct value *exec_block(struct render *r, const struct node *block) {
    struct scope *inner = eval_scope(r, r->root);
    struct value *result = NULL;
    if (render_enter(r) && inner) result = exec_capture(r, inner, &block->body);
    render_leave(r);
    return result;
}

static enum exec_result exec_node(struct render *r, struct scope *scope, const struct node *node) {
    struct scope *inner;
    r->line = node->line;
    switch (node->kind) {
    case NODE_TEXT: return done(exec_emit(r, node->constant));
    case NODE_OUTPUT: return done(exec_emit(r, eval_node(r, scope, node->a)));
    case NODE_IF: return exec_if(r, scope, node);
    case NODE_FOR: return exec_for(r, scope, node);
    case NODE_SET: return done(exec_assign(r, scope, node->a, eval_node(r, scope, node->b)));
    case NODE_SET_BLOCK: return exec_set_block(r, scope, node);
    case NODE_WITH: return exec_with(r, scope, node);
    case NODE_MACRO:
        return done(eval_bind(r, scope, node->symbol, exec_macro_value(r, scope, node)));
    case NODE_CALL_BLOCK: return exec_call_block(r, scope, node);
    case NODE_FILTER_BLOCK: return exec_filter_block(r, scope, node);
    case NODE_BLOCK: return exec_block_here(r, scope, node);
    case NODE_GENERATION: return exec_generation(r, scope, node);
    case NODE_SCOPE:
        inner = eval_scope(r, scope);
        return inner ? exec_body(r, inner, &node->body) : EXEC_FAILED;
    case NODE_BREAK: return EXEC_BREAK;
    case NODE_CONTINUE: return EXEC_CONTINUE;
    default: // NODE_LOADER
        render_fail(r, "'%.*s' needs another template, and there is none", (int)node->text.len,
                    node->text.data);
        return EXEC_FAILED;
    }
}

enum exec_result exec_body(struct render *r, struct scope *scope, const struct node_list *body) {
    enum exec_result result = render_enter(r) ? EXEC_OK : EXEC_FAILED;
    for (int i = 0; result == EXEC_OK && i < body->count; i++) {
        result = exec_node(r, scope, body->items[i]);
        if (r->failed || !render_work(r, 1)) result = EXEC_FAILED;
    }
    render_leave(r);
    return result;
}
