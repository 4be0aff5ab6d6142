/* Calling macros and the bodies of call blocks: how arguments meet parameters. */
#include "text/template/exec.h"

struct value *exec_macro_value(struct render *r, struct scope *scope, const struct node *node) {
    struct value *v = value_new(r, VALUE_MACRO);
    struct macro *macro = render_alloc(r, sizeof *macro);
    if (!v || !macro) return NULL;
    macro->node = node;
    macro->scope = scope;
    v->as.macro = macro;
    return v;
}

static const char *name_of(const struct macro *macro) {
    return macro->node->kind == NODE_MACRO ? "macro" : "caller";
}

/* What is left of the keywords once the parameters have taken theirs. */
static struct value *rest_of_kwargs(struct render *r, const struct macro *macro,
                                    const struct call *call, bool take_caller) {
    const struct signature *s = macro->node->signature;
    struct dict *rest = dict_new(r);
    for (size_t i = 0; rest && i < call->kwargs->count; i++) {
        const struct dict_entry *e = &call->kwargs->entries[i];
        bool taken = take_caller && value_is_str(e->key, "caller");
        for (int p = (int)call->n_args; !taken && p < s->count; p++)
            taken = str_equal(r->ast->symbols[s->symbols[p]], e->key->as.s);
        if (!taken && !dict_set(r, rest, e->key, e->value)) return NULL;
    }
    return value_dict(r, rest);
}

static bool bind_parameter(struct render *r, const struct macro *macro, struct scope *scope, int i,
                           const struct call *call) {
    const struct signature *s = macro->node->signature;
    struct str name = r->ast->symbols[s->symbols[i]];
    struct value *v = NULL;
    if ((size_t)i < call->n_args)
        v = call->args[i];
    else
        v = dict_find(r, call->kwargs, name);
    int first_default = s->count - s->defaults.count;
    if (!v && i >= first_default) v = eval_node(r, scope, s->defaults.items[i - first_default]);
    if (!v && !r->failed)
        v = value_undefined(r, "parameter '%.*s' was not provided", (int)name.len, name.data);
    return eval_bind(r, scope, s->symbols[i], v);
}

bool exec_macro_extras(struct render *r, const struct macro *macro, struct scope *scope,
                       const struct call *call) {
    const struct signature *s = macro->node->signature;
    size_t n = (size_t)s->count;
    bool explicit_caller = false;
    for (int i = 0; i < s->count; i++)
        explicit_caller |= str_equal(r->ast->symbols[s->symbols[i]], str_of("caller"));
    bool take_caller = s->uses_caller && !explicit_caller;
    if (take_caller) {
        struct value *caller = dict_find_text(r, call->kwargs, "caller");
        if (!caller) caller = value_undefined(r, "No caller defined");
        if (!eval_bind(r, scope, eval_symbol(r, "caller"), caller)) return false;
    }
    struct value *rest = rest_of_kwargs(r, macro, call, take_caller);
    if (!rest) return false;
    if (s->uses_kwargs) {
        if (!eval_bind(r, scope, eval_symbol(r, "kwargs"), rest)) return false;
    } else if (rest->as.dict->count) {
        struct str key = rest->as.dict->entries[0].key->as.s;
        return RENDER_NO(render_fail(r, "the %s takes no keyword argument '%.*s'", name_of(macro),
                                     (int)key.len, key.data));
    }
    bool more = call->n_args > n;
    if (s->uses_varargs) {
        struct list rest_args = {more ? call->args + n : NULL, more ? call->n_args - n : 0};
        return eval_bind(r, scope, eval_symbol(r, "varargs"),
                         value_list(r, VALUE_TUPLE, rest_args));
    }
    if (more)
        return RENDER_NO(
            render_fail(r, "the %s takes not more than %d argument(s)", name_of(macro), s->count));
    return true;
}

struct value *exec_macro(struct render *r, const struct macro *macro, const struct call *call) {
    struct scope *scope = eval_scope(r, macro->scope);
    struct value *result = NULL;
    int line = r->line;
    unsigned char generation = r->generation;
    bool ok = render_enter(r) && scope && exec_macro_extras(r, macro, scope, call);
    for (int i = 0; ok && i < macro->node->signature->count; i++)
        ok = bind_parameter(r, macro, scope, i, call);
    r->generation = 0; // where the result is written decides
    if (ok) result = exec_capture(r, scope, &macro->node->body);
    r->generation = generation;
    render_leave(r);
    if (result) r->line = line;
    return result;
}
