/* Plan: programs become a flat list of steps with weights, widths and forms resolved.
 *
 * Optional steps whose weight is absent vanish here. A linear step reads its input in the form its
 * weight's type asks for; the conversion is planned once per register value and form, so q, k and v
 * share one. */
#include <string.h>

#include "model/model.h"
#include "tensor/kvchunk.h"

#define MOST_WAITS 4

struct planner {
    struct model *model;
    struct step *steps;
    int n_step, cap;
    int width[REG_COUNT];              // of the value a register holds now: elements of a vector
    int slots[REG_COUNT];              // vectors of a row; 0: nothing the program has written
    enum reg_id converted[XFMT_COUNT]; // which register each conversion buffer was made from
    struct wait {                      // matrices of one input whose adapters are still to add
        enum op_id op;                 // OP_LINEAR, OP_EXPERTS
        enum reg_id in, out;
        enum role_id role;
    } waits[MOST_WAITS];
    int n_wait;
    struct jl_error *err;
};

static enum reg_id conversion_reg(enum xfmt fmt) {
    switch (fmt) {
    case XFMT_BF16: return REG_C_BF16;
    case XFMT_Q8_32: return REG_C_Q8_32;
    case XFMT_Q8_256: return REG_C_Q8_256;
    default: return REG_NONE;
    }
}

static enum jl_status emit(struct planner *p, struct step step) {
    if (p->n_step == p->cap) return jl_fail(p->err, JL_ERR_LIMIT, "the plan is too long");
    p->steps[p->n_step++] = step;
    enum reg_id written = step.out;
    if (written == REG_NONE) return JL_OK;
    p->slots[written] = step.out_slots;
    p->width[written] = step.out_width;
    for (int f = 0; f < XFMT_COUNT && step.op != OP_CONVERT; f++)
        if (p->converted[f] == written) p->converted[f] = REG_NONE;
    return JL_OK;
}

/* Makes `reg` available in form `fmt` and returns where it then stands. */
static enum jl_status in_form(struct planner *p, enum reg_id reg, enum xfmt fmt, int layer,
                              enum reg_id *out) {
    *out = reg;
    if (fmt == XFMT_F32) return JL_OK;
    *out = conversion_reg(fmt);
    if (p->converted[fmt] == reg) return JL_OK;
    struct step step = {.op = OP_CONVERT,
                        .in = reg,
                        .out = *out,
                        .layer = layer,
                        .width = p->width[reg],
                        .slots = p->slots[reg],
                        .out_width = p->width[reg],
                        .out_slots = p->slots[reg],
                        .xfmt = fmt};
    JL_TRY(emit(p, step));
    p->converted[fmt] = reg;
    return JL_OK;
}

/* A matrix reads its input in the form that its type asks for. */
static enum jl_status plan_matrix(struct planner *p, struct step *step) {
    const struct dtype_row *row = dtype_row(step->w.dtype);
    step->xfmt = p->model->cls.act_bf16 ? row->x_bf16 : row->x_f32;
    step->width = step->out_width = step->w.n_out;
    return in_form(p, step->in, step->xfmt, step->layer, &step->in);
}

/* Latent attention: what each head's part of a matrix is, and where queries have their rotary part.
 * All queries, absorbed or not, end with it. */
static void plan_heads(const struct planner *p, struct step *step, enum role_id role) {
    const struct hparams *hp = &p->model->hp;
    int nope = hp->head_dim_k - hp->n_rot;
    step->heads = (struct heads_spec){.n = hp->n_head, .tail_at = nope, .tail = hp->n_rot};
    if (role == ROLE_ATTN_KV_UP) { // a head's keys, then its values
        step->heads.rows = nope + hp->head_dim_v;
        step->heads.transposed = step->op == OP_ABSORB;
        step->heads.row0 = step->heads.transposed ? 0 : nope;
        step->heads.taken = step->heads.transposed ? nope : hp->head_dim_v;
    } else {
        step->heads.rows = step->heads.taken = step->w.n_out / hp->n_head;
    }
    bool absorbs = step->op == OP_ABSORB;
    step->out_slots = absorbs ? hp->n_head : 1;
    step->out_width = absorbs ? hp->kv_lora_rank + hp->n_rot : hp->n_head * hp->head_dim_v;
}

static void plan_rope_step(const struct planner *p, struct step *step) {
    const struct hparams *hp = &p->model->hp;
    bool latent = family_is_latent(p->model->family);
    step->rope = &p->model->rope;
    step->width = p->width[step->out];
    step->slots = p->slots[step->out];
    step->head_dim = latent && step->out == REG_K ? hp->kv_lora_rank + hp->n_rot : hp->head_dim_k;
    step->rope_at = latent ? step->head_dim - hp->n_rot : 0;
}

/* What the op needs beyond its operands, and the shape of what it writes where that is not the
 * shape of `in`. */
static enum jl_status plan_details(struct planner *p, const struct prog_step *line,
                                   struct step *step) {
    const struct model *model = p->model;
    const struct dtype_row *row;
    switch (step->op) {
    case OP_EMBED:
        step->width = step->out_width = step->w.n_in;
        step->out_slots = step->slots = 1;
        break;
    case OP_ROPE_TABLE:
        step->rope = &model->rope;
        step->width = step->out_width = model->rope.n_rot;
        step->out_slots = step->slots = 1;
        break;
    case OP_HIDDEN:
        step->width = step->out_width = model->hp.n_embd;
        step->out_slots = step->slots = 1;
        break;
    case OP_JOIN: step->out_width = p->width[step->in] + p->width[step->in2]; break;
    case OP_HEAD_NORM:
        step->head_dim = step->w.n_in;
        if (line->w == ROLE_ATTN_KV_A_NORM) step->width = step->w.n_in; // the latent, in place
        break;
    case OP_ROPE: plan_rope_step(p, step); break;
    case OP_LINEAR: return plan_matrix(p, step);
    case OP_KV_PUT: step->attn = &model->attn[step->layer]; break;
    case OP_ATTN:
        step->attn = &model->attn[step->layer];
        if (step->attn->act_bf16 && step->attn->kv == DTYPE_BF16) step->xfmt = XFMT_BF16;
        step->width = step->out_width = step->attn->n_head * step->attn->d_v;
        if (step->slots > 1) { // queries that are vectors of their own have such outputs
            step->width = step->out_width = step->attn->d_v;
            step->out_slots = step->slots;
        }
        return in_form(p, step->in, step->xfmt, step->layer, &step->in);
    case OP_ABSORB:
    case OP_HEADS:
        plan_heads(p, step, line->w);
        if (step->heads.transposed) break;
        row = dtype_row(step->w.dtype);
        step->xfmt = model->cls.act_bf16 ? row->x_bf16 : row->x_f32;
        return in_form(p, step->in, step->xfmt, step->layer, &step->in);
    case OP_TAKE: plan_take(&model->hp, line->take, step); break;
    case OP_CONV:
    case OP_L2_NORM: step->delta = &model->delta[step->layer]; break;
    case OP_DELTA:
        step->delta = &model->delta[step->layer];
        step->width = step->out_width = step->delta->n_head_v * step->delta->d_v;
        break;
    case OP_ROUTE:
        step->moe = &model->moe;
        step->out_width = 2 * model->moe.rule.n_used;
        break;
    case OP_DISPATCH:
        step->moe = &model->moe;
        step->out_slots = model->moe.rule.n_used;
        break;
    case OP_EXPERTS: return plan_matrix(p, step);
    case OP_COMBINE:
        step->moe = &model->moe;
        step->slots = step->out_slots = 1;
        break;
    default: break;
    }
    return JL_OK;
}

/* False when the step vanishes: its optional weight is absent, or nothing has written what it
 * reads. */
static bool stays(const struct planner *p, const struct prog_step *line,
                  const struct weight *weight) {
    const struct op_row *op = op_row(line->op);
    if (op->weight != WEIGHT_NONE && op->weight != WEIGHT_MAYBE && !weight) return false;
    if (op->n_in > 0 && !p->slots[line->in]) return false;
    if (op->n_in > 1 && !p->slots[line->in2]) return false;
    if (op->n_in > 2 && !p->slots[line->in3]) return false;
    return op->out != OUT_UPDATES || p->slots[line->out];
}

static enum jl_status plan_step(struct planner *p, const struct prog_step *line, int layer) {
    const struct op_row *op = op_row(line->op);
    const struct weight *weight =
        op->weight == WEIGHT_NONE ? NULL : model_weight(p->model, line->w, layer);
    if (!stays(p, line, weight)) return JL_OK;
    enum reg_id shape = op->n_in ? line->in : line->out; // whose vectors the op goes through
    struct step step = {.op = line->op,
                        .in = line->in,
                        .in2 = line->in2,
                        .in3 = line->in3,
                        .out = line->out,
                        .layer = layer,
                        .width = p->width[shape],
                        .slots = p->slots[shape],
                        .out_width = p->width[shape],
                        .out_slots = p->slots[shape],
                        .part = line->part,
                        .eps = line->eps > 0 ? line->eps : (float)p->model->hp.rms_eps,
                        .xfmt = XFMT_F32};
    if (weight) step.w = *weight;
    if (op->out == OUT_UPDATES) {
        step.out_width = p->width[line->out];
        step.out_slots = p->slots[line->out];
    }
    JL_TRY(plan_details(p, line, &step));
    return emit(p, step);
}

/* ---- adapters ---- */

/* What LB holds onto a register, whose vectors may be longer. */
static enum jl_status plan_add(struct planner *p, enum reg_id out, int layer) {
    struct step add = {.op = OP_ADD, .in = REG_LB, .out = out, .layer = layer};
    add.slots = add.out_slots = p->slots[out];
    add.width = p->width[REG_LB];
    add.out_width = p->width[out];
    return emit(p, add);
}

/* B of what stands in LA, onto `out`, by steps of `op`. Logits get it without a register of their
 * size. */
static enum jl_status plan_high(struct planner *p, const struct adapter_slot *slot, enum op_id op,
                                enum reg_id out) {
    bool at_once = out == REG_LOGITS;
    struct step high = {.op = at_once ? OP_LINEAR_ADD : op,
                        .in = REG_LA,
                        .out = at_once ? out : REG_LB,
                        .layer = slot->layer,
                        .part = EXPERT_APART};
    high.slots = high.out_slots = p->slots[REG_LA];
    high.w = slot->b;
    JL_TRY(plan_matrix(p, &high));
    JL_TRY(emit(p, high));
    return at_once ? JL_OK : plan_add(p, out, slot->layer);
}

static enum jl_status plan_adapter(struct planner *p, const struct adapter_slot *slot,
                                   const struct wait *wait) {
    struct step low = {.op = wait->op, .in = wait->in, .out = REG_LA, .layer = slot->layer};
    low.part = EXPERT_APART;
    low.slots = low.out_slots = p->slots[wait->in];
    low.w = slot->a;
    JL_TRY(plan_matrix(p, &low));
    JL_TRY(emit(p, low));
    return plan_high(p, slot, wait->op, wait->out);
}

/* Onto embeddings: A's rows are looked up. */
static enum jl_status plan_lookup(struct planner *p, const struct adapter_slot *slot,
                                  enum reg_id out) {
    struct step low = {.op = OP_LOOKUP, .out = REG_LA, .layer = slot->layer};
    low.slots = low.out_slots = 1;
    low.w = slot->a;
    low.width = low.out_width = low.w.n_in;
    JL_TRY(emit(p, low));
    return plan_high(p, slot, OP_LINEAR, out);
}

/* A step of heads of an adapter's matrix, from `in` to `out`. */
static enum jl_status plan_heads_of(struct planner *p, const struct weight *w, enum reg_id in,
                                    enum reg_id out, struct heads_spec heads, int layer) {
    struct step step = {.op = OP_HEADS, .in = in, .out = out, .layer = layer, .heads = heads};
    step.heads.n = p->model->hp.n_head;
    step.w = *w;
    step.width = p->width[in];
    step.slots = p->slots[in];
    step.xfmt = XFMT_F32;
    step.out_slots = heads.transposed ? step.heads.n : 1;
    step.out_width = heads.transposed ? w->n_in : step.heads.n * heads.taken;
    return emit(p, step);
}

/* Latent attention's kv_b, y = B A c for a latent c, as it is used: behind attention the values'
 * rows of B after A of what each head has attended to; before it A' of what the keys' rows of B
 * make of each head's query, absorbed like the query itself. A is one for all heads. */
static enum jl_status plan_latent(struct planner *p, const struct adapter_slot *slot,
                                  const struct prog_step *line) {
    const struct hparams *hp = &p->model->hp;
    int nope = hp->head_dim_k - hp->n_rot, joint = nope + hp->head_dim_v;
    if (line->op == OP_ABSORB) {
        JL_TRY(plan_heads_of(p, &slot->b, line->in, REG_LA,
                             (struct heads_spec){.rows = joint, .taken = nope, .transposed = true},
                             slot->layer));
        JL_TRY(plan_heads_of(p, &slot->a, REG_LA, REG_LB,
                             (struct heads_spec){.taken = slot->a.n_out, .transposed = true},
                             slot->layer));
        return plan_add(p, line->out, slot->layer);
    }
    struct step low = {.op = OP_LINEAR, .in = line->in, .out = REG_LA, .layer = slot->layer};
    low.slots = low.out_slots = p->slots[line->in];
    low.w = slot->a;
    JL_TRY(plan_matrix(p, &low));
    JL_TRY(emit(p, low));
    JL_TRY(plan_heads_of(p, &slot->b, REG_LA, REG_LB,
                         (struct heads_spec){.rows = joint, .row0 = nope, .taken = hp->head_dim_v},
                         slot->layer));
    return plan_add(p, line->out, slot->layer);
}

/* Adapters of lines that wait for nobody. */
static enum jl_status plan_at_once(struct planner *p, const struct prog_step *line, int layer) {
    bool lookup = line->op == OP_EMBED, latent = line->op == OP_ABSORB || line->op == OP_HEADS;
    for (int i = 0; (lookup || latent) && i < p->model->n_adapter; i++) {
        const struct adapter_slot *slot = &p->model->adapters[i];
        if (slot->layer != layer) continue;
        if (lookup && slot->role == line->w) JL_TRY(plan_lookup(p, slot, line->out));
        if (latent && slot->role == ROLE_ATTN_KV_UP) JL_TRY(plan_latent(p, slot, line));
    }
    return JL_OK;
}

/* Adapters add to the outputs of matrices behind the last of those that share an input, and behind
 * their biases: the steps of one input stay together, and are done as one. */
static enum jl_status flush_adapters(struct planner *p, int layer) {
    int n = p->n_wait;
    p->n_wait = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < p->model->n_adapter; k++) {
            const struct adapter_slot *slot = &p->model->adapters[k];
            if (slot->role == p->waits[i].role && slot->layer == layer)
                JL_TRY(plan_adapter(p, slot, &p->waits[i]));
        }
    return JL_OK;
}

/* Before a line of a program: does it read or write what waits? */
static bool must_flush(const struct planner *p, const struct prog_step *line) {
    if (line->op == OP_BIAS) return false;
    return line->op != p->waits[0].op || line->in != p->waits[0].in || p->n_wait == MOST_WAITS;
}

static bool has_adapter(const struct model *model, enum role_id role, int layer) {
    for (int i = 0; i < model->n_adapter; i++)
        if (model->adapters[i].role == role && model->adapters[i].layer == layer) return true;
    return false;
}

static enum jl_status plan_line(struct planner *p, const struct prog_step *line, int layer) {
    int before = p->n_step;
    if (p->n_wait && must_flush(p, line)) JL_TRY(flush_adapters(p, layer));
    JL_TRY(plan_step(p, line, layer));
    bool multiplies = line->op == OP_LINEAR || line->op == OP_EXPERTS;
    if (p->n_step == before) return JL_OK;
    if (multiplies && has_adapter(p->model, line->w, layer))
        p->waits[p->n_wait++] = (struct wait){line->op, line->in, line->out, line->w};
    return plan_at_once(p, line, layer);
}

/* From one program to the next only the residual stream and the rotary table are handed on. */
static enum jl_status plan_prog(struct planner *p, const struct prog *prog, int layer) {
    for (int reg = 0; reg < REG_COUNT; reg++)
        if (reg != REG_H && reg != REG_CS) p->slots[reg] = 0;
    for (int f = 0; f < XFMT_COUNT; f++)
        p->converted[f] = REG_NONE;
    for (int i = 0; i < prog->n_step; i++)
        JL_TRY(plan_line(p, &prog->steps[i], layer));
    JL_TRY(flush_adapters(p, layer));
    if (p->steps[p->n_step - 1].op != prog->steps[prog->n_step - 1].op)
        return jl_fail(p->err, JL_ERR_FORMAT,
                       "%s: layer %d: nothing is left of what program '%s' gives out: it lacks "
                       "tensors",
                       p->model->file->path, layer, prog->name);
    return JL_OK;
}

/* Cache pages: all layers of KV_CHUNK positions together, keys before values in a layer. */
static enum jl_status plan_state(struct model *model, struct jl_error *err) {
    const struct hparams *hp = &model->hp;
    model->attn = arena_calloc(&model->arena, (size_t)hparams_n_block(hp), sizeof *model->attn);
    if (!model->attn) return jl_fail(err, JL_ERR_MEMORY, "out of memory planning the cache");
    bool latent = family_is_latent(model->family);
    int d_k = latent ? hp->kv_lora_rank + hp->n_rot : hp->head_dim_k;
    int d_v = latent ? hp->kv_lora_rank : hp->head_dim_v;
    size_t at = 0, keys, values;
    if (!size_mul((size_t)hp->n_head_kv, kvchunk_bytes(model->cls.kv, d_k), &keys) ||
        !size_mul(latent ? 0 : (size_t)hp->n_head_kv, kvchunk_bytes(model->cls.kv, d_v), &values))
        return jl_fail(err, JL_ERR_LIMIT, "%s: the cache of one layer overflows",
                       model->file->path);
    for (int i = 0; i < hparams_n_block(hp); i++) {
        if (layer_set_has(&hp->recurrent, i)) continue;
        model->attn[i] = (struct attn_spec){
            .n_head = hp->n_head,
            .n_head_kv = hp->n_head_kv,
            .d_k = d_k,
            .d_v = d_v,
            .kv = model->cls.kv,
            .act_bf16 = model->cls.act_bf16,
            .scale = (float)hp->attn_scale,
            .k_at = at,
            .v_at = at + keys,
            .values_in_keys = latent,
        };
        if (!size_add(at, keys + values, &at))
            return jl_fail(err, JL_ERR_LIMIT, "%s: a cache page overflows", model->file->path);
    }
    model->page_bytes = at;
    return JL_OK;
}

static enum jl_status plan_rope(struct model *model, struct jl_error *err) {
    const struct family *family = model->family;
    const struct weight *factors = model_weight(model, ROLE_ROPE_FREQS, -1);
    double *freq = arena_calloc(&model->arena, (size_t)model->hp.n_rot / 2, sizeof *freq);
    if (!freq) return jl_fail(err, JL_ERR_MEMORY, "out of memory for the rotary table");
    for (int i = 0; factors && i < factors->n_in; i++)
        if (!(((const float *)(const void *)factors->data)[i] > 0))
            return jl_fail(err, JL_ERR_FORMAT, "%s: tensor '%s' element %d is not positive",
                           model->file->path, factors->name, i);
    bool gguf = model->file->kind == MODEL_FILE_GGUF;
    enum rope_pairs pairs = gguf ? family->rope_gguf : family->rope_hf;
    if (model->hp.rope.half) pairs = ROPE_HALF;
    rope_frequencies(&model->hp, factors ? (const float *)(const void *)factors->data : NULL, freq);
    model->rope = (struct rope_spec){
        .freq = freq,
        .n_rot = model->hp.n_rot,
        .magnitude = model->hp.rope.magnitude,
        .interleaved = pairs == ROPE_INTERLEAVED,
    };
    return JL_OK;
}

/* Room for the layers first .. end-1 between two programs: each line gives at most itself and one
 * conversion; an adapter's pair three steps, or twice three; one check a layer. */
static enum jl_status make_room(struct planner *p, const struct prog *before,
                                const struct prog *after, int first, int end) {
    const struct model *model = p->model;
    p->cap = 2 * (before->n_step + after->n_step) + 6 * model->n_adapter;
    for (int layer = first; layer < end; layer++)
        p->cap += 2 * (model_mixer(model->family, &model->hp, layer)->n_step +
                       model_ffn(model->family, &model->hp, layer)->n_step) +
                  1;
    p->steps = arena_calloc(&p->model->arena, (size_t)p->cap, sizeof *p->steps);
    if (p->steps) return JL_OK;
    return jl_fail(p->err, JL_ERR_MEMORY, "out of memory planning %s", model->file->path);
}

static enum jl_status plan_layer(struct planner *p, int layer) {
    const struct family *family = p->model->family;
    JL_TRY(plan_prog(p, model_mixer(family, &p->model->hp, layer), layer));
    JL_TRY(plan_prog(p, model_ffn(family, &p->model->hp, layer), layer));
    struct step check = {.op = OP_CHECK, .in = REG_H, .layer = layer, .slots = 1};
    check.width = p->width[REG_H];
    return emit(p, check);
}

static enum jl_status finish(struct planner *p, struct step_list *list) {
    list->steps = p->steps;
    list->n_step = p->n_step;
    list->n_logit = p->width[REG_LOGITS];
    return plan_backward(p->model, p->steps, list, p->err);
}

static enum jl_status plan_mtp(struct model *model, struct jl_error *err) {
    struct planner p = {.model = model, .err = err};
    int layer = model->hp.n_layer;
    JL_TRY(make_room(&p, &prog_mtp, &prog_mtp_head, layer, layer + 1));
    JL_TRY(plan_prog(&p, &prog_mtp, layer));
    JL_TRY(plan_layer(&p, layer));
    JL_TRY(plan_prog(&p, &prog_mtp_head, layer));
    return finish(&p, &model->mtp);
}

enum jl_status model_plan(struct model *model, struct jl_error *err) {
    struct planner p = {.model = model, .err = err};
    JL_TRY(plan_state(model, err));
    JL_TRY(plan_recurrent(model, err));
    JL_TRY(plan_rope(model, err));
    model_expert_store(model);
    JL_TRY(make_room(&p, &prog_embed, &prog_head, 0, model->hp.n_layer));
    JL_TRY(plan_prog(&p, &prog_embed, -1));
    for (int layer = 0; layer < model->hp.n_layer; layer++)
        JL_TRY(plan_layer(&p, layer));
    JL_TRY(plan_prog(&p, &prog_head, -1));
    JL_TRY(finish(&p, &model->plan));
    return model->hp.n_mtp ? plan_mtp(model, err) : JL_OK;
}
