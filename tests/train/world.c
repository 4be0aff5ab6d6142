#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sha256.h>

#include "base/file.h"
#include "support/scratch.h"
#include "train/run/run.h"

/* ---- a small world ---- */

/* The byte alphabet of GPT-2: printable Latin-1 stays, other bytes go behind U+0100. */
static int alphabet(int byte) {
    int n = 0;
    for (int b = 0; b <= byte; b++) {
        bool plain = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        if (b == byte) return plain ? b : 256 + n;
        n += !plain;
    }
    return 0;
}

static void write_tokenizer(void) {
    char *text = malloc(1 << 16), *at = text;
    at +=
        sprintf(at, "{\"version\":\"1.0\",\"added_tokens\":["
                    "{\"id\":256,\"content\":\"<s>\",\"special\":true},"
                    "{\"id\":257,\"content\":\"</s>\",\"special\":true}],"
                    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\","
                    "\"add_prefix_space\":false,\"use_regex\":true},\"post_processor\":null,"
                    "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int b = 0; b < 256; b++)
        at += sprintf(at, "%s\"\\u%04x\":%d", b ? "," : "", alphabet(b), b);
    sprintf(at, "},\"merges\":[]}}");
    scratch_text("tok/tokenizer.json", text);
    scratch_text("tok/tokenizer_config.json",
                 "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\",\"tokenizer_class\":"
                 "\"PreTrainedTokenizerFast\"}");
    free(text);
}

/* Sums that can be learned, and two lines of another kind. */
static void write_texts(void) {
    char *text = malloc(1 << 16), *at = text;
    for (int i = 0; i < 300; i++)
        at += sprintf(at, "{\"text\": \"%d + %d = %d\"}\n", i % 7, i % 5, i % 7 + i % 5);
    sprintf(at, "{\"text\": \"鱼苗 goes upstream, again and again, until it is a dragon: %s\"}\n",
            "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789");
    scratch_text("sums.jsonl", text);
    free(text);
}

const char world_qwen3[] = "architectures = [\"Qwen3ForCausalLM\"]\nmodel_type = qwen3\n"
                           "hidden_size = 32\nintermediate_size = 48\nnum_hidden_layers = 2\n"
                           "num_attention_heads = 4\nnum_key_value_heads = 2\nhead_dim = 8\n"
                           "max_position_embeddings = 256\nrms_norm_eps = 1e-6\n"
                           "rope_theta = 10000\ntie_word_embeddings = true\n";
const char world_deepseek[] =
    "architectures = [\"DeepseekV3ForCausalLM\"]\nmodel_type = deepseek_v3\n"
    "hidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 2\n"
    "num_attention_heads = 2\nnum_key_value_heads = 2\nmax_position_embeddings = 256\n"
    "rms_norm_eps = 1e-6\nrope_theta = 10000\ntie_word_embeddings = true\nq_lora_rank = 24\n"
    "kv_lora_rank = 16\nqk_nope_head_dim = 8\nqk_rope_head_dim = 4\nv_head_dim = 8\n"
    "n_routed_experts = 6\nnum_experts_per_tok = 2\nn_shared_experts = 1\n"
    "moe_intermediate_size = 16\nfirst_k_dense_replace = 1\nmoe_layer_freq = 1\n"
    "scoring_func = sigmoid\ntopk_method = noaux_tc\nnorm_topk_prob = true\n"
    "routed_scaling_factor = 1.5\nn_group = 1\ntopk_group = 1\nnum_nextn_predict_layers = 1\n"
    "attention_bias = false\n";
const char world_next[] =
    "architectures = [\"Qwen3NextForCausalLM\"]\nmodel_type = qwen3_next\n"
    "hidden_size = 32\nintermediate_size = 48\nnum_hidden_layers = 2\n"
    "num_attention_heads = 2\nnum_key_value_heads = 1\nhead_dim = 16\n"
    "partial_rotary_factor = 0.5\nmax_position_embeddings = 256\nrms_norm_eps = 1e-6\n"
    "rope_theta = 10000\ntie_word_embeddings = false\nattention_bias = false\n"
    "num_experts = 4\nnum_experts_per_tok = 2\nmoe_intermediate_size = 16\n"
    "shared_expert_intermediate_size = 16\ndecoder_sparse_step = 1\nnorm_topk_prob = true\n"
    "full_attention_interval = 2\nlinear_num_key_heads = 2\nlinear_num_value_heads = 4\n"
    "linear_key_head_dim = 8\nlinear_value_head_dim = 8\nlinear_conv_kernel_dim = 4\n";

static const char *text_of(const struct world_setting *set) {
    static char text[8192];
    snprintf(text, sizeof text,
             "[run]\nseed = 5\ncheckpoint_every = 3\n[model]\ntokenizer = tok\n%s\n[config]\n%s\n"
             "[data]\n%s\nseq_len = 64\nrows = 160\n%s\n[train]\n%s\n%s%s\n%s",
             set->model ? set->model : "", set->config,
             set->grpo ? "" : "source = sums.jsonl holdout=0.05", set->data ? set->data : "",
             set->train ? set->train : "", set->grpo ? "[grpo]\n" : "", set->grpo ? set->grpo : "",
             set->stages ? set->stages : "[stage main]\nsteps = 8\nrate = 1e-2\nwarmup = 2\n");
    return text;
}

static void on_begin(void *ctx, const struct learner *learner, int64_t done) {
    ((struct world_seen *)ctx)->learner = learner;
    ((struct world_seen *)ctx)->begun = done;
}

static void on_drawn(void *ctx) {
    struct world_seen *seen = ctx;
    if (seen->drawn) seen->drawn((struct learner *)(uintptr_t)seen->learner);
}

void world_on_step(void *ctx, const struct run_step *step) {
    struct world_seen *seen = ctx;
    if (step->rl) {
        seen->first_reward = seen->steps ? seen->first_reward : step->rl->reward;
        seen->reward += step->rl->reward;
        seen->last_reward = step->rl->reward;
        seen->rl = *step->rl;
    }
    if (!seen->steps++) seen->first = step->result.loss;
    seen->last = step->result.loss;
    seen->mtp = step->result.mtp_loss;
}

static void on_held_out(void *ctx, int64_t step, double loss, int64_t n) {
    (void)step;
    assert_true(n > 0);
    ((struct world_seen *)ctx)->held_out = loss;
}

static void on_note(void *ctx, const char *text) {
    snprintf(((struct world_seen *)ctx)->note, 512, "%s", text);
}

enum jl_status world_try_run(const struct world_setting *set, const char *folder,
                             struct world_seen *seen, struct jl_error *err) {
    struct backend *backend;
    struct pool *pool;
    struct recipe recipe;
    const struct backend_options cpu = {set->level, set->threads ? set->threads : 2};
    const struct pool_options threads = {.n_threads = 2};
    const struct run_options options = {
        .folder = scratch_path(folder),
        .from = set->from,
        .weights = set->weights ? scratch_path(set->weights) : NULL,
        .stop_after = set->stop_after,
        .watch = {.begin = on_begin,
                  .step = world_on_step,
                  .drawn = on_drawn,
                  .held_out = on_held_out,
                  .note = on_note,
                  .ctx = seen},
    };
    *seen = (struct world_seen){.drawn = set->drawn};
    enum jl_status status = recipe_parse(text_of(set), scratch_path("recipe"), &recipe, err);
    if (status != JL_OK) return status;
    if (backend_cpu_create(&cpu, &backend, err) != JL_OK) fail_msg("%s", err->message);
    if (pool_create(&threads, &pool, err) != JL_OK) fail_msg("%s", err->message);
    status = run_recipe(backend, pool, &recipe, &options, err);
    recipe_free(&recipe);
    pool_free(pool);
    backend_free(backend);
    return status;
}

struct world_seen world_must_run(const struct world_setting *set, const char *folder) {
    struct jl_error err = {0};
    struct world_seen seen;
    enum jl_status status = world_try_run(set, folder, &seen, &err);
    if (status != JL_OK && !(set->stop_after && status == JL_ERR_CANCELLED))
        fail_msg("%s: %s", folder, err.message);
    return seen;
}

/* Of a folder's weights and configuration. */
static void digest(const char *folder, char out[65]) {
    char name[256], *text;
    size_t size;
    struct jl_error err = {0};
    SHA2_CTX sum;
    uint8_t raw[SHA256_DIGEST_LENGTH];
    SHA256Init(&sum);
    static const char *const files[] = {"model.safetensors", "config.json", "tokenizer.json"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        if (file_read(scratch_path(name), 1 << 24, &text, &size, &err) != JL_OK)
            fail_msg("%s", err.message);
        SHA256Update(&sum, (const uint8_t *)text, size);
        free(text);
    }
    SHA256Final(raw, &sum);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
        sprintf(out + 2 * i, "%02x", raw[i]);
}

void world_assert_same(const char *a, const char *b) {
    char x[65], y[65];
    digest(a, x);
    digest(b, y);
    if (strcmp(x, y)) fail_msg("%s and %s differ", a, b);
}

int world_setup(void **state) {
    (void)state;
    write_tokenizer();
    write_texts();
    return 0;
}

int world_teardown(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}
