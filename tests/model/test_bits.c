/* The promise: one class, one set of bits. Each model's logits are computed once by `ref` on one
 * thread in one pass; every other way to run it must give the same bytes, and their SHA-256 must be
 * the one in tests/golden/hashes.txt, whatever the compiler. `test_bits --update` rewrites those.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/golden.h"

#define HASHES "tests/golden/hashes.txt"

struct model_case {
    const char *path, *tokens;
};

static const struct model_case models[] = {
    {"tests/golden/llama", "tests/golden/llama/tokens.json"},
    {"tests/golden/llama-llama3rope-tied", "tests/golden/llama-llama3rope-tied/tokens.json"},
    {"tests/golden/qwen2", "tests/golden/qwen2/tokens.json"},
    {"tests/golden/qwen3", "tests/golden/qwen3/tokens.json"},
    {"tests/golden/qwen3-yarn", "tests/golden/qwen3-yarn/tokens.json"},
    {"tests/golden/qwen3-moe", "tests/golden/qwen3-moe/tokens.json"},
    {"tests/golden/glm4", "tests/golden/glm4/tokens.json"},
    {"tests/golden/glm4-moe", "tests/golden/glm4-moe/tokens.json"},
    {"tests/golden/deepseek-v2", "tests/golden/deepseek-v2/tokens.json"},
    {"tests/golden/deepseek-v2-lite", "tests/golden/deepseek-v2-lite/tokens.json"},
    {"tests/golden/deepseek-v3", "tests/golden/deepseek-v3/tokens.json"},
    {"tests/golden/qwen3-next", "tests/golden/qwen3-next/tokens.json"},
    {"tests/golden/deepseek-v3-fp8", "tests/golden/deepseek-v3-fp8/tokens.json"},
    {"tests/golden/gguf/tiny-llama.f32.gguf", "tests/golden/llama/tokens.json"},
    {"tests/golden/gguf/tiny-qwen2.f32.gguf", "tests/golden/qwen2/tokens.json"},
    {"tests/golden/gguf/small-llama.q8_0.gguf", "tests/golden/llama/tokens.json"},
    {"tests/golden/gguf/small-llama.q6_k.gguf", "tests/golden/llama/tokens.json"},
    {"tests/golden/gguf/small-llama.q4_k_m.gguf", "tests/golden/llama/tokens.json"},
};
#define N_MODEL (sizeof models / sizeof models[0])

static const struct {
    const char *act, *kv;
} classes[] = {{"f32", "f32"},  {"f32", "f16"}, {"f32", "bf16"}, {"bf16", "bf16"},
               {"bf16", "f16"}, {"f32", "q8"},  {"bf16", "q8"}};
#define N_CLASS (sizeof classes / sizeof classes[0])

static bool updating;
static FILE *updated;

static void check_hash(const struct golden_run *run, const char *sha256) {
    char line[320], wanted[320];
    snprintf(wanted, sizeof wanted, "%s act=%s,kv=%s %s\n", run->path, run->act, run->kv, sha256);
    if (updating) {
        fputs(wanted, updated);
        return;
    }
    FILE *file = fopen(HASHES, "r");
    if (!file) fail_msg("%s is missing", HASHES);
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = !strcmp(line, wanted);
    fclose(file);
    if (!found) fail_msg("not in %s: %s", HASHES, wanted);
}

static void expect_same(const struct golden_run *run, const float *want, size_t bytes) {
    int n_vocab;
    float *got = golden_logits(run, &n_vocab);
    if (memcmp(got, want, bytes))
        fail_msg("%s act=%s kv=%s: bits differ at level %s, %d threads, chunk %d, %d batch mates",
                 run->path, run->act, run->kv, run->level, run->threads, run->chunk, run->n_also);
    free(got);
}

static void run_model(const struct model_case *model, const char *act, const char *kv) {
    struct golden_prompts prompts;
    char sha256[65];
    int n_vocab;
    golden_read_prompts(model->tokens, "prompts", &prompts);
    const struct golden_run base = {.path = model->path,
                                    .act = act,
                                    .kv = kv,
                                    .level = "ref",
                                    .threads = 1,
                                    .prompts = &prompts};
    float *want = golden_logits(&base, &n_vocab);
    size_t bytes = (size_t)prompts.n_id[0] * (size_t)n_vocab * sizeof *want;
    golden_sha256(want, bytes, sha256);
    check_hash(&base, sha256);
    for (int l = 0; golden_levels[l] && !updating; l++) {
        if (!golden_has_level(golden_levels[l])) {
            print_message("SKIPPED: level %s: this CPU lacks it\n", golden_levels[l]);
            continue;
        }
        if (golden_quick() && l == 0) continue; // its hash is right
        static const int chunks[] = {0, 1, 7, 64};
        struct golden_run run = base;
        run.level = golden_levels[l];
        bool quick = l == 0 || golden_quick(); // ref is slow: one way of each kind
        for (run.threads = 1; run.threads <= 3; run.threads++)
            for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
                run.chunk = chunks[c];
                if (quick && (run.threads != 2 || run.chunk > 7)) continue;
                expect_same(&run, want, bytes);
            }
        run.threads = 2;
        run.n_also = 3; // the other prompt twice and itself, beside it
        run.also[0] = run.also[1] = 1;
        run.also[2] = 0;
        run.chunk = 0;
        expect_same(&run, want, bytes);
        run.chunk = 5;
        expect_same(&run, want, bytes);
    }
    free(want);
    golden_free_prompts(&prompts);
}

static void test_all_ways(void **state) {
    (void)state;
    for (size_t m = 0; m < N_MODEL; m++)
        for (size_t c = 0; c < N_CLASS; c++)
            run_model(&models[m], classes[c].act, classes[c].kv);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_ways)};
    updating = argc > 1 && !strcmp(argv[1], "--update");
    if (updating && !(updated = fopen(HASHES, "w"))) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (updated && fclose(updated)) return 1;
    return failed;
}
