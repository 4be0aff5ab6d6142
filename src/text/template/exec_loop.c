/* for: items are fetched one at a time, so that a filter sees what the body has changed and an
 * endless range costs nothing; loop.last and loop.length look ahead only when asked. */
#include <string.h>

#include "text/template/exec.h"
#include "text/template/filters.h"

/* The next item that passes the filter. NULL: the end, or failed. */
static struct value *fetch(struct render *r, struct loop_state *loop) {
    const struct node *node = loop->node;
    for (;;) {
        struct value *item = ops_iter_next(r, &loop->source);
        if (!item || !node->c) return item;
        struct scope *scope = eval_scope(r, loop->outer);
        if (!scope || !render_work(r, 1) || !exec_assign(r, scope, node->a, item)) return NULL;
        struct value *test = eval_node(r, scope, node->c);
        if (!test) return NULL;
        if (ops_truth(test)) return item;
    }
}

static bool look_ahead(struct render *r, struct loop_state *loop, bool all) {
    struct listbuf ahead = {.r = r};
    for (size_t i = loop->n_ahead_used; i < loop->ahead.count; i++) {
        if (!listbuf_add(&ahead, loop->ahead.items[i])) return false;
    }
    while (all || ahead.count == 0) {
        struct value *item = fetch(r, loop);
        if (!item) break;
        if (!render_work(r, 1) || !listbuf_add(&ahead, item)) return false;
    }
    loop->ahead = listbuf_list(&ahead);
    loop->n_ahead_used = 0;
    return !r->failed;
}

static struct value *next_item(struct render *r, struct loop_state *loop) {
    if (loop->n_ahead_used < loop->ahead.count) return loop->ahead.items[loop->n_ahead_used++];
    return fetch(r, loop);
}

static struct value *peek(struct render *r, struct loop_state *loop) {
    if (loop->n_ahead_used == loop->ahead.count && !look_ahead(r, loop, false)) return NULL;
    return loop->n_ahead_used < loop->ahead.count ? loop->ahead.items[loop->n_ahead_used] : NULL;
}

static bool find_length(struct render *r, struct loop_state *loop) {
    if (loop->length >= 0) return true;
    if (!loop->node->c) loop->length = ops_length(loop->over);
    if (loop->length >= 0) return true;
    if (!look_ahead(r, loop, true)) return false;
    loop->length = loop->index0 + 1 + (int64_t)loop->ahead.count;
    return true;
}

static enum exec_result run(struct render *r, struct loop_state *loop) {
    const struct node *node = loop->node;
    int symbol = eval_symbol(r, "loop");
    struct value *self = value_new(r, VALUE_LOOP), *item;
    enum exec_result result = EXEC_OK;
    bool completed = false; // as in Jinja, continue and break leave `else` in force
    if (!self) return EXEC_FAILED;
    self->as.loop = loop;
    while ((item = next_item(r, loop))) {
        struct scope *scope = eval_scope(r, loop->outer);
        loop->index0++;
        loop->previous = loop->current;
        loop->current = item;
        if (!scope || !render_work(r, 1) || !exec_assign(r, scope, node->a, item) ||
            (symbol >= 0 && !eval_bind(r, scope, symbol, self)))
            return EXEC_FAILED;
        result = exec_body(r, scope, &node->body);
        if (result == EXEC_BREAK || result == EXEC_FAILED) break;
        completed |= result == EXEC_OK;
    }
    if (r->failed) return EXEC_FAILED;
    if (completed) return EXEC_OK;
    struct scope *scope = eval_scope(r, loop->outer);
    return scope ? exec_body(r, scope, &node->other) : EXEC_FAILED;
}

static struct loop_state *start(struct render *r, struct scope *scope, const struct node *node,
                                struct value *over) {
    struct loop_state *loop = render_alloc(r, sizeof *loop);
    r->line = node->line;
    if (!over || !loop || !ops_iter_start(r, over, &loop->source)) return NULL;
    loop->node = node;
    loop->outer = scope;
    loop->over = over;
    loop->index0 = loop->length = -1;
    return loop;
}

enum exec_result exec_for(struct render *r, struct scope *scope, const struct node *node) {
    struct loop_state *loop = start(r, scope, node, eval_node(r, scope, node->b));
    return loop ? run(r, loop) : EXEC_FAILED;
}

struct value *exec_loop_call(struct render *r, struct loop_state *loop, const struct call *call) {
    if (!loop->node->flag) return render_fail(r, "only a loop marked 'recursive' can be called");
    if (call->n_args != 1 || call->kwargs->count)
        return render_fail(r, "a recursive loop takes one argument");
    struct loop_state *inner = start(r, loop->outer, loop->node, call->args[0]);
    if (!inner) return NULL;
    inner->depth0 = loop->depth0 + 1;
    struct strbuf text = {.r = r}, *outer = r->out;
    unsigned char generation = r->generation;
    enum exec_result result = EXEC_FAILED;
    r->generation = 0;
    r->out = &text;
    if (render_enter(r)) result = run(r, inner);
    render_leave(r);
    r->out = outer;
    r->generation = generation;
    return result == EXEC_OK ? strbuf_value(&text) : NULL;
}

/* ---- loop.NAME ---- */

static struct value *loop_cycle(struct render *r, struct value *self, const struct call *call) {
    if (call->n_args == 0 || call->kwargs->count)
        return render_fail(r, "loop.cycle needs the values to cycle through");
    return call->args[(uint64_t)self->as.loop->index0 % call->n_args];
}

static struct value *loop_changed(struct render *r, struct value *self, const struct call *call) {
    struct loop_state *loop = self->as.loop;
    struct value *now = value_list(r, VALUE_TUPLE, (struct list){call->args, call->n_args});
    if (!now) return NULL;
    bool same = loop->changed && ops_equal(r, loop->changed, now);
    loop->changed = now;
    return r->failed ? NULL : value_bool(!same);
}

static bool give(struct value *v, struct value **out) {
    *out = v;
    return v != NULL;
}

static bool give_method(struct render *r, struct value *self, const char *name, value_function call,
                        struct value **out) {
    struct value *v = value_new(r, VALUE_METHOD);
    if (!v) return false;
    v->as.function.self = self;
    v->as.function.name = name;
    v->as.function.call = call;
    return give(v, out);
}

bool exec_loop_attribute(struct render *r, struct value *self, struct str name,
                         struct value **out) {
    struct loop_state *loop = self->as.loop;
    char text[16] = "";
    *out = NULL;
    if (name.len < sizeof text) memcpy(text, name.data, name.len);
    if (!strcmp(text, "index0")) return give(value_int(r, loop->index0), out);
    if (!strcmp(text, "index")) return give(value_int(r, loop->index0 + 1), out);
    if (!strcmp(text, "first")) return give(value_bool(loop->index0 == 0), out);
    if (!strcmp(text, "depth")) return give(value_int(r, loop->depth0 + 1), out);
    if (!strcmp(text, "depth0")) return give(value_int(r, loop->depth0), out);
    if (!strcmp(text, "cycle")) return give_method(r, self, "cycle", loop_cycle, out);
    if (!strcmp(text, "changed")) return give_method(r, self, "changed", loop_changed, out);
    if (!strcmp(text, "previtem")) {
        return give(loop->index0 > 0 ? loop->previous
                                     : value_undefined(r, "there is no previous item"),
                    out);
    }
    if (!strcmp(text, "last") || !strcmp(text, "nextitem")) {
        struct value *next = peek(r, loop);
        if (r->failed) return false;
        if (text[0] == 'l') return give(value_bool(!next), out);
        return give(next ? next : value_undefined(r, "there is no next item"), out);
    }
    bool revindex0 = !strcmp(text, "revindex0"), revindex = !strcmp(text, "revindex");
    if (revindex0 || revindex || !strcmp(text, "length")) {
        if (!find_length(r, loop)) return false;
        int64_t back = revindex0 ? loop->index0 + 1 : revindex ? loop->index0 : 0;
        return give(value_int(r, loop->length - back), out);
    }
    return true;
}
