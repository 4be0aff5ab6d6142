/* Calls: arguments, macros, and what else can be called. */
#include <string.h>

#include "text/template/eval.h"
#include "text/template/exec.h"
#include "text/template/methods.h"

static bool add_dyn_args(struct render *r, struct listbuf *args, struct value *v) {
    struct list items;
    if (!v || !ops_items(r, v, &items)) return false;
    for (size_t i = 0; i < items.count; i++) {
        if (!listbuf_add(args, items.items[i])) return false;
    }
    return true;
}

static bool add_dyn_kwargs(struct render *r, struct dict *kwargs, struct value *v) {
    if (!v) return false;
    if (v->kind != VALUE_DICT)
        return RENDER_NO(render_fail(r, "** needs a mapping, not a %s", value_type(v)));
    for (size_t i = 0; i < v->as.dict->count; i++) {
        const struct dict_entry *e = &v->as.dict->entries[i];
        if (e->key->kind != VALUE_STR) return RENDER_NO(render_fail(r, "keywords must be strings"));
        if (dict_find(r, kwargs, e->key->as.s))
            return RENDER_NO(render_fail(r, "the argument '%.*s' is given twice",
                                         (int)e->key->as.s.len, e->key->as.s.data));
        if (!dict_set(r, kwargs, e->key, e->value)) return false;
    }
    return true;
}

bool eval_args(struct render *r, struct scope *scope, const struct node_args *args,
               struct call *out) {
    static const struct dict none = {0};
    struct listbuf list = {.r = r};
    *out = (struct call){.kwargs = (struct dict *)&none}; // never written to
    for (int i = 0; i < args->args.count; i++) {
        if (!listbuf_add(&list, eval_node(r, scope, args->args.items[i]))) return false;
    }
    if (args->kwargs.count || args->dyn_kwargs) out->kwargs = dict_new(r);
    if (!out->kwargs) return false;
    for (int i = 0; i < args->kwargs.count; i++) {
        struct value *key = value_str(r, args->names[i]);
        struct value *value = eval_node(r, scope, args->kwargs.items[i]);
        if (!dict_set(r, out->kwargs, key, value)) return false;
    }
    if (args->dyn_args && !add_dyn_args(r, &list, eval_node(r, scope, args->dyn_args)))
        return false;
    if (args->dyn_kwargs && !add_dyn_kwargs(r, out->kwargs, eval_node(r, scope, args->dyn_kwargs)))
        return false;
    out->args = list.items;
    out->n_args = list.count;
    return true;
}

/* ---- everything else ---- */

struct value *eval_call(struct render *r, struct value *callee, const struct call *call) {
    switch (callee->kind) {
    case VALUE_METHOD:
    case VALUE_BUILTIN:
        if (callee->as.function.row)
            return methods_call(r, callee->as.function.row, callee->as.function.self, call);
        return callee->as.function.call(r, callee->as.function.self, call);
    case VALUE_MACRO: return exec_macro(r, callee->as.macro, call);
    case VALUE_LOOP: return exec_loop_call(r, callee->as.loop, call);
    case VALUE_JOINER:
        if (call->n_args || call->kwargs->count)
            return render_fail(r, "a joiner takes no arguments");
        if (callee->as.cycler.at) return callee->as.cycler.items.items[0];
        callee->as.cycler.at = 1;
        return value_text(r, "");
    case VALUE_BLOCK:
        if (call->n_args || call->kwargs->count)
            return render_fail(r, "a block takes no arguments");
        return exec_block(r, callee->as.block);
    case VALUE_UNDEFINED: return render_fail(r, "%s", callee->as.why);
    default: return render_fail(r, "a %s cannot be called", value_type(callee));
    }
}
