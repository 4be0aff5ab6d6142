/* Steps that are done as one: which ones they are in known programs, where a run of row steps must
 * end, and that a frame which does them one by one gives the same bits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/cpu.h"
#include "session/feed.h"
#include "support/golden.h"

/* ---- known programs ---- */

/* The groups of a plan that begin in `layer`, each "op out, op out ...;": a group is a parallel
 * region, a bare op may be one. */
static void describe(const struct step_list *plan, int layer, char *out, size_t room) {
    struct step_group *groups = cpu_find_groups(plan);
    size_t len = 0;
    assert_non_null(groups);
    for (int i = 0; i < plan->n_step; i++) {
        const struct step *alone = &plan->steps[i];
        if (alone->layer != layer || groups[i].n == GROUP_DONE) continue;
        for (int m = 0; m < (groups[i].n ? groups[i].n : 1); m++) {
            const struct step *step = groups[i].n ? groups[i].member[m] : alone;
            enum reg_id reg = step->out ? step->out : step->in;
            len += (size_t)snprintf(out + len, room - len, "%s%s %s", m ? ", " : "",
                                    op_row(step->op)->name, reg_name(reg));
            assert_true(len < room);
        }
        len += (size_t)snprintf(out + len, room - len, "%s;\n", groups[i].act ? ", silu_mul" : "");
        assert_true(len < room);
    }
    free(groups);
}

static void check_layer(const char *path, const char *act, const char *want) {
    char got[2000];
    struct jl_error err = {0};
    struct model *model = NULL;
    const struct class_request request = {.act = act};
    if (model_load(path, &request, &model, &err) != JL_OK) fail_msg("%s", err.message);
    describe(&model->plan, 1, got, sizeof got);
    if (strcmp(got, want)) fail_msg("%s:\n%s", path, got);
    model_free(model);
}

static void known_programs(void **state) {
    (void)state;
    check_layer("tests/golden/gguf/small-llama.q8_0.gguf", "f32",
                "linear q, linear k, linear v;\n"
                "rope q, rope k;\n"
                "kv_put k;\n"
                "attn a;\n"
                "convert c.q8_32;\n"
                "linear y;\n"
                "add h, norm x, convert c.q8_32;\n"
                "linear g, linear u, silu_mul;\n"
                "convert c.q8_32;\n"
                "linear y;\n"
                "add h, check h;\n"); // what the caller is given waits for the check
    check_layer("tests/golden/qwen2", "bf16",
                "linear q, linear k, linear v;\n"
                "bias q, bias k, bias v, rope q, rope k;\n"
                "kv_put k;\n"
                "convert c.bf16;\n"
                "attn a;\n"
                "convert c.bf16;\n"
                "linear y;\n"
                "add h, norm x, convert c.bf16;\n"
                "linear g, linear u, silu_mul;\n"
                "convert c.bf16;\n"
                "linear y;\n"
                "add h, check h, norm x, convert c.bf16;\n"); // into the next layer
    check_layer("tests/golden/qwen3-moe", "bf16",
                "linear q, linear k, linear v;\n"
                "head_norm q, head_norm k, rope q, rope k;\n"
                "kv_put k;\n"
                "convert c.bf16;\n"
                "attn a;\n"
                "convert c.bf16;\n"
                "linear y;\n"
                "add h, norm x;\n"
                "linear r;\n"
                "check r, route s;\n"
                "dispatch xe;\n"
                "convert c.bf16;\n"
                "experts ge, experts ue, silu_mul;\n"
                "convert c.bf16;\n"
                "experts ye;\n"
                "combine y, add h, check h, norm x, convert c.bf16;\n");
    check_layer("tests/golden/deepseek-v2-lite", "bf16",
                "linear q, linear k;\n"
                "head_norm k, rope q, rope k;\n"
                "kv_put k;\n"
                "take qn;\n"
                "absorb qj;\n"
                "convert c.bf16;\n"
                "attn a;\n"
                "convert c.bf16;\n"
                "heads o;\n"
                "convert c.bf16;\n"
                "linear y;\n"
                "add h, norm x;\n"
                "linear r;\n"
                "check r, route s;\n"
                "dispatch xe;\n"
                "convert c.bf16;\n"
                "experts ge, experts ue, silu_mul;\n"
                "convert c.bf16;\n"
                "experts ye;\n"
                "combine y, convert c.bf16;\n"
                "linear g, linear u, silu_mul;\n"
                "convert c.bf16;\n"
                "linear z;\n"
                "add y, add h, check h, norm x, convert c.bf16;\n");
}

/* ---- where a run ends ---- */

static struct step row_step(enum op_id op, enum reg_id in, enum reg_id out) {
    return (struct step){
        .op = op, .in = in, .out = out, .width = 64, .slots = 1, .out_width = 64, .out_slots = 1};
}

/* How many of the steps the first one's run has. */
static int run_length(const struct step *steps, int n) {
    const struct step_list plan = {.steps = steps, .n_step = n};
    struct step_group *groups = cpu_find_groups(&plan);
    assert_non_null(groups);
    int length = groups[0].n;
    for (int i = 1; i < n; i++)
        assert_int_equal(groups[i].n == GROUP_DONE, i < length);
    free(groups);
    return length;
}

static void a_register_keeps_its_shape(void **state) {
    (void)state;
    struct step steps[] = {row_step(OP_NORM, REG_H, REG_X), row_step(OP_CONVERT, REG_X, REG_C_BF16),
                           row_step(OP_NORM, REG_H, REG_X)};
    assert_int_equal(run_length(steps, 3), 3);
    steps[2].out_width = 65; // rows further apart, while others still are to read the nearer ones
    assert_int_equal(run_length(steps, 3), 2);
    steps[2].out_width = 64;
    steps[2].out_slots = 2;
    assert_int_equal(run_length(steps, 3), 2);
    steps[2].out = REG_Y; // which nobody in the run has used
    assert_int_equal(run_length(steps, 3), 3);
    steps[2].out = REG_H; // read in a shape that is not known
    assert_int_equal(run_length(steps, 3), 2);
}

static void what_stays_waits_for_checks(void **state) {
    (void)state;
    struct step steps[] = {row_step(OP_ADD, REG_Y, REG_H), row_step(OP_CHECK, REG_H, REG_NONE),
                           row_step(OP_GIVE, REG_H, REG_NONE)};
    assert_int_equal(run_length(steps, 3), 2);
    steps[1].op = OP_GIVE;
    assert_int_equal(run_length(steps, 3), 3);
}

static void gathered_vectors_are_left_alone(void **state) {
    (void)state;
    struct step steps[] = {row_step(OP_COMBINE, REG_YE, REG_Y), row_step(OP_ADD, REG_Y, REG_H),
                           row_step(OP_ADD, REG_Y, REG_YE)};
    assert_int_equal(run_length(steps, 3), 2); // other rows may still gather from it
    struct step after[] = {row_step(OP_ADD, REG_Y, REG_H), row_step(OP_COMBINE, REG_YE, REG_Y)};
    assert_int_equal(run_length(after, 2), 1); // it waits for all rows
}

static void rows_together_end_a_run(void **state) {
    (void)state;
    static const enum op_id ops[] = {OP_LINEAR,  OP_LINEAR_ADD, OP_ATTN,  OP_ABSORB,
                                     OP_HEADS,   OP_CONV,       OP_DELTA, OP_DISPATCH,
                                     OP_EXPERTS, OP_PICK,       OP_KV_PUT};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct step steps[] = {row_step(OP_NORM, REG_H, REG_X), row_step(ops[i], REG_X, REG_Y)};
        assert_int_equal(op_row(ops[i])->rows, TOGETHER);
        const struct step_list plan = {.steps = steps, .n_step = 2};
        struct step_group *groups = cpu_find_groups(&plan);
        assert_int_equal(groups[0].n, 1);
        free(groups);
    }
}

static void a_run_is_cut_at_the_most(void **state) {
    (void)state;
    struct step steps[GROUP_MOST + 3];
    const struct step_list plan = {.steps = steps, .n_step = GROUP_MOST + 3};
    for (int i = 0; i < plan.n_step; i++)
        steps[i] = row_step(OP_ADD, REG_Y, REG_H);
    struct step_group *groups = cpu_find_groups(&plan);
    assert_int_equal(groups[0].n, GROUP_MOST);
    assert_int_equal(groups[GROUP_MOST].n, 3);
    assert_ptr_equal(groups[GROUP_MOST].member[2], &steps[GROUP_MOST + 2]);
    free(groups);
}

/* ---- bits ---- */

#define N_ROW 150

struct rig {
    struct model *model;
    struct backend *backend;
    struct exec *exec;
    struct page_pool *pool;
    struct state *states[2];
    float *logits, *hidden; // (N_ROW, n_vocab), (N_ROW, n_embd)
};

static void open_rig(struct rig *rig, const char *path, const char *act, int threads) {
    struct jl_error err = {0};
    const struct class_request request = {.act = act};
    const struct backend_options cpu = {NULL, threads};
    assert_int_equal(backend_cpu_create(&cpu, &rig->backend, &err), JL_OK);
    if (model_load(path, &request, &rig->model, &err) != JL_OK) fail_msg("%s", err.message);
    assert_int_equal(exec_create(rig->model, rig->backend, N_ROW, &rig->exec, &err), JL_OK);
    rig->pool = golden_pool(rig->model, rig->backend, 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(state_create(rig->pool, &rig->states[i], &err), JL_OK);
    rig->logits = calloc(N_ROW, sizeof(float) * (size_t)rig->model->hp.n_vocab);
    rig->hidden = calloc(N_ROW, sizeof(float) * (size_t)rig->model->hp.n_embd);
}

static void close_rig(struct rig *rig) {
    for (int i = 0; i < 2; i++)
        state_free(rig->states[i]);
    page_pool_free(rig->pool);
    exec_free(rig->exec);
    model_free(rig->model);
    backend_free(rig->backend);
    free(rig->logits);
    free(rig->hidden);
}

/* From here on the frame does the steps of its runs one by one. */
static void dissolve_runs(struct exec *exec) {
    struct step_group *groups = exec_frame(exec)->groups;
    const struct step *steps = exec_frame(exec)->plan.steps;
    for (int i = 0; i < exec_frame(exec)->plan.n_step; i++) {
        if (groups[i].n < 1 || op_row(steps[i].op)->rows == TOGETHER) continue;
        for (int m = groups[i].n; m-- > 0;) {
            const struct step *step = groups[i].member[m];
            groups[step - steps].n = 1;
            groups[step - steps].member[0] = step;
        }
    }
}

/* Two passes over two sequences: many rows, then one row and some. */
static void pass(struct rig *rig) {
    struct jl_error err = {0};
    int32_t ids[N_ROW];
    int n_vocab = rig->model->hp.n_vocab, n_embd = rig->model->hp.n_embd, done = 0;
    static const int n[2][2] = {{90, 40}, {1, 19}};
    for (int i = 0; i < N_ROW; i++)
        ids[i] = (i * 7 + 3) % n_vocab;
    for (int p = 0; p < 2; p++) {
        struct feed feeds[2] = {{0}};
        float *logits = rig->logits + (size_t)done * (size_t)n_vocab;
        for (int f = 0; f < 2; f++) {
            float *hidden = rig->hidden + (size_t)done * (size_t)n_embd;
            feeds[f] = (struct feed){rig->states[f], ids + done, n[p][f], n[p][f], hidden};
            done += n[p][f];
        }
        if (feed_forward(rig->exec, feeds, 2, NULL, logits, &err) != JL_OK)
            fail_msg("%s", err.message);
    }
    assert_int_equal(done, N_ROW);
}

static void see_nothing(void *ctx, const struct linear_view *view) {
    (void)ctx;
    (void)view;
}

static void runs_keep_the_bits(void **state) {
    (void)state;
    static const struct {
        const char *path, *act;
    } models[] = {
        {"tests/golden/qwen2", "bf16"},
        {"tests/golden/qwen3-moe", "f32"},
        {"tests/golden/qwen3-next", "bf16"},
        {"tests/golden/deepseek-v2-lite", "bf16"},
        {"tests/golden/gguf/small-llama.q4_k_m.gguf", "f32"},
    };
    static const struct backend_observer observer = {see_nothing, NULL};
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
        struct rig single = {0};
        open_rig(&single, models[m].path, models[m].act, 1);
        dissolve_runs(single.exec);
        pass(&single);
        for (int way = 0; way < 4; way++) {
            struct rig rig = {0};
            open_rig(&rig, models[m].path, models[m].act, way % 2 ? 3 : 1);
            if (way >= 2) exec_observe(rig.exec, &observer);
            pass(&rig);
            assert_memory_equal(rig.logits, single.logits,
                                sizeof(float) * N_ROW * (size_t)rig.model->hp.n_vocab);
            assert_memory_equal(rig.hidden, single.hidden,
                                sizeof(float) * N_ROW * (size_t)rig.model->hp.n_embd);
            close_rig(&rig);
        }
        close_rig(&single);
    }
}

/* ---- faults ---- */

/* Of several rows with a fault the first one is named, whichever thread meets its own first; and
 * nothing is handed out. */
static void the_first_fault_is_named(void **state) {
    (void)state;
    struct rig rig = {0};
    open_rig(&rig, "tests/golden/qwen3", "f32", 3);
    int n_embd = rig.model->hp.n_embd;
    float *bad = calloc((size_t)n_embd, sizeof *bad);
    struct batch_row *rows = calloc(N_ROW, sizeof *rows);
    struct jl_error err = {0};
    bad[n_embd - 1] = INFINITY;
    assert_int_equal(state_reserve(rig.states[0], N_ROW, &err), JL_OK);
    const struct seq_view seq = state_view(rig.states[0]);
    const struct batch batch = {rows, N_ROW, &seq, 1, NULL};
    for (int first = 20; first < N_ROW; first += 43)
        for (int time = 0; time < 20; time++) {
            char want[40];
            for (int i = 0; i < N_ROW; i++)
                rows[i] = (struct batch_row){.vector = i >= first ? bad : NULL,
                                             .pos = {i},
                                             .give = rig.hidden + (size_t)i * (size_t)n_embd};
            snprintf(want, sizeof want, "position %d)", first);
            assert_int_equal(exec_forward(rig.exec, &batch, NULL, &err), JL_ERR_NONFINITE);
            if (!strstr(err.message, "layer 0 ") || !strstr(err.message, want))
                fail_msg("not at position %d: %s", first, err.message);
        }
    for (int i = 0; i < N_ROW * n_embd; i++)
        assert_true(rig.hidden[i] == 0.0f);
    free(rows);
    free(bad);
    close_rig(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_programs),
        cmocka_unit_test(a_register_keeps_its_shape),
        cmocka_unit_test(what_stays_waits_for_checks),
        cmocka_unit_test(gathered_vectors_are_left_alone),
        cmocka_unit_test(rows_together_end_a_run),
        cmocka_unit_test(a_run_is_cut_at_the_most),
        cmocka_unit_test(runs_keep_the_bits),
        cmocka_unit_test(the_first_fault_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
