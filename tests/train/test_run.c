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

#include "base/file.h"
#include "kernel/kernel.h"
#include "support/scratch.h"
#include "train/learn/checkpoint.h"
#include "world.h"

/* ---- the same bytes ---- */

static const struct world_setting kinds[] = {
    {.config = world_qwen3, .model = "dtype = bf16"},
    {.config = world_qwen3,
     .model = "dtype = f32",
     .data = "micro = 5",
     .train = "optimizer = muon"},
    {.config = world_deepseek, .model = "dtype = bf16", .data = "micro = 2"},
    {.config = world_deepseek, .model = "dtype = f32", .train = "optimizer = muon"},
    {.config = world_next, .model = "dtype = f32"},
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
        struct world_seen seen = world_must_run(&kinds[k], first);
        if (!(seen.last < seen.first)) fail_msg("kind %d learns nothing", k);
        assert_true(seen.held_out > 0);
        assert_true((seen.mtp > 0) == (kinds[k].config == world_deepseek));
        for (int i = 0; i < 5; i++) {
            struct world_setting set = kinds[k];
            struct kernel_table table;
            struct jl_error err;
            if (kernel_table_init(&table, levels[i], &err) != JL_OK) continue;
            if (quick() && i % 3 != k % 3) continue;
            snprintf(train, sizeof train, "%s\n%s", set.train ? set.train : "", keeps[i % 3]);
            set.level = levels[i];
            set.threads = 1 + i % 3;
            set.train = train;
            snprintf(other, sizeof other, "k%d-%s", k, levels[i]);
            world_must_run(&set, other);
            char a[48], b[48];
            snprintf(a, sizeof a, "%s/main", first);
            snprintf(b, sizeof b, "%s/main", other);
            world_assert_same(a, b);
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
            struct world_setting set = kinds[k];
            snprintf(b, sizeof b, "cut%d-%d", k, cut);
            set.stop_after = cut;
            struct world_seen seen = world_must_run(&set, b);
            assert_int_equal(seen.steps, cut);
            set.stop_after = 0;
            seen = world_must_run(&set, b);
            assert_int_equal(seen.begun, cut);
            assert_int_equal(seen.steps, 8 - cut);
            snprintf(c, sizeof c, "%s/main", b);
            world_assert_same(a, c);
            seen = world_must_run(&set, b); // once more: nothing is left to do
            assert_int_equal(seen.steps, 0);
            world_assert_same(a, c);
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
        struct world_setting set = kinds[0];
        snprintf(name, sizeof name, "torn%d", how);
        set.stop_after = 7;
        world_must_run(&set, name);
        snprintf(path, sizeof path, "%s/checkpoint-000000000007.jinlin", name);
        damage(scratch_path(path), how);
        set.stop_after = 0;
        struct world_seen seen = world_must_run(&set, name);
        assert_non_null(strstr(seen.note, "checkpoint-000000000007.jinlin is not taken"));
        assert_int_equal(seen.begun, 6);
        snprintf(whole, sizeof whole, "%s/main", name);
        world_assert_same("k0/main", whole);
    }
}

static void test_other_recipe(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct world_seen seen;
    struct world_setting set = kinds[0];
    set.stop_after = 4;
    world_must_run(&set, "other");
    set.train = "beta1 = 0.8";
    assert_int_equal(world_try_run(&set, "other", &seen, &err), JL_ERR_USAGE);
    assert_non_null(strstr(err.message, "of another recipe"));
    set.train = "keep = layers"; // decides nothing
    world_must_run(&set, "other");
}

/* Stages: the second goes on in the data, or has its own; a fresh optimizer; a cut in each. */
static void test_stages(void **state) {
    (void)state;
    struct world_setting set = {
        .config = world_qwen3,
        .model = "dtype = bf16",
        .stages = "[stage one]\nsteps = 4\nrate = 1e-2\nschedule = cosine\n"
                  "[stage two]\ntokens = 600\nrate = 3e-3\nrestart = yes\nschedule = constant\n"
                  "[stage three]\nsteps = 2\nrate = 1e-3\nsource = sums.jsonl weight=2\n"};
    struct world_seen seen = world_must_run(&set, "stages");
    assert_int_equal(seen.steps, 4 + 4 + 2);
    for (int cut = 2; cut < 10; cut += 3) {
        char name[32];
        struct world_setting part = set;
        snprintf(name, sizeof name, "stages%d", cut);
        part.stop_after = cut;
        world_must_run(&part, name);
        part.stop_after = 0;
        world_must_run(&part, name);
        for (int i = 0; i < 3; i++) {
            static const char *const stages[] = {"one", "two", "three"};
            char a[48], b[64];
            snprintf(a, sizeof a, "stages/%s", stages[i]);
            snprintf(b, sizeof b, "%s/%s", name, stages[i]);
            world_assert_same(a, b);
        }
    }
}

static void must_refuse(const struct world_setting *set, const char *folder, const char *why) {
    struct jl_error err = {0};
    struct world_seen seen;
    if (world_try_run(set, folder, &seen, &err) == JL_OK) fail_msg("%s was not refused", folder);
    if (!strstr(err.message, why)) fail_msg("%s", err.message);
}

/* A stage that begins again from weights has the same bits where only these weights are, and where
 * it was cut off there. The prediction layer learns in the stage that asks for it alone. */
static void test_from_weights(void **state) {
    (void)state;
    const struct world_setting set = {
        .config = world_deepseek,
        .stages = "[stage one]\nsteps = 4\nrate = 1e-2\nmtp_weight = 0\n"
                  "[stage two]\ntokens = 600\nrate = 3e-3\nrestart = weights\n"
                  "[stage three]\nsteps = 2\nrate = 1e-3\nsource = sums.jsonl weight=2\n"};
    struct world_seen seen = world_must_run(&set, "whole");
    assert_true(seen.mtp > 0);
    struct world_setting part = set;
    part.from = "two";
    part.weights = "whole/one";
    part.stop_after = 3;
    seen = world_must_run(&part, "part");
    assert_int_equal(seen.begun, 4);
    assert_int_equal(seen.steps, 3);
    part.from = part.weights = NULL; // the folder knows
    part.stop_after = 0;
    seen = world_must_run(&part, "part");
    assert_int_equal(seen.begun, 7);
    world_assert_same("whole/two", "part/two");
    world_assert_same("whole/three", "part/three");

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

/* A copy of a model that a run wrote, with one text in the place of another in one of its files. */
static void copy_model(const char *from, const char *to, const char *file, const char *text,
                       const char *other) {
    static const char *const files[] = {"model.safetensors", "config.json", "tokenizer.json",
                                        "tokenizer_config.json"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char name[256], *bytes, *at;
        size_t size;
        struct jl_error err = {0};
        snprintf(name, sizeof name, "%s/%s", from, files[i]);
        if (file_read(scratch_path(name), 1 << 24, &bytes, &size, &err) != JL_OK)
            fail_msg("%s", err.message);
        snprintf(name, sizeof name, "%s/%s", to, files[i]);
        if (strcmp(files[i], file) != 0) {
            scratch_write(name, bytes, size);
        } else {
            if (!(at = strstr(bytes, text))) fail_msg("no %s in %s of %s", text, file, from);
            char *changed = malloc(size + strlen(other) + 1);
            sprintf(changed, "%.*s%s%s", (int)(at - bytes), bytes, other, at + strlen(text));
            scratch_text(name, changed);
            free(changed);
        }
        free(bytes);
    }
}

/* What was exported from a GGUF file has numbers that went through floats and other words for how a
 * text is cut: that is the same model. Another token in one place is another. */
static void test_from_exported(void **state) {
    (void)state;
    const struct world_setting set = {
        .config = world_qwen3,
        .stages = "[stage one]\nsteps = 2\nrate = 1e-2\n"
                  "[stage two]\nsteps = 2\nrate = 1e-3\nrestart = weights\n"};
    struct world_setting part = set;
    world_must_run(&set, "first");
    part.from = "two";
    copy_model("first/one", "floats", "config.json", "1e-06", "9.999999974752427e-07");
    part.weights = "floats";
    world_must_run(&part, "from-floats"); // goes on with the weights' own numbers
    copy_model("first/one", "cut", "tokenizer.json", "\"use_regex\":true", "\"use_regex\":false");
    part.weights = "cut";
    world_must_run(&part, "from-cut"); // and their own tokenizer
    copy_model("first/one", "tokens", "tokenizer.json", "\"\\u0061\":97,\"\\u0062\":98",
               "\"\\u0061\":98,\"\\u0062\":97");
    part.weights = "tokens";
    must_refuse(&part, "from-tokens", "tokenizer is not the recipe's");
    copy_model("first/one", "eps", "config.json", "1e-06", "1e-05");
    part.weights = "eps";
    must_refuse(&part, "from-eps", "'rms_norm_eps' is not that of the recipe");
}

/* A stage without sources of its own goes on in the data, and knows how long an epoch is. */
static void test_epochs(void **state) {
    (void)state;
    const struct world_setting set = {
        .config = world_qwen3,
        .data = "micro = 2",
        .stages = "[stage one]\nepochs = 0.5\nrate = 1e-2\nwarmup_share = 0.5\n"
                  "[stage two]\nepochs = 0.25\nrate = 1e-3\n"};
    struct world_setting part = set;
    struct world_seen seen = world_must_run(&set, "epochs");
    int64_t steps = seen.steps;
    // 285 of 301 texts are learned from; a sum has ten rows or eleven, a step 320.
    if (steps < 5 + 3 || steps > 6 + 4) fail_msg("%lld steps", (long long)steps);
    part.stop_after = 3;
    world_must_run(&part, "epochs3");
    part.stop_after = 0;
    seen = world_must_run(&part, "epochs3");
    assert_int_equal(seen.begun, 3);
    assert_int_equal(seen.steps, steps - 3);
    world_assert_same("epochs/one", "epochs3/one");
    world_assert_same("epochs/two", "epochs3/two");
}

/* A finished folder is where another run begins. */
static void test_start(void **state) {
    (void)state;
    struct jl_error err = {0};
    struct recipe recipe;
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    struct world_seen seen = {0};
    const struct pool_options threads = {.n_threads = 1};
    const struct run_options options = {.folder = scratch_path("tuned"),
                                        .watch = {.step = world_on_step, .ctx = &seen}};
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
    struct world_seen seen;
    char path[64];
    world_must_run(&kinds[0], "locked");
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
        status = world_try_run(&kinds[0], "locked", &seen, &err);
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
        cmocka_unit_test(test_from_weights), cmocka_unit_test(test_from_exported),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
