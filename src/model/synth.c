#include "model/synth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/export.h"
#include "model/export_place.h"
#include "model/quant_preset.h"
#include "model/synth_blocks.h"
#include "tensor/quant.h"

/* ---- the shapes: public configurations ---- */

struct synth_shape {
    const char *name;
    const struct family *family;
    struct hparams hp;
};

// clang-format off
static const struct synth_shape shapes[] = {
    {"qwen2-1.5b", &family_qwen2,
     {.n_layer = 28, .n_embd = 1536, .n_ff = 8960, .n_head = 12, .n_head_kv = 2, .head_dim_k = 128,
      .head_dim_v = 128, .n_ctx_train = 32768, .n_vocab = 151936, .rms_eps = 1e-6,
      .rope_theta = 1e6, .n_rot = 128, .tied = YES}},
    {"qwen3-0.6b", &family_qwen3,
     {.n_layer = 28, .n_embd = 1024, .n_ff = 3072, .n_head = 16, .n_head_kv = 8, .head_dim_k = 128,
      .head_dim_v = 128, .n_ctx_train = 40960, .n_vocab = 151936, .rms_eps = 1e-6,
      .rope_theta = 1e6, .n_rot = 128, .tied = YES}},
    {"llama-3.2-1b", &family_llama,
     {.n_layer = 16, .n_embd = 2048, .n_ff = 8192, .n_head = 32, .n_head_kv = 8, .head_dim_k = 64,
      .head_dim_v = 64, .n_ctx_train = 131072, .n_vocab = 128256, .rms_eps = 1e-5,
      .rope_theta = 5e5, .n_rot = 64, .tied = YES,
      .rope = {.scaling = ROPE_LLAMA3, .factor = 32, .n_ctx_orig = 8192, .low_freq_factor = 1,
               .high_freq_factor = 4}}},
    {"qwen3-30b-a3b", &family_qwen3_moe,
     {.n_layer = 48, .n_embd = 2048, .n_ff = 6144, .n_head = 32, .n_head_kv = 4, .head_dim_k = 128,
      .head_dim_v = 128, .n_ctx_train = 40960, .n_vocab = 151936, .rms_eps = 1e-6,
      .rope_theta = 1e6, .n_rot = 128, .tied = NO, .n_expert = 128, .n_expert_used = 8,
      .n_ff_exp = 768, .n_group = 1, .n_group_used = 1, .norm_topk = YES, .routed_scale = 1,
      .moe_step = 1}},
    {"glm4-9b", &family_glm4,
     {.n_layer = 40, .n_embd = 4096, .n_ff = 13696, .n_head = 32, .n_head_kv = 2, .head_dim_k = 128,
      .head_dim_v = 128, .n_ctx_train = 32768, .n_vocab = 151552, .rms_eps = 1e-5,
      .rope_theta = 1e4, .n_rot = 64, .tied = NO}},
    {"deepseek-v2-lite", &family_deepseek_v2,
     {.n_layer = 27, .n_embd = 2048, .n_ff = 10944, .n_head = 16, .n_head_kv = 1, .head_dim_k = 192,
      .head_dim_v = 128, .n_ctx_train = 163840, .n_vocab = 102400, .rms_eps = 1e-6,
      .rope_theta = 1e4, .n_rot = 64, .tied = NO, .n_expert = 64, .n_expert_used = 6,
      .n_ff_exp = 1408, .n_expert_shared = 2, .n_ff_shexp = 2816, .n_group = 1, .n_group_used = 1,
      .norm_topk = NO, .routed_scale = 1, .n_dense_layer = 1, .moe_step = 1, .kv_lora_rank = 512,
      .rope = {.scaling = ROPE_YARN, .factor = 40, .n_ctx_orig = 4096, .beta_fast = 32,
               .beta_slow = 1, .magnitude = 1, .attn_magnitude = 1.2608, .truncate = true}}},
    {"deepseek-v3", &family_deepseek_v3,
     {.n_layer = 61, .n_embd = 7168, .n_ff = 18432, .n_head = 128, .n_head_kv = 1,
      .head_dim_k = 192, .head_dim_v = 128, .n_ctx_train = 163840, .n_vocab = 129280,
      .rms_eps = 1e-6, .rope_theta = 1e4, .n_rot = 64, .tied = NO, .n_expert = 256,
      .n_expert_used = 8, .n_ff_exp = 2048, .n_expert_shared = 1, .n_ff_shexp = 2048, .n_group = 8,
      .n_group_used = 4, .norm_topk = YES, .routed_scale = 2.5, .n_dense_layer = 3, .moe_step = 1,
      .q_lora_rank = 1536, .kv_lora_rank = 512,
      .rope = {.scaling = ROPE_YARN, .factor = 40, .n_ctx_orig = 4096, .beta_fast = 32,
               .beta_slow = 1, .magnitude = 1, .attn_magnitude = 1.3689, .truncate = true}}},
    {"qwen3-next-80b-a3b", &family_qwen3_next,
     {.n_layer = 48, .n_embd = 2048, .n_ff = 5120, .n_head = 16, .n_head_kv = 2, .head_dim_k = 256,
      .head_dim_v = 256, .n_ctx_train = 262144, .n_vocab = 151936, .rms_eps = 1e-6,
      .rope_theta = 1e7, .n_rot = 64, .tied = NO, .attention_bias = NO, .n_expert = 512,
      .n_expert_used = 10, .n_ff_exp = 512, .n_expert_shared = 1, .n_ff_shexp = 512,
      .n_group = 1, .n_group_used = 1, .norm_topk = YES, .routed_scale = 1, .moe_step = 1,
      .delta_head_k = 16, .delta_head_v = 32, .delta_dim_k = 128, .delta_dim_v = 128,
      .delta_tap = 4}},
};
// clang-format on

const char *synth_shape_name(int i) {
    return i >= 0 && i < (int)(sizeof shapes / sizeof shapes[0]) ? shapes[i].name : NULL;
}

/* ---- which type a matrix gets ---- */

struct synth_type {
    const struct quant_preset *preset;
    enum dtype dtype; // without a preset, of all matrices
};

static bool parse_type(const char *text, struct synth_type *out) {
    out->preset = quant_preset_find(text);
    return out->preset || (dtype_from_name(text, &out->dtype) &&
                           (dtype_can_quantize(out->dtype) || synth_blocks_has(out->dtype)));
}

/* ---- the file ---- */

struct synth_tensor {
    enum role_id role;
    int layer;
    enum dtype dtype;
    int64_t rows, cols; // rows 1: a vector
};

struct synth {
    const struct synth_options *options;
    const struct synth_shape *shape;
    struct hparams hp;
    struct gguf_writer *writer;
    struct synth_tensor *tensors;
    int n_tensor;
    struct pool *pool;
    struct jl_error *err;
};

static enum jl_status put_metadata(struct synth *s) {
    char name[96];
    struct gguf_writer *w = s->writer;
    snprintf(name, sizeof name, "%s random weights", s->shape->name);
    gguf_put_text(w, "general.name", name);
    gguf_put_u32(w, "general.quantization_version", 2);
    return export_hparams(s->shape->family, &s->hp, w, s->shape->name, s->err);
}

/* A SentencePiece vocabulary of control, byte and filler tokens: any text encodes, byte by byte. */
static enum jl_status put_vocabulary(struct synth *s) {
    enum { TEXT = 24 };
    size_t n = (size_t)s->hp.n_vocab;
    char(*text)[TEXT] = calloc(n, sizeof *text);
    struct gguf_string *tokens = calloc(n, sizeof *tokens);
    float *scores = calloc(n, sizeof *scores);
    int32_t *types = calloc(n, sizeof *types);
    bool ok = text && tokens && scores && types;
    for (size_t i = 0; ok && i < n; i++) {
        static const char *const special[] = {"<unk>", "<s>", "</s>"};
        if (i < 3)
            snprintf(text[i], TEXT, "%s", special[i]);
        else if (i < 259)
            snprintf(text[i], TEXT, "<0x%02X>", (unsigned)(i - 3));
        else
            snprintf(text[i], TEXT, "w%zu", i);
        types[i] = i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1; // unknown, control, byte, normal
        scores[i] = i < 259 ? 0 : -(float)i;
        tokens[i] = (struct gguf_string){text[i], strlen(text[i])};
    }
    if (ok) {
        gguf_put_text(s->writer, "tokenizer.ggml.model", "llama");
        gguf_put_text(s->writer, "tokenizer.ggml.pre", "default");
        gguf_put_strings(s->writer, "tokenizer.ggml.tokens", tokens, n);
        gguf_put_array(s->writer, "tokenizer.ggml.scores", GGUF_FLOAT32, scores, n);
        gguf_put_array(s->writer, "tokenizer.ggml.token_type", GGUF_INT32, types, n);
        gguf_put_u32(s->writer, "tokenizer.ggml.bos_token_id", 1);
        gguf_put_u32(s->writer, "tokenizer.ggml.eos_token_id", 2);
        gguf_put_u32(s->writer, "tokenizer.ggml.unknown_token_id", 0);
    }
    free(text);
    free(tokens);
    free(scores);
    free(types);
    return ok ? JL_OK : jl_fail(s->err, JL_ERR_MEMORY, "out of memory for a vocabulary");
}

static enum dtype type_of(const struct synth *s, const struct synth_type *type, const char *name,
                          int n_dim, int64_t cols) {
    const struct quant_model model = {.n_layer = s->hp.n_layer,
                                      .n_head = s->hp.n_head,
                                      .n_head_kv = s->hp.n_head_kv,
                                      .n_expert = s->hp.n_expert,
                                      .tied = s->hp.tied == YES};
    const struct quant_tensor tensor = {name, DTYPE_F32, n_dim, cols};
    const struct quant_preset *preset = type->preset ? type->preset : quant_preset_find("q8_0");
    enum dtype chosen = quant_preset_choose(preset, &model, &tensor).dtype;
    return type->preset || chosen == DTYPE_F32 ? chosen : type->dtype; // F32: left alone by all
}

static enum jl_status list_tensor(struct synth *s, const struct synth_type *type, enum role_id role,
                                  int layer) {
    const struct role_row *row = role_row(role);
    struct export_place place;
    bool experts = row->scope == SCOPE_EXPERTS;
    if (!export_place(s->shape->family, MODEL_FILE_GGUF, role, layer, 0, &place))
        return jl_fail(s->err, JL_ERR_UNSUPPORTED, "%s has no place in a GGUF file", row->id);
    if (place.part) return JL_OK; // of a tensor that is listed already
    int64_t rows = hparams_dim(&s->hp, row->rows), cols = hparams_dim(&s->hp, row->cols);
    int64_t dim[TENSOR_MAX_DIM];
    int n_dim =
        export_dims(MODEL_FILE_GGUF, role, &place, experts ? s->hp.n_expert : 0, rows, cols, dim);
    struct synth_tensor t = {
        .role = role,
        .layer = layer,
        .dtype = type_of(s, type, place.name, n_dim, cols),
        .rows = rows * place.parts * (experts ? s->hp.n_expert : 1),
        .cols = cols,
    };
    gguf_add_tensor(s->writer, place.name, t.dtype, n_dim, dim);
    s->tensors[s->n_tensor++] = t;
    return JL_OK;
}

static enum jl_status list_tensors(struct synth *s) {
    struct synth_type type;
    if (!parse_type(s->options->type, &type))
        return jl_fail(s->err, JL_ERR_USAGE,
                       "type '%s' is not known; `jinlin synth --help` lists them",
                       s->options->type);
    struct arena arena = {0};
    struct export_roles roles;
    enum jl_status status =
        export_roles(s->shape->family, &s->hp, MODEL_FILE_GGUF, &arena, &roles, s->err);
    if (status == JL_OK && !(s->tensors = calloc(roles.n + 1, sizeof *s->tensors)))
        status = jl_fail(s->err, JL_ERR_MEMORY, "out of memory for tensor names");
    for (size_t i = 0; i < roles.n && status == JL_OK; i++)
        status = list_tensor(s, &type, roles.items[i].role, roles.items[i].layer);
    arena_free(&arena);
    return status;
}

/* ---- values: uniform, with the variance that keeps activations near one ---- */

struct fill_call {
    const struct synth *s;
    const struct synth_tensor *t;
    uint64_t tensor;
    int64_t row0;
    uint8_t *out;
    size_t row_bytes;
    float *rows; // (threads, cols)
};

static void random_row(const struct fill_call *call, const struct rng_key *key, float *x) {
    const struct synth_tensor *t = call->t;
    // A vector is a norm (near one), a decay (near -1) or a bias (near zero); a matrix has variance
    // 1/cols.
    bool norm = t->rows == 1 && strstr(role_row(t->role)->gguf, "norm");
    float centre = norm ? 1.0f : t->role == ROLE_DELTA_A ? -1.0f : 0.0f;
    float half_width = t->rows == 1 ? 0.1f : 1.7320508f / __builtin_sqrtf((float)t->cols);
    for (int64_t i = 0; i < t->cols; i += 4) {
        uint32_t words[4];
        rng_block(key, (uint64_t)(i / 4), words);
        for (int64_t k = 0; k < 4 && i + k < t->cols; k++)
            x[i + k] = centre + half_width * (2 * rng_unit(words[k]) - 1);
    }
}

static void fill_row(void *ctx, int item, int thread) {
    const struct fill_call *call = ctx;
    const struct synth_tensor *t = call->t;
    float *x = call->rows + (size_t)thread * (size_t)t->cols;
    uint8_t *out = call->out + (size_t)item * call->row_bytes;
    const struct rng_key key = {.seed = call->s->options->seed,
                                .sequence = (uint32_t)call->tensor,
                                .position = (uint32_t)(call->row0 + item),
                                .purpose = RNG_SYNTH};
    if (synth_blocks_has(t->dtype)) {
        synth_blocks_row(t->dtype, &key, 1 / __builtin_sqrtf((float)t->cols), out, x, t->cols);
        return;
    }
    random_row(call, &key, x);
    dtype_quantize_plain(t->dtype, x, out, t->cols);
}

/* GGUF says llama3 scaling by the factor each frequency is divided by. */
static enum jl_status write_rope_factors(struct synth *s) {
    size_t n = (size_t)s->hp.n_rot / 2;
    float *factors = calloc(n, sizeof *factors);
    if (!factors) return jl_fail(s->err, JL_ERR_MEMORY, "out of memory for rotary factors");
    rope_factors(&s->hp, factors);
    enum jl_status status = gguf_write_data(s->writer, factors, n * sizeof *factors, s->err);
    free(factors);
    return status;
}

#define ROWS_AT_ONCE 512

static enum jl_status write_tensor(struct synth *s, int i) {
    struct fill_call call = {.s = s, .t = &s->tensors[i], .tensor = (uint64_t)i};
    if (call.t->role == ROLE_ROPE_FREQS) return write_rope_factors(s);
    if (!dtype_row_bytes(call.t->dtype, call.t->cols, &call.row_bytes))
        return jl_fail(s->err, JL_ERR_USAGE, "rows of %d values do not fit whole %s blocks",
                       (int)call.t->cols, dtype_name(call.t->dtype));
    enum jl_status status = JL_OK;
    call.out = calloc(ROWS_AT_ONCE, call.row_bytes);
    call.rows = calloc((size_t)pool_threads(s->pool) * (size_t)call.t->cols, sizeof *call.rows);
    if (!call.out || !call.rows)
        status = jl_fail(s->err, JL_ERR_MEMORY, "out of memory for a tensor");
    for (; status == JL_OK && call.row0 < call.t->rows; call.row0 += ROWS_AT_ONCE) {
        int64_t n =
            call.t->rows - call.row0 < ROWS_AT_ONCE ? call.t->rows - call.row0 : ROWS_AT_ONCE;
        pool_run(s->pool, (int)n, fill_row, &call);
        status = gguf_write_data(s->writer, call.out, (size_t)n * call.row_bytes, s->err);
    }
    free(call.out);
    free(call.rows);
    return status;
}

static enum jl_status write_all(struct synth *s, void (*progress)(void *, int64_t, int64_t),
                                void *ctx) {
    JL_TRY(put_metadata(s));
    JL_TRY(put_vocabulary(s));
    JL_TRY(list_tensors(s));
    for (int i = 0; i < s->n_tensor; i++) {
        JL_TRY(write_tensor(s, i));
        if (progress) progress(ctx, i + 1, s->n_tensor);
    }
    return gguf_writer_commit(s->writer, s->err);
}

enum jl_status synth_write(const struct synth_options *options, struct pool *pool,
                           void (*progress)(void *ctx, int64_t done, int64_t total), void *ctx,
                           struct jl_error *err) {
    struct synth s = {.options = options, .pool = pool, .err = err};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (!strcmp(options->shape, shapes[i].name)) s.shape = &shapes[i];
    if (!s.shape)
        return jl_fail(err, JL_ERR_USAGE,
                       "shape '%s' is not known; `jinlin synth --help` lists them", options->shape);
    s.hp = s.shape->hp;
    if (options->n_layer) s.hp.n_layer = options->n_layer;
    hparams_moe_layers(s.shape->family, &(struct layer_set){{0}}, &s.hp);
    for (int i = 0; s.shape->family->mixer[MIXER_RECURRENT] && i < s.hp.n_layer; i++)
        if ((i + 1) % s.shape->family->attention_interval) layer_set_put(&s.hp.recurrent, i);
    JL_TRY(gguf_writer_create(options->path, 0, &s.writer, err));
    enum jl_status status = write_all(&s, progress, ctx);
    gguf_writer_free(s.writer);
    free(s.tensors);
    return status;
}
