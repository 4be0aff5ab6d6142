#include "text/template/globals.h"

#include <string.h>

#include "text/template/filters.h"
#include "text/template/format.h"
#include "text/template/methods_args.h"

#define MAX_RANGE 100000 // of Jinja's sandbox

static struct value *global_range(struct render *r, struct value *self, const struct call *call) {
    int64_t bound[3] = {0, 0, 1};
    (void)self;
    if (call->kwargs->count || call->n_args < 1 || call->n_args > 3)
        return render_fail(r, "range takes one to three integers");
    for (size_t i = 0; i < call->n_args; i++) {
        if (!ops_need_int(r, call->args[i], "a bound of range", &bound[i])) return NULL;
    }
    if (call->n_args == 1) {
        bound[1] = bound[0];
        bound[0] = 0;
    }
    if (bound[2] == 0) return render_fail(r, "range: the step must not be zero");
    uint64_t span = bound[2] > 0 ? (uint64_t)bound[1] - (uint64_t)bound[0]
                                 : (uint64_t)bound[0] - (uint64_t)bound[1];
    uint64_t step = bound[2] > 0 ? (uint64_t)bound[2] : 0 - (uint64_t)bound[2];
    bool empty = bound[2] > 0 ? bound[0] >= bound[1] : bound[0] <= bound[1];
    uint64_t count = empty ? 0 : (span - 1) / step + 1;
    if (count > MAX_RANGE) return render_fail(r, "a range has more than %d items", MAX_RANGE);
    struct value *v = value_new(r, VALUE_RANGE);
    struct range *range = render_alloc(r, sizeof *range);
    if (!v || !range) return NULL;
    *range = (struct range){bound[0], bound[1], bound[2], (int64_t)count};
    v->as.range = range;
    return v;
}

/* dict(mapping or pairs, **more) */
static struct dict *make_dict(struct render *r, const struct call *call) {
    struct dict *d = dict_new(r);
    struct list items, pair;
    if (call->n_args > 1) return render_fail(r, "dict takes at most one positional argument");
    if (d && call->n_args) {
        struct value *v = call->args[0];
        if (v->kind == VALUE_DICT) {
            for (size_t i = 0; i < v->as.dict->count; i++) {
                const struct dict_entry *e = &v->as.dict->entries[i];
                if (!dict_set(r, d, e->key, e->value)) return NULL;
            }
        } else {
            if (!ops_items(r, v, &items)) return NULL;
            for (size_t i = 0; i < items.count; i++) {
                if (!ops_items(r, items.items[i], &pair)) return NULL;
                if (pair.count != 2) return render_fail(r, "dict needs pairs");
                if (!dict_set(r, d, pair.items[0], pair.items[1])) return NULL;
            }
        }
    }
    for (size_t i = 0; d && i < call->kwargs->count; i++) {
        const struct dict_entry *e = &call->kwargs->entries[i];
        if (!dict_set(r, d, e->key, e->value)) return NULL;
    }
    return d;
}

static struct value *global_dict(struct render *r, struct value *self, const struct call *call) {
    (void)self;
    return value_dict(r, make_dict(r, call));
}

static struct value *global_namespace(struct render *r, struct value *self,
                                      const struct call *call) {
    struct dict *d = make_dict(r, call);
    struct value *v = d ? value_new(r, VALUE_NAMESPACE) : NULL;
    (void)self;
    if (v) v->as.dict = d;
    return v;
}

static struct value *global_cycler(struct render *r, struct value *self, const struct call *call) {
    struct value *v = value_new(r, VALUE_CYCLER);
    (void)self;
    if (call->n_args == 0 || call->kwargs->count)
        return render_fail(r, "cycler needs at least one item");
    if (v) v->as.cycler.items = (struct list){call->args, call->n_args};
    return v;
}

static struct value *global_joiner(struct render *r, struct value *self, const struct call *call) {
    struct value *args[FILTERS_MAX_ARGS];
    struct value *v = value_new(r, VALUE_JOINER);
    struct value **items = render_array(r, 1, sizeof *items);
    (void)self;
    if (!v || !items || !filters_bind(r, "joiner", "sep", 0, call, args)) return NULL;
    items[0] = args[0] ? args[0] : value_text(r, ", ");
    v->as.cycler.items = (struct list){items, 1};
    return items[0] ? v : NULL;
}

static struct value *global_raise(struct render *r, struct value *self, const struct call *call) {
    struct value *args[FILTERS_MAX_ARGS];
    struct str message;
    (void)self;
    if (!filters_bind(r, "raise_exception", "message", 1, call, args)) return NULL;
    if (!ops_str(r, args[0], &message)) return NULL;
    return render_fail(r, "the template refuses: %.*s",
                       (int)(message.len > 600 ? 600 : message.len), message.data);
}

static struct value *global_strftime(struct render *r, struct value *self,
                                     const struct call *call) {
    struct value *args[FILTERS_MAX_ARGS];
    struct str format;
    (void)self;
    if (!filters_bind(r, "strftime_now", "format", 1, call, args)) return NULL;
    if (!methods_args_str(r, args[0], "the format of a time", &format)) return NULL;
    return format_time(r, format);
}

static struct value *global_lipsum(struct render *r, struct value *self, const struct call *call) {
    (void)self;
    (void)call;
    return render_unsupported(r, "lipsum is not supported: its text is random");
}

bool globals_find(struct render *r, struct str name, struct value **out) {
    static const struct {
        const char *name;
        value_function call;
    } rows[] = {
        {"range", global_range},           {"dict", global_dict},
        {"namespace", global_namespace},   {"cycler", global_cycler},
        {"joiner", global_joiner},         {"raise_exception", global_raise},
        {"strftime_now", global_strftime}, {"lipsum", global_lipsum},
    };
    *out = NULL;
    if (str_equal(name, str_of("self"))) {
        *out = value_new(r, VALUE_SELF);
        return *out != NULL;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!str_equal(name, str_of(rows[i].name))) continue;
        *out = value_new(r, VALUE_BUILTIN);
        if (!*out) return false;
        (*out)->as.function.name = rows[i].name;
        (*out)->as.function.call = rows[i].call;
    }
    return true;
}
