/* Whole runs: the same recipe gives the same bytes for any threads, kernel level, way of keeping
 * values and place where it was cut off; checkpoints that are torn or of other recipes are refused;
 * models of several families learn. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sha256.h>

#include "base/file.h"
#include "fixture.h"
#include "kernel/kernel.h"
#include "support/scratch.h"
#include "train/learn/checkpoint.h"
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

static const char qwen3[] = "architectures = [\"Qwen3ForCausalLM\"]\nmodel_type = qwen3\n"
                            "hidden_size = 32\nintermediate_size = 48\nnum_hidden_layers = 2\n"
                            "num_attention_heads = 4\nnum_key_value_heads = 2\nhead_dim = 8\n"
                            "max_position_embeddings = 256\nrms_norm_eps = 1e-6\n"
                            "rope_theta = 10000\ntie_word_embeddings = true\n";
static const char deepseek[] =
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
static const char next[] =
    "architectures = [\"Qwen3NextForCausalLM\"]\nmodel_type = qwen3_next\n"
    "hidden_size = 32\nintermediate_size = 48\nnum_hidden_layers = 2\n"
    "num_attention_heads = 2\nnum_key_value_heads = 1\nhead_dim = 16\n"
    "partial_rotary_factor = 0.5\nmax_position_embeddings = 256\nrms_norm_eps = 1e-6\n"
    "rope_theta = 10000\ntie_word_embeddings = false\nattention_bias = false\n"
    "num_experts = 4\nnum_experts_per_tok = 2\nmoe_intermediate_size = 16\n"
    "shared_expert_intermediate_size = 16\ndecoder_sparse_step = 1\nnorm_topk_prob = true\n"
    "full_attention_interval = 2\nlinear_num_key_heads = 2\nlinear_num_value_heads = 4\n"
    "linear_key_head_dim = 8\nlinear_value_head_dim = 8\nlinear_conv_kernel_dim = 4\n";

struct setting {
    const char *config, *model, *data, *train; // more lines of these sections, or NULL
    const char *stages;                        // NULL: one of eight steps
    const char *level;
    const char *from, *weights; // of run_options; weights: a folder in scratch
    int threads, stop_after;
    int64_t stopped_at; // what a cut run came to
};

static const char *text_of(const struct setting *set) {
    static char text[8192];
    snprintf(
        text, sizeof text,
        "[run]\nseed = 5\ncheckpoint_every = 3\n[model]\ntokenizer = tok\n%s\n[config]\n%s\n"
        "[data]\nsource = sums.jsonl holdout=0.05\nseq_len = 64\nrows = 160\n%s\n[train]\n%s\n%s",
        set->model ? set->model : "", set->config, set->data ? set->data : "",
        set->train ? set->train : "",
        set->stages ? set->stages : "[stage main]\nsteps = 8\nrate = 1e-2\nwarmup = 2\n");
    return text;
}

struct seen {
    double first, last, held_out, mtp;
    int64_t steps, begun;
    char note[512];
};

static void on_begin(void *ctx, const struct learner *learner, int64_t done) {
    (void)learner;
    ((struct seen *)ctx)->begun = done;
}

static void on_step(void *ctx, const struct run_step *step) {
    struct seen *seen = ctx;
    if (!seen->steps++) seen->first = step->result.loss;
    seen->last = step->result.loss;
    seen->mtp = step->result.mtp_loss;
}

static void on_held_out(void *ctx, int64_t step, double loss, int64_t n) {
    (void)step;
    assert_true(n > 0);
    ((struct seen *)ctx)->held_out = loss;
}

static void on_note(void *ctx, const char *text) {
    snprintf(((struct seen *)ctx)->note, 512, "%s", text);
}

static enum jl_status try_run(const struct setting *set, const char *folder, struct seen *seen,
                              struct jl_error *err) {
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
                  .step = on_step,
                  .held_out = on_held_out,
                  .note = on_note,
                  .ctx = seen},
    };
    *seen = (struct seen){0};
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

static struct seen must_run(const struct setting *set, const char *folder) {
    struct jl_error err = {0};
    struct seen seen;
    enum jl_status status = try_run(set, folder, &seen, &err);
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

static void assert_same(const char *a, const char *b) {
    char x[65], y[65];
    digest(a, x);
    digest(b, y);
    if (strcmp(x, y)) fail_msg("%s and %s differ", a, b);
}

static int setup(void **state) {
    (void)state;
    write_tokenizer();
    write_texts();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

/* ---- the same bytes ---- */

static const struct setting kinds[] = {
    {.config = qwen3, .model = "dtype = bf16"},
    {.config = qwen3, .model = "dtype = f32", .data = "micro = 5", .train = "optimizer = muon"},
    {.config = deepseek, .model = "dtype = bf16", .data = "micro = 2"},
    {.config = deepseek, .model = "dtype = f32", .train = "optimizer = muon"},
    {.config = next, .model = "dtype = f32"},
};
enum { N_KIND = sizeof kinds / sizeof kinds[0] };

/* JINLIN_TEST_QUICK: one way of each kind is enough. */
static bool quick(void) {
    const char *set = getenv("JINLIN_TEST_QUICK");
    return set && *set;
}

static void test_same_bytes(void **state) {
    (void)state;
    static const char *const levels[] = {"ref", "avx2", "avx512", "amx", "neon"};
    static const char *const keeps[] = {"keep = all", "keep = costly", "keep = layers"};
    for (int k = 0; k < N_KIND; k++) {
        char first[32], other[32], train[128];
        snprintf(first, sizeof first, "k%d", k);
        struct seen seen = must_run(&kinds[k], first);
        if (!(seen.last < seen.first)) fail_msg("kind %d learns nothing", k);
        assert_true(seen.held_out > 0);
        assert_true((seen.mtp > 0) == (kinds[k].config == deepseek));
        for (int i = 0; i < 5; i++) {
            struct setting set = kinds[k];
            struct kernel_table table;
            struct jl_error err;
            if (kernel_table_init(&table, levels[i], &err) != JL_OK) continue;
            if (quick() && i % 3 != k % 3) continue;
            snprintf(train, sizeof train, "%s\n%s", set.train ? set.train : "", keeps[i % 3]);
            set.level = levels[i];
            set.threads = 1 + i % 3;
            set.train = train;
            snprintf(other, sizeof other, "k%d-%s", k, levels[i]);
            must_run(&set, other);
            char a[48], b[48];
            snprintf(a, sizeof a, "%s/main", first);
            snprintf(b, sizeof b, "%s/main", other);
            assert_same(a, b);
        }
    }
}

/* Cut after every number of steps, and gone on with. */
static void test_resume(void **state) {
    (void)state;
    for (int k = 0; k < N_KIND; k += 2) {
        char a[32], b[32], c[48];
        snprintf(a, sizeof a, "k%d/main", k);
        for (int cut = 1; cut < 8; cut += quick() ? 4 : 2) {
            struct setting set = kinds[k];
            snprintf(b, sizeof b, "cut%d-%d", k, cut);
            set.stop_after = cut;
            struct seen seen = must_run(&set, b);
            assert_int_equal(seen.steps, cut);
            set.stop_after = 0;
            seen = must_run(&set, b);
            assert_int_equal(seen.begun, cut);
            assert_int_equal(seen.steps, 8 - cut);
            snprintf(c, sizeof c, "%s/main", b);
            assert_same(a, c);
            seen = must_run(&set, b); // once more: nothing is left to do
            assert_int_equal(seen.steps, 0);
            assert_same(a, c);
        }
    }
}

static void damage(const char *path, int how) {
    struct jl_error err = {0};
    char *bytes;
    size_t size;
    if (file_read(path, 1 << 24, &bytes, &size, &err) != JL_OK) fail_msg("%s", err.message);
    if (how == 0) bytes[size / 2] ^= 1;
    if (how == 1) size -= 1;
    if (how == 2) size = 10;
    if (how == 3) bytes[0] = 'X';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    free(bytes);
}

static void test_torn(void **state) {
    (void)state;
    for (int how = 0; how < 4; how++) {
        char name[32], path[96], whole[48];
        struct setting set = kinds[0];
        snprintf(name, sizeof name, "torn%d", how);
        set.stop_after = 7;
        must_run(&set, name);
        snprintf(path, sizeof path, "%s/checkpoint-000000000007.jinlin", name);
        damage(scratch_path(path), how);
        set.stop_after = 0;
        struct seen seen = must_run(&set, name);
        assert_non_null(strstr(seen.note, "checkpoint-000000000007.jinlin is not taken"));
        assert_int_equal(seen.begun, 6);
        snprintf(whole, sizeof whole, "%s/main", name);
        assert_same("k0/main", whole);
    }
}

static void test_other_recipe(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct seen seen;
    struct setting set = kinds[0];
    set.stop_after = 4;
    must_run(&set, "other");
    set.train = "beta1 = 0.8";
    assert_int_equal(try_run(&set, "other", &seen, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "of another recipe"));
    set.train = "keep = layers"; // decides nothing
    must_run(&set, "other");
}

/* Stages: the second goes on in the data, or has its own; a fresh optimizer; a cut in each. */
static void test_stages(void **state) {
    (void)state;
    struct setting set = {
        .config = qwen3,
        .model = "dtype = bf16",
        .stages = "[stage one]\nsteps = 4\nrate = 1e-2\nschedule = cosine\n"
                  "[stage two]\ntokens = 600\nrate = 3e-3\nrestart = yes\nschedule = constant\n"
                  "[stage three]\nsteps = 2\nrate = 1e-3\nsource = sums.jsonl weight=2\n"};
    struct seen seen = must_run(&set, "stages");
    assert_int_equal(seen.steps, 4 + 4 + 2);
    for (int cut = 2; cut < 10; cut += 3) {
        char name[32];
        struct setting part = set;
        snprintf(name, sizeof name, "stages%d", cut);
        part.stop_after = cut;
        must_run(&part, name);
        part.stop_after = 0;
        must_run(&part, name);
        for (int i = 0; i < 3; i++) {
            static const char *const stages[] = {"one", "two", "three"};
            char a[48], b[64];
            snprintf(a, sizeof a, "stages/%s", stages[i]);
            snprintf(b, sizeof b, "%s/%s", name, stages[i]);
            assert_same(a, b);
        }
    }
}

static void must_refuse(const struct setting *set, const char *folder, const char *why) {
    struct jl_error err = {0};
    struct seen seen;
    if (try_run(set, folder, &seen, &err) == JL_OK) fail_msg("%s was not refused", folder);
    if (!strstr(err.message, why)) fail_msg("%s", err.message);
}

/* A stage that begins again from weights has the same bits where only these weights are, and where
 * it was cut off there. The prediction layer learns in the stage that asks for it alone. */
static void test_from_weights(void **state) {
    (void)state;
    const struct setting set = {
        .config = deepseek,
        .stages = "[stage one]\nsteps = 4\nrate = 1e-2\nmtp_weight = 0\n"
                  "[stage two]\ntokens = 600\nrate = 3e-3\nrestart = weights\n"
                  "[stage three]\nsteps = 2\nrate = 1e-3\nsource = sums.jsonl weight=2\n"};
    struct seen seen = must_run(&set, "whole");
    assert_true(seen.mtp > 0);
    struct setting part = set;
    part.from = "two";
    part.weights = "whole/one";
    part.stop_after = 3;
    seen = must_run(&part, "part");
    assert_int_equal(seen.begun, 4);
    assert_int_equal(seen.steps, 3);
    part.from = part.weights = NULL; // the folder knows
    part.stop_after = 0;
    seen = must_run(&part, "part");
    assert_int_equal(seen.begun, 7);
    assert_same("whole/two", "part/two");
    assert_same("whole/three", "part/three");

    part.from = "three";
    part.weights = "whole/two";
    must_refuse(&part, "part2", "optimizer of the stage before");
    part.from = "four";
    must_refuse(&part, "part3", "no stage 'four'");
    part.from = "two";
    must_refuse(&part, "whole", "begun with the first stage");
    must_refuse(&part, "part", "was begun with stage 'two'");
    part.weights = "stages/one";
    must_refuse(&part, "part4", "weights of another model");
}

/* A stage without sources of its own goes on in the data, and knows how long an epoch is. */
static void test_epochs(void **state) {
    (void)state;
    const struct setting set = {.config = qwen3,
                                .data = "micro = 2",
                                .stages =
                                    "[stage one]\nepochs = 0.5\nrate = 1e-2\nwarmup_share = 0.5\n"
                                    "[stage two]\nepochs = 0.25\nrate = 1e-3\n"};
    struct setting part = set;
    struct seen seen = must_run(&set, "epochs");
    int64_t steps = seen.steps;
    // 285 of 301 texts are learned from; a sum has ten rows or eleven, a step 320.
    if (steps < 5 + 3 || steps > 6 + 4) fail_msg("%lld steps", (long long)steps);
    part.stop_after = 3;
    must_run(&part, "epochs3");
    part.stop_after = 0;
    seen = must_run(&part, "epochs3");
    assert_int_equal(seen.begun, 3);
    assert_int_equal(seen.steps, steps - 3);
    assert_same("epochs/one", "epochs3/one");
    assert_same("epochs/two", "epochs3/two");
}

/* A finished folder is where another run begins. */
static void test_start(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct recipe recipe;
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    struct seen seen = {0};
    const struct pool_options threads = {.n_threads = 1};
    const struct run_options options = {.folder = scratch_path("tuned"),
                                        .watch = {.step = on_step, .ctx = &seen}};
    if (recipe_parse("[model]\nstart = k0/main\n[data]\nsource = sums.jsonl\nseq_len = 64\n"
                     "rows = 160\nmode = whole\nskip_long = yes\n"
                     "[stage main]\nsteps = 3\nrate = 1e-3\n",
                     scratch_path("recipe"), &recipe, &err) != JL_OK ||
        backend_cpu_create(&(struct backend_options){0}, &backend, &err) != JL_OK ||
        pool_create(&threads, &pool, &err) != JL_OK ||
        run_recipe(backend, pool, &recipe, &options, &err) != JL_OK)
        fail_msg("%s", err.message);
    assert_true(seen.first < 4.5); // what the first run has learned is there
    pool_free(pool);
    backend_free(backend);
    recipe_free(&recipe);
}

static void test_lock(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct seen seen;
    char path[64];
    must_run(&kinds[0], "locked");
    snprintf(path, sizeof path, "locked/.lock");
    pid_t child = fork();
    if (child == 0) { // holds the lock while the parent tries
        char command[512];
        snprintf(command, sizeof command, "flock %s sleep 20", scratch_path(path));
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(1);
    }
    enum jl_status status = JL_OK;
    for (int i = 0; i < 100 && status == JL_OK; i++) {
        usleep(20000);
        status = try_run(&kinds[0], "locked", &seen, &err);
    }
    kill(child, 9);
    assert_int_equal(status, JL_ERR_IO);
    assert_non_null(strstr(err.message, "another run is at work"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),   cmocka_unit_test(test_resume),
        cmocka_unit_test(test_torn),         cmocka_unit_test(test_other_recipe),
        cmocka_unit_test(test_stages),       cmocka_unit_test(test_start),
        cmocka_unit_test(test_lock),         cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_from_weights),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
