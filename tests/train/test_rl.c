/* Learning by reward: the gradient of the policy's loss, advantages, rewards and judges, and whole
 * runs, whose draws and passes of learning agree in every bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "model/own.h"
#include "support/scratch.h"
#include "train/rl/judge.h"
#include "train/rl/rl.h"
#include "world.h"

/* ---- the loss ---- */

#define N_VOCAB 150

static double number(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (double)(*state >> 8) / (1 << 24);
}

static double loss_at(const struct policy_options *options, struct policy_token *token,
                      const float *logits, int id) {
    float copy[N_VOCAB];
    memcpy(copy, logits, sizeof copy);
    return policy_loss(options, token, copy, N_VOCAB, id);
}

/* The slope of the loss with one logit; NAN where clipping begins or ends beside it. */
static double slope_at(const struct policy_options *options, struct policy_token token,
                       const float *logits, int id, int i) {
    float above[N_VOCAB], below[N_VOCAB];
    memcpy(above, logits, sizeof above);
    memcpy(below, logits, sizeof below);
    above[i] += 1e-3f;
    below[i] -= 1e-3f;
    double more = loss_at(options, &token, above, id);
    bool clipped = token.clipped;
    double less = loss_at(options, &token, below, id);
    if (clipped != token.clipped) return (double)NAN;
    return (more - less) / ((double)above[i] - (double)below[i]);
}

/* Against differences of the loss itself. */
static void gradients(void **state) {
    static const struct policy_options kinds[] = {
        {.temperature = 1, .clip_low = 0.2, .clip_high = 0.2},
        {.temperature = 0.7, .clip_low = 0.2, .clip_high = 0.3, .kl = 0.05},
        {.temperature = 1.3, .clip_low = 0.1, .clip_high = 0.2, .entropy = 0.03},
        {.temperature = 1, .clip_low = 0.2, .clip_high = 0.2, .kl = 0.1, .entropy = 0.1},
    };
    unsigned seed = 7;
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (int round = 0; round < 20; round++) {
            float logits[N_VOCAB], gradient[N_VOCAB];
            for (int i = 0; i < N_VOCAB; i++)
                logits[i] = (float)(6 * number(&seed) - 3);
            int id = (int)(number(&seed) * N_VOCAB);
            struct policy_token token = {.advantage = 2 * number(&seed) - 1, .share = 1};
            loss_at(&kinds[k], &token, logits, id);
            token.drawn = token.logprob + 0.8 * (number(&seed) - 0.5);
            token.reference = token.logprob + number(&seed) - 0.5;
            memcpy(gradient, logits, sizeof gradient);
            policy_loss(&kinds[k], &token, gradient, N_VOCAB, id);
            for (int i = id % 3; i < N_VOCAB; i += 3) {
                double slope = slope_at(&kinds[k], token, logits, id, i);
                if (fabs(slope - (double)gradient[i]) > 2e-5)
                    fail_msg("kind %zu, logit %d: %g by differences, %g", k, i, slope,
                             (double)gradient[i]);
            }
        }
}

/* What PPO's clipping lets through, and that a share of 0 teaches nothing. */
static void clipping(void **state) {
    const struct policy_options options = {.temperature = 1, .clip_low = 0.2, .clip_high = 0.3};
    static const struct {
        double ratio, advantage;
        bool clipped;
    } cases[] = {{1, 1, false},   {1.29, 1, false},  {1.31, 1, true},  {0.5, 1, false},
                 {1, -1, false},  {0.81, -1, false}, {0.79, -1, true}, {2, -1, false},
                 {1.5, 0, false}, {0.5, 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float logits[3] = {0.5f, -1, 0.25f};
        struct policy_token token = {.share = 1};
        policy_loss(&options, &token, logits, 3, 1);
        token.drawn = token.logprob - log(cases[i].ratio);
        token.advantage = cases[i].advantage;
        float again[3] = {0.5f, -1, 0.25f};
        policy_loss(&options, &token, again, 3, 1);
        assert_true(token.clipped == cases[i].clipped);
        bool still = again[0] == 0 && again[1] == 0 && again[2] == 0;
        assert_true(still == (cases[i].clipped || cases[i].advantage == 0));
        token.share = 0;
        float none[3] = {0.5f, -1, 0.25f};
        policy_loss(&options, &token, none, 3, 1);
        assert_true(none[0] == 0 && none[1] == 0 && none[2] == 0);
    }
    assert_true(policy_kl(-1, -1) == 0 && policy_kl(-1, -2) > 0 && policy_kl(-2, -1) > 0);
}

static void advantages(void **state) {
    double out[4];
    (void)state;
    assert_true(advantage_of((double[]){1, 0, 0, 1}, 4, ADVANTAGE_DEVIATION, out));
    assert_true(out[0] == 1 && out[1] == -1 && out[2] == -1 && out[3] == 1);
    assert_true(advantage_of((double[]){1, 0, 0, 0}, 4, ADVANTAGE_PLAIN, out));
    assert_true(out[0] == 0.75 && out[1] == -0.25);
    assert_false(advantage_of((double[]){0.1, 0.1, 0.1, 0.1}, 4, ADVANTAGE_DEVIATION, out));
    assert_true(out[0] == 0 && out[3] == 0);
}

/* ---- judges ---- */

static enum jl_status ask(const char *command, int n, double seconds, double *out,
                          struct jl_error *err) {
    static const char *const lines[] = {"{\"answer\":\"a\"}", "{\"answer\":\"bb\"}",
                                        "{\"answer\":\"ccc\"}", "{\"answer\":\"dddd\"}",
                                        "{\"answer\":\"eeeee\"}"};
    const struct judge_options options = {command, n, seconds};
    struct judges *judges;
    if (judge_open(&options, &judges, err) != JL_OK) fail_msg("%s", err->message);
    enum jl_status status = judge_ask(judges, lines, 5, out, NULL, err);
    if (status == JL_OK) status = judge_ask(judges, lines, 5, out, NULL, err); // once more
    judge_close(judges);
    return status;
}

static void judges(void **state) {
    double out[5];
    struct jl_error err = {0};
    (void)state;
    for (int n = 1; n <= 4; n++) {
        // each says how long its line is, the second of them slowly
        const char *command = "while read -r line; do [ ${#line} = 15 ] && sleep 0.1;"
                              " echo \"{\\\"reward\\\": ${#line}}\"; done";
        if (ask(command, n, 5, out, &err) != JL_OK) fail_msg("%s", err.message);
        for (int i = 0; i < 5; i++)
            assert_true(out[i] == 14 + i);
    }
    static const struct {
        const char *command, *what;
    } bad[] = {
        {"exit 3", "ended with 3"},
        {"read -r line; kill -9 $$", "was ended by signal 9"},
        {"read -r line; echo '{\"reward\": 1}'; exit 0", "ended with 0"},
        {"while read -r line; do echo no; done", "did not say {\"reward\": NUMBER}"},
        {"while read -r line; do echo '{\"reward\": \"1\"}'; done", "did not say"},
        {"while read -r line; do echo '{\"reward\": 1e999}'; done", "did not say"},
        {"echo hello; cat", "sa"},
        {"while read -r line; do echo '{\"reward\": 1}'; echo '{\"reward\": 2}'; done", "sa"},
        {"head -c 100000 /dev/zero; sleep 5", "sa"},
        {"read -r line; cat /dev/zero", "did not say"}, // floods without an end
        {"yes '{\"reward\": 1}'", "sa"},
        {"sleep 9", "took more than 0.3 seconds"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct jl_error){0};
        assert_int_equal(ask(bad[i].command, 2, 0.3, out, &err), JL_ERR_IO);
        if (!strstr(err.message, bad[i].what) && !strstr(err.message, "ended with"))
            fail_msg("%s: %s", bad[i].command, err.message);
    }
}

/* ---- rewards ---- */

static void rewards(void **state) {
    struct eval_tasks tasks = {0};
    struct rewards *judge;
    struct jl_error err = {0};
    (void)state;
    scratch_text("r.jsonl", "{\"prompt\":\"p\",\"expect\":\"42\",\"check\":\"number\"}\n");
    assert_int_equal(eval_tasks_add(&tasks, scratch_path("r.jsonl"), &err), JL_OK);
    scratch_text("s.json", "{\"minimum\": 40}");
    scratch_text("no.json", "{\"minimun\": 40}");
    const struct reward_spec specs[] = {
        {"correct", "", 1, 0, 0},
        {"ended", "", 0.5, 0, 0},
        {"thought", "", 0.25, 0, 0},
        {"json", "", 0.125, 0, 0},
        {"exact", "", 2, 0, 0},
        {"pattern", "^4", 4, 0, 0},
        {"brief", "10", 8, 0, 0},
        {"program", "while read -r l; do echo '{\"reward\": 0.5}'; done", 16, 5, 1},
        {"schema", scratch_path("s.json"), 32, 0, 0}};
    enum { N = sizeof specs / sizeof specs[0] };
    if (reward_open(specs, N, &tasks, &judge, &err) != JL_OK) fail_msg("%s", err.message);
    char yes[] = "42", no[] = "x 42.0", thought[] = "hm";
    const struct eval_answer answers[] = {
        {.text = yes,
         .n_text = 2,
         .thought = thought,
         .n_thought = 2,
         .n_token = 3,
         .finish = GENERATE_END,
         .right = true},
        {.text = no, .n_text = 6, .n_token = 15, .finish = GENERATE_LENGTH, .right = true}};
    const struct reward_answer asked[] = {{tasks.tasks, &answers[0]}, {tasks.tasks, &answers[1]}};
    double parts[2 * N], sums[2];
    assert_int_equal(reward_judge(judge, asked, 2, parts, sums, NULL, &err), JL_OK);
    assert_true(sums[0] == 1 + 0.5 + 0.25 + 0.125 + 2 + 4 + 8 + 8 + 32);
    assert_true(sums[1] == 1 + 8 * 0.5 + 8);
    assert_true(parts[N + 6] == 0.5);
    reward_close(judge);
    const struct {
        struct reward_spec spec;
        const char *what;
    } bad[] = {
        {{"nothing", "", 1, 0, 0}, "there is no such reward"},
        {{"correct", "x", 1, 0, 0}, "it takes no argument"},
        {{"pattern", "", 1, 0, 0}, "it takes a pattern"},
        {{"pattern", "(", 1, 0, 0}, ""},
        {{"brief", "no", 1, 0, 0}, "a number of tokens"},
        {{"program", "", 1, 0, 0}, "it takes a command"},
        {{"countdown", "", 1, 0, 0}, "line 1: reward = countdown"},
        {{"schema", "", 1, 0, 0}, "a file with a JSON Schema"},
        {{"schema", scratch_path("absent.json"), 1, 0, 0}, "absent.json"},
        {{"schema", scratch_path("no.json"), 1, 0, 0}, "no.json: schema: #/minimun is no keyword"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct jl_error){0};
        assert_true(reward_open(&bad[i].spec, 1, &tasks, &judge, &err) != JL_OK);
        if (!strstr(err.message, bad[i].what)) fail_msg("%s: %s", bad[i].spec.kind, err.message);
    }
    eval_tasks_free(&tasks);
}

/* ---- whole runs ---- */

/* The reward is for answers that have a digit; a random model gives one now and then. */
static void write_tasks(void) {
    char text[4096], *at = text;
    for (int i = 0; i < 11; i++)
        at += sprintf(at,
                      "{\"prompt\": \"say %c\", \"expect\": \"[0-9]\", \"check\": \"regex\","
                      " \"max_tokens\": 10}\n",
                      'a' + i);
    scratch_text("tasks.jsonl", text);
}

#define GRPO "tasks = tasks.jsonl\nprompts = 4\ngroup = 6\nmax_tokens = 12\n"
#define STAGE "[stage main]\nsteps = 6\nrate = 1e-3\n"

static const struct world_setting kinds[] = {
    {.config = world_qwen3, .model = "dtype = bf16", .grpo = GRPO, .stages = STAGE},
    {.config = world_qwen3,
     .model = "dtype = f32",
     .grpo = GRPO "variant = dapo\nredraw = 2\npasses = 2\nupdates = 3\nkl = 0.01\nentropy = 0.01\n"
                  "temperature = 0.8\nreward = correct\nreward = brief 5 weight=0.2\n",
     .stages = STAGE},
    {.config = world_deepseek,
     .model = "dtype = bf16",
     .grpo = GRPO "variant = dr_grpo\nupdates = 2\n",
     .stages = STAGE},
    {.config = world_next,
     .model = "dtype = f32",
     .grpo = GRPO "overlong = mask\n",
     .stages = STAGE},
};
enum { N_KIND = sizeof kinds / sizeof kinds[0] };

/* Every token is found again, and the weights are the same for any threads, level, number of
 * answers at once, and place where the run was cut. */
static void same_bytes(void **state) {
    static const char *const levels[] = {"ref", "avx2", "avx512", "amx", "neon"};
    (void)state;
    write_tasks();
    for (int k = 0; k < N_KIND; k++) {
        char first[48], other[48], a[64], b[64], grpo[512];
        snprintf(first, sizeof first, "r%d", k);
        struct world_seen seen = world_must_run(&kinds[k], first);
        assert_int_equal(seen.steps, 6);
        assert_true(seen.rl.n_checked > 0 && seen.rl.difference == 0 && seen.rl.norm > 0);
        snprintf(a, sizeof a, "%s/main", first);
        for (int i = 0; i < 5; i++) {
            struct world_setting set = kinds[k];
            struct kernel_table table;
            struct jl_error err;
            if (kernel_table_init(&table, levels[i], &err) != JL_OK || (i + k) % 2) continue;
            snprintf(grpo, sizeof grpo, "%sparallel = %d\n", set.grpo, 1 + 7 * i);
            set.grpo = grpo;
            set.level = levels[i];
            set.threads = 1 + i % 3;
            snprintf(other, sizeof other, "r%d-%s", k, levels[i]);
            world_must_run(&set, other);
            snprintf(b, sizeof b, "%s/main", other);
            world_assert_same(a, b);
        }
        struct world_setting set = kinds[k];
        set.stop_after = 1 + k;
        snprintf(other, sizeof other, "r%d-cut", k);
        world_must_run(&set, other);
        set.stop_after = 0;
        seen = world_must_run(&set, other);
        assert_int_equal(seen.begun, 1 + k);
        snprintf(b, sizeof b, "%s/main", other);
        world_assert_same(a, b);
    }
}

/* One bit of one weight, between drawing and learning. */
static void flip(struct learner *learner) {
    struct own_tensor t = {0};
    for (int id = 0; !t.w || t.w->dtype != DTYPE_BF16; id++)
        t = own_tensor(learner_model(learner), id);
    *(uint16_t *)(uintptr_t)t.w->data ^= 1 << 6;
}

static void a_flipped_bit(void **state) {
    struct world_setting set = kinds[0];
    struct world_seen seen;
    struct jl_error err = {0};
    (void)state;
    write_tasks();
    set.drawn = flip;
    assert_int_equal(world_try_run(&set, "flipped", &seen, &err), JL_ERR_FORMAT);
    assert_non_null(strstr(err.message, "another log-probability in learning"));
    assert_int_equal(seen.steps, 0); // nothing has moved
}

/* From nothing: answers with a digit become more. */
static void learns(void **state) {
    struct world_setting set = {
        .config = world_qwen3,
        .model = "dtype = f32",
        .grpo = "tasks = tasks.jsonl\nprompts = 8\ngroup = 8\nmax_tokens = 6\n",
        .train = "weight_decay = 0",
        .stages = "[stage main]\nsteps = 40\nrate = 5e-3\n",
    };
    (void)state;
    write_tasks();
    struct world_seen seen = world_must_run(&set, "learns");
    if (!(seen.last_reward > 0.8 && seen.first_reward < 0.6))
        fail_msg("reward %g at first, %g in the end", seen.first_reward, seen.last_reward);
}

static void refusals(void **state) {
    static const struct {
        const char *grpo, *stages, *what;
    } cases[] = {
        {"prompts = 4\n", STAGE, "[grpo] wants tasks"},
        {"tasks = nowhere.jsonl\n", STAGE, "nowhere.jsonl"},
        {"tasks = tasks.jsonl\nvariant = ppo\n", STAGE,
         "variant is 'ppo'; it may be grpo, dr_grpo, dapo"},
        {"tasks = tasks.jsonl\ngroup = 1\n", STAGE, "group is a number from 2"},
        {"tasks = tasks.jsonl\nreward = kind\n", STAGE, "there is no such reward"},
        {"tasks = tasks.jsonl\nreward = correct weight=0\n", STAGE, "a number other than 0"},
        {"tasks = tasks.jsonl\nreward = correct weight=x\n", STAGE, "a number other than 0"},
        {"tasks = tasks.jsonl\n", "[stage a]\ntokens = 100\n", "has steps or epochs"},
        {"tasks = tasks.jsonl\n", "[stage a]\nsteps = 1\nsource = x\n", "has steps or epochs"},
        {"tasks = long.jsonl\nmax_tokens = 250\n", STAGE, "more rows or a smaller max_tokens"},
        {"tasks = loss.jsonl\n", STAGE, "must be answered"},
    };
    (void)state;
    write_tasks();
    scratch_text("long.jsonl", "{\"prompt\": \"p\", \"expect\": \"x\", \"max_tokens\": 240}\n");
    scratch_text("loss.jsonl", "{\"prompt\": \"p\", \"expect\": \"x\", \"check\": \"loss\"}\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct world_setting set = {
            .config = world_qwen3, .grpo = cases[i].grpo, .stages = cases[i].stages};
        struct world_seen seen;
        struct jl_error err = {0};
        char folder[16];
        snprintf(folder, sizeof folder, "bad%zu", i);
        assert_true(world_try_run(&set, folder, &seen, &err) != JL_OK);
        if (!strstr(err.message, cases[i].what)) fail_msg("case %zu: %s", i, err.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients),     cmocka_unit_test(clipping), cmocka_unit_test(advantages),
        cmocka_unit_test(judges),        cmocka_unit_test(rewards),  cmocka_unit_test(same_bytes),
        cmocka_unit_test(a_flipped_bit), cmocka_unit_test(learns),   cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
