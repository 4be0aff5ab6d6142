#include "train/learn/learner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fmath.h"
#include "tensor/kvchunk.h"
#include "train/learn/self.h"

/* ---- what is learned ---- */

static bool is_decay_exponent(const struct learner *l, enum role_id role) {
    const struct family *family = l->model->family;
    for (int i = 0; i < FAMILY_MAX_SOURCES && family->sources[i].role; i++)
        if (family->sources[i].role == role && family->sources[i].hf_transform == NEG_EXP)
            return true;
    return false;
}

bool learner_moves(const struct learner *l, const struct own_tensor *t) {
    return t->learned && (l->options.mtp_weight > 0 || t->layer < l->model->hp.n_layer);
}

static float decay_of(const struct optimizer *o, enum role_group group) {
    switch (group) {
    case GROUP_EMBED: return o->decay_embed;
    case GROUP_MATRIX:
    case GROUP_ROUTER: return o->decay;
    default: return 0;
    }
}

static enum jl_status list_params(struct learner *l, struct jl_error *err) {
    l->n_weight = own_count(l->model);
    l->params = calloc((size_t)l->n_weight, sizeof *l->params);
    if (!l->params) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the list of weights");
    for (int id = 0; id < l->n_weight; id++) {
        struct own_tensor t = own_tensor(l->model, id);
        if (!t.w || !learner_moves(l, &t)) continue;
        enum role_group group = role_row(t.role)->group;
        l->params[l->n_param++] = (struct param){
            .id = id,
            .tensor = t,
            .muon = group == GROUP_MATRIX && l->options.optimizer.kind == OPTIMIZER_MUON,
            .log_of_minus = is_decay_exponent(l, t.role),
            .decay = decay_of(&l->options.optimizer, group),
        };
        l->grad_floats += (t.n + 15) / 16 * 16;
    }
    if (l->n_param) return JL_OK;
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "%s: no weight of it can be learned: they are quantised. Give the model in F32, "
                   "F16 or BF16, or learn an adapter beside it (--method lora)",
                   l->model->file->path);
}

/* ---- memory ---- */

static void *take(struct learner *l, size_t n, size_t size) {
    size_t bytes;
    if (!size_mul(n ? n : 1, size, &bytes)) return NULL;
    l->bytes += bytes;
    return calloc(n ? n : 1, size);
}

static void read_master(const struct learner *l, const struct param *p) {
    own_read(l->model, p->id, 0, p->master, p->tensor.n);
    for (size_t k = 0; p->log_of_minus && k < p->tensor.n; k++)
        p->master[k] = (float)fmath_log64(-(double)p->master[k]);
}

static bool in_place(const struct param *p) {
    return p->tensor.w->dtype == DTYPE_F32 && !p->log_of_minus;
}

static enum jl_status make_masters(struct learner *l, struct jl_error *err) {
    for (int i = 0; i < l->n_param; i++) {
        struct param *p = &l->params[i];
        p->m = take(l, p->tensor.n, sizeof *p->m);
        if (!p->muon) p->v = take(l, p->tensor.n, sizeof *p->v);
        p->master = p->tensor.master ? p->tensor.master
                    : in_place(p)    ? (float *)(uintptr_t)p->tensor.w->data
                                     : take(l, p->tensor.n, sizeof *p->master);
        if (!p->m || (!p->muon && !p->v) || !p->master)
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for the optimizer's state of '%s'",
                           p->tensor.w->name);
        if (!in_place(p)) read_master(l, p);
    }
    return JL_OK;
}

static enum jl_status make_level(struct learner *l, int level, struct jl_error *err) {
    size_t at = 0;
    l->grads[level] = take(l, (size_t)l->n_weight, sizeof *l->grads[level]);
    l->grad_data[level] = aligned_alloc(64, (l->grad_floats * sizeof(float) + 63) / 64 * 64);
    l->bytes += l->grad_floats * sizeof(float);
    if (!l->grads[level] || !l->grad_data[level])
        return jl_fail(err, JL_ERR_MEMORY, "out of memory: gradients need %zu bytes",
                       l->grad_floats * sizeof(float));
    memset(l->grad_data[level], 0, l->grad_floats * sizeof(float)); // between tensors, too
    for (int i = 0; i < l->n_param; i++) {
        l->grads[level][l->params[i].id].data = l->grad_data[level] + at;
        at += (l->params[i].tensor.n + 15) / 16 * 16;
    }
    return JL_OK;
}

/* One for what a micro-batch makes, and one for each level of the tree where sums wait. */
static int n_level(int n_micro) {
    int n = 1;
    for (int k = 1; k < n_micro; k *= 2)
        n++;
    return n;
}

enum jl_status learner_make_levels(struct learner *l, int n_micro, struct jl_error *err) {
    for (int level = 0; level < n_level(n_micro); level++)
        if (!l->grads[level]) JL_TRY(make_level(l, level, err));
    return JL_OK;
}

static enum jl_status make_room(struct learner *l, struct jl_error *err) {
    const struct model *model = l->model;
    size_t rows = (size_t)l->options.rows, width = (size_t)model->hp.n_embd;
    l->n_page = l->options.rows / KV_CHUNK + l->options.rows;
    l->page_list = take(l, (size_t)l->n_page, sizeof *l->page_list);
    l->rows = take(l, rows, sizeof *l->rows);
    l->seqs = take(l, rows, sizeof *l->seqs);
    l->targets = take(l, rows, sizeof *l->targets);
    l->losses = take(l, rows, sizeof *l->losses);
    l->loads = take(l, (size_t)(model->hp.n_layer + 1) * (size_t)(model->hp.n_expert + 1),
                    sizeof *l->loads);
    bool ok = l->page_list && l->rows && l->seqs && l->targets && l->losses && l->loads;
    if (l->mtp) {
        l->mtp_rows = take(l, rows, sizeof *l->mtp_rows);
        l->mtp_targets = take(l, rows, sizeof *l->mtp_targets);
        l->hidden = take(l, rows * width, sizeof *l->hidden);
        l->dhidden = take(l, rows * width, sizeof *l->dhidden);
        l->dgive = take(l, rows * width, sizeof *l->dgive);
        ok = ok && l->mtp_rows && l->mtp_targets && l->hidden && l->dhidden && l->dgive;
    }
    if (!ok) return jl_fail(err, JL_ERR_MEMORY, "out of memory for %d rows", l->options.rows);
    JL_TRY(backend_array_create(l->backend, model->page_bytes, l->n_page, &l->pages, err));
    l->bytes += model->page_bytes * (rows / KV_CHUNK + 1); // of sequences of whole pages
    for (int i = 0; i < l->n_page; i++)
        l->page_list[i] = backend_array_at(l->pages, i);
    if (!model->recurrent_bytes) return JL_OK;
    JL_TRY(backend_alloc(l->backend, model->recurrent_bytes, &l->recur_zero, err));
    return backend_array_create(l->backend, model->recurrent_bytes, l->options.rows, &l->recur,
                                err);
}

static enum jl_status make_muon(struct learner *l, struct jl_error *err) {
    int rows = 0, cols = 0;
    for (int i = 0; i < l->n_param; i++) {
        const struct weight *w = l->params[i].tensor.w;
        if (!l->params[i].muon) continue;
        int small = w->n_out < w->n_in ? w->n_out : w->n_in;
        int large = w->n_out < w->n_in ? w->n_in : w->n_out;
        rows = small > rows ? small : rows;
        cols = large > cols ? large : cols;
    }
    return rows ? backend_muon_create(l->backend, rows, cols, &l->muon, err) : JL_OK;
}

static enum jl_status make_tapes(struct learner *l, struct jl_error *err) {
    const struct step_list *plans[] = {&l->model->plan, &l->model->mtp};
    bool mtp = l->model->mtp.n_step > 0 && l->options.mtp_weight > 0;
    JL_TRY(backend_turned_create(l->backend, plans, mtp ? 2 : 1, l->n_weight, l->grads[0],
                                 &l->turned, err));
    struct tape_options tape = {l->options.rows, l->options.keep, l->turned, l->grads[0]};
    JL_TRY(backend_tape_create(l->backend, &l->model->plan, &tape, &l->tape, err));
    l->bytes += backend_turned_bytes(l->turned) + backend_tape_bytes(l->tape);
    if (!mtp) return JL_OK;
    JL_TRY(backend_tape_create(l->backend, &l->model->mtp, &tape, &l->mtp, err));
    l->bytes += backend_tape_bytes(l->mtp);
    return JL_OK;
}

static enum jl_status fill(struct learner *l, struct jl_error *err) {
    const struct learner_options *o = &l->options;
    if (o->adapter)
        JL_TRY(adapter_model_learn(o->model, o->cls, o->adapter, &l->model, err));
    else
        JL_TRY(model_load_owned(o->model, o->cls, o->dtype, &l->model, err));
    l->bytes = l->model->arena.bytes; // the working copy
    JL_TRY(list_params(l, err));
    JL_TRY(make_masters(l, err));
    JL_TRY(learner_make_levels(l, o->n_micro, err));
    JL_TRY(make_tapes(l, err));
    JL_TRY(make_room(l, err));
    return make_muon(l, err);
}

enum jl_status learner_create(struct backend *backend, const struct learner_options *options,
                              struct learner **out, struct jl_error *err) {
    struct learner *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a learner");
    l->backend = backend;
    l->options = *options;
    enum jl_status status = fill(l, err);
    if (status != JL_OK) {
        learner_free(l);
        return status;
    }
    *out = l;
    return JL_OK;
}

void learner_free(struct learner *l) {
    if (!l) return;
    for (int i = 0; i < l->n_param; i++) {
        struct param *p = &l->params[i];
        free(p->m);
        free(p->v);
        if (p->master != (const float *)(const void *)p->tensor.w->data && !p->tensor.master)
            free(p->master);
    }
    for (int level = 0; level < MOST_LEVELS; level++) {
        free(l->grads[level]);
        free(l->grad_data[level]);
    }
    backend_tape_free(l->tape);
    backend_tape_free(l->mtp);
    backend_turned_free(l->turned);
    backend_muon_free(l->muon);
    backend_array_free(l->pages);
    backend_array_free(l->recur);
    backend_release(l->recur_zero);
    free(l->params);
    free(l->page_list);
    free(l->rows);
    free(l->mtp_rows);
    free(l->seqs);
    free(l->hidden);
    free(l->dhidden);
    free(l->dgive);
    free(l->targets);
    free(l->mtp_targets);
    free(l->losses);
    free(l->loads);
    model_free(l->model);
    free(l);
}

/* ---- what it is ---- */

const struct model *learner_model(const struct learner *l) { return l->model; }

size_t learner_bytes(const struct learner *l) { return l->bytes; }

int64_t learner_steps(const struct learner *l) { return l->steps; }

int64_t learner_n_param(const struct learner *l) {
    int64_t n = 0;
    for (int i = 0; i < l->n_param; i++)
        n += (int64_t)l->params[i].tensor.n;
    return n;
}

int64_t learner_n_active(const struct learner *l) {
    const struct hparams *hp = &l->model->hp;
    int64_t n = 0;
    for (int i = 0; i < l->model->plan.n_step; i++) {
        const struct step *step = &l->model->plan.steps[i];
        int64_t size = (int64_t)step->w.n_out * step->w.n_in;
        if (step->op == OP_LINEAR || step->op == OP_LINEAR_ADD) n += size * step->slots;
        if (step->op == OP_EXPERTS) n += size * hp->n_expert_used;
        if (step->op == OP_HEADS || step->op == OP_ABSORB)
            n += (int64_t)step->heads.n * step->heads.taken * step->w.n_in;
    }
    return n;
}

const int64_t *learner_load(const struct learner *l, int layer) {
    if (layer < 0 || layer > l->model->hp.n_layer || !backend_tape_load(l->tape, layer))
        return NULL;
    return l->loads + (size_t)layer * (size_t)l->model->hp.n_expert;
}

/* ---- checkpoints ---- */

/* Of each parameter its master, m and v; then the routers' biases, which no gradient moves. A
 * master that the model has is the weight without its factor, and is called so. */
static const char *const kinds[] = {"master", "m", "v"};

static bool is_balanced(const struct learner *l, int id, struct own_tensor *out) {
    *out = own_tensor(l->model, id);
    return out->w && out->role == ROLE_ROUTER_B;
}

int learner_n_array(const struct learner *l) {
    struct own_tensor t;
    int n = 0;
    for (int i = 0; i < l->n_param; i++)
        n += l->params[i].muon ? 2 : 3;
    for (int id = 0; id < l->n_weight; id++)
        n += is_balanced(l, id, &t);
    return n;
}

struct learner_array learner_array(struct learner *l, int i) {
    struct learner_array out = {{0}, NULL, 0};
    struct own_tensor t;
    for (int k = 0; k < l->n_param; k++) {
        const struct param *p = &l->params[k];
        float *const data[] = {p->master, p->m, p->v};
        int n = p->muon ? 2 : 3;
        if (i < n) {
            snprintf(out.name, sizeof out.name, "%s.%s", p->tensor.w->name,
                     i == 0 && p->tensor.master ? "unscaled" : kinds[i]);
            out.data = data[i];
            out.n = p->tensor.n;
            return out;
        }
        i -= n;
    }
    for (int id = 0; id < l->n_weight; id++) {
        if (!is_balanced(l, id, &t) || i-- > 0) continue;
        snprintf(out.name, sizeof out.name, "%s", t.w->name);
        out.data = (float *)(uintptr_t)t.w->data; // an owned model's vectors are its own
        out.n = t.n;
        return out;
    }
    return out;
}

#define SCALE_AT_ONCE (1 << 16)

static void scale_item(void *ctx, int item, int thread) {
    const struct own_tensor *t = ctx;
    size_t first = (size_t)item * SCALE_AT_ONCE, left = t->n - first;
    float *to = (float *)(uintptr_t)t->w->data; // F32, its experts' matrices without gaps
    (void)thread;
    adapter_scale(t->master + first, t->factor, left < SCALE_AT_ONCE ? left : SCALE_AT_ONCE,
                  to + first);
}

void learner_publish(struct learner *l, const struct param *p) {
    const struct weight *w = p->tensor.w;
    if (p->tensor.master) {
        struct own_tensor t = p->tensor;
        backend_run(l->backend, (int)((t.n + SCALE_AT_ONCE - 1) / SCALE_AT_ONCE), scale_item, &t);
        return;
    }
    if (p->log_of_minus) {
        float *to = (float *)(uintptr_t)w->data;
        for (size_t k = 0; k < p->tensor.n; k++)
            to[k] = (float)-fmath_exp64((double)p->master[k]);
        return;
    }
    if (p->master == (const float *)(const void *)w->data) return;
    size_t size = (size_t)w->n_out * (size_t)w->n_in;
    for (int e = 0; e < (w->experts ? w->n_expert : 1); e++)
        backend_round(l->backend, p->master + (size_t)e * size, w->dtype,
                      (void *)(uintptr_t)(w->experts ? w->experts[e] : w->data), size);
}

void learner_restore(struct learner *l, int64_t steps) {
    l->steps = steps;
    for (int i = 0; i < l->n_param; i++)
        learner_publish(l, &l->params[i]);
    backend_turned_refresh(l->turned);
}

void learner_forget(struct learner *l) {
    for (int i = 0; i < l->n_param; i++) {
        memset(l->params[i].m, 0, l->params[i].tensor.n * sizeof(float));
        if (l->params[i].v) memset(l->params[i].v, 0, l->params[i].tensor.n * sizeof(float));
    }
    l->steps = 0;
}

void learner_begin_again(struct learner *l) {
    for (int i = 0; i < l->n_param; i++)
        if (!in_place(&l->params[i])) read_master(l, &l->params[i]);
    learner_forget(l);
}

void learner_set_mtp(struct learner *l, float weight) {
    l->options.mtp_weight = l->mtp ? weight : 0;
}
