/* What the plan says of a backward pass: the fates of a known program, and for several families and
 * classes that a backward pass working in memory as the plan says finds every value it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/model.h"

static struct model *load(const char *path, const char *act) {
    struct jl_error err = {0};
    struct model *model = NULL;
    const struct class_request request = {.act = act};
    if (model_load(path, &request, &model, &err) != JL_OK) fail_msg("%s", err.message);
    return model;
}

struct expected {
    const char *op, *out;
    enum value_fate fate;
    bool alias;
};

static void check_layer(const struct model *model, int layer, const struct expected *rows, int n) {
    int at = 0;
    for (int i = 0; i < model->plan.n_step; i++) {
        const struct step *step = &model->plan.steps[i];
        if (step->layer != layer || op_row(step->op)->out == OUT_NONE) continue;
        assert_true(at < n);
        assert_string_equal(op_row(step->op)->name, rows[at].op);
        assert_string_equal(reg_name(step->out), rows[at].out);
        if (step->fate != rows[at].fate || step->alias != rows[at].alias)
            fail_msg("line %d, %s <- %s: fate %d, alias %d", at, rows[at].out, rows[at].op,
                     step->fate, step->alias);
        at++;
    }
    assert_int_equal(at, n);
}

/* qwen3, f32: a norm on each head of q and k, no biases. */
static void test_known_program(void **state) {
    (void)state;
    static const struct expected rows[] = {
        {"norm", "x", VALUE_RECOMPUTE, false},      // from h, which the norm saves
        {"linear", "q", VALUE_KEEP, false},         // the head norm saves it
        {"linear", "k", VALUE_KEEP, false},         //
        {"linear", "v", VALUE_DROP, false},         // the cache holds it
        {"head_norm", "q", VALUE_RECOMPUTE, false}, // from the kept q, so not in its place
        {"head_norm", "k", VALUE_DROP, false},      //
        {"rope", "q", VALUE_RECOMPUTE, true},       // in place of the normed q
        {"rope", "k", VALUE_DROP, true},            //
        {"attn", "a", VALUE_KEEP, false},           // the output projection saves it
        {"linear", "y", VALUE_DROP, false},         //
        {"add", "h", VALUE_KEEP, false},            // y is gone; in layer 1 the old h is kept
        {"norm", "x", VALUE_RECOMPUTE, false},      //
        {"linear", "g", VALUE_KEEP, false},         //
        {"linear", "u", VALUE_KEEP, false},         //
        {"silu_mul", "g", VALUE_RECOMPUTE, false},  // from g and u: g is kept, so not in its place
        {"linear", "y", VALUE_DROP, false},         //
        {"add", "h", VALUE_KEEP, false},            //
    };
    struct model *model = load("tests/golden/qwen3", "f32");
    check_layer(model, 1, rows, sizeof rows / sizeof rows[0]);
    // A layer keeps q, k, a, two h, g and u; the head keeps the picked rows instead of the last h.
    const struct hparams *hp = &model->hp;
    int q = hp->n_head * hp->head_dim_k, k = hp->n_head_kv * hp->head_dim_k;
    size_t layer = (size_t)(2 * q + k + 2 * hp->n_embd + 2 * hp->n_ff) * sizeof(float);
    assert_int_equal(model->plan.kept_bytes, layer * (size_t)hp->n_layer);
    model_free(model);
}

/* What stands in a conversion's register: which value of which register. */
struct converted {
    enum reg_id from;
    int version;
};

/* How many conversions a layer has, when each is of a value that is not there yet, and no step
 * reads one whose source has been written since. */
static int count_conversions(const char *path, const char *act, int layer) {
    struct model *model = load(path, act);
    int version[REG_COUNT] = {0}, count = 0;
    struct converted made[REG_COUNT] = {0};
    for (int i = 0; i < model->plan.n_step; i++) {
        const struct step *step = &model->plan.steps[i];
        if (step->op == OP_CONVERT) {
            struct converted *old = &made[step->out];
            if (old->from == step->in && old->version == version[step->in])
                fail_msg("%s: step %d converts %s again", path, i, reg_name(step->in));
            *old = (struct converted){step->in, version[step->in]};
            count += step->layer == layer;
        } else {
            const struct converted *used = &made[step->in];
            if (used->from != REG_NONE && used->version != version[used->from])
                fail_msg("%s: step %d reads an old %s", path, i, reg_name(used->from));
            version[step->out]++;
        }
    }
    model_free(model);
    return count;
}

/* Of x for q, k and v together, of what attention gives, of x for gate and up, of their product. */
static void test_conversions_are_shared(void **state) {
    (void)state;
    assert_int_equal(count_conversions("tests/golden/gguf/small-llama.q8_0.gguf", "f32", 0), 4);
    assert_int_equal(count_conversions("tests/golden/gguf/small-llama.q4_k_m.gguf", "f32", 1), 4);
    assert_int_equal(count_conversions("tests/golden/llama", "f32", 0), 0);
    count_conversions("tests/golden/qwen3-moe", "bf16", 0);
    count_conversions("tests/golden/deepseek-v3", "bf16", 0);
    count_conversions("tests/golden/qwen3-next", "bf16", 0);
}

/* A value's number in the replay: the step that made it, + 1; 0 is nothing. */
struct replay {
    const struct step *steps;
    int n_step;
    int reads[512][4]; // in, in2, the old value, in3
};

/* True when the value can be had from kept values alone. */
static bool can_have(const struct replay *r, int value, int depth) {
    assert_true(depth < r->n_step);
    const struct step *step = &r->steps[value - 1];
    if (step->fate == VALUE_KEEP) return true;
    if (step->fate == VALUE_DROP || op_row(step->op)->cost != CHEAP) return false;
    for (int k = 0; k < 4; k++)
        if (r->reads[value - 1][k] && !can_have(r, r->reads[value - 1][k], depth + 1)) return false;
    return true;
}

static void replay(const char *path, const char *act) {
    struct model *model = load(path, act);
    struct replay r = {.steps = model->plan.steps, .n_step = model->plan.n_step};
    int holds[REG_COUNT] = {0}, asked = 0, kept = 0;
    bool saved[512] = {false};
    assert_true(r.n_step < 512);
    for (int i = 0; i < r.n_step; i++) {
        const struct step *step = &r.steps[i];
        const struct op_row *op = op_row(step->op);
        r.reads[i][0] = holds[step->in];
        r.reads[i][1] = holds[step->in2];
        r.reads[i][2] = op->out == OUT_UPDATES ? holds[step->out] : 0;
        r.reads[i][3] = holds[step->in3];
        for (int k = 0; k < 4; k++) {
            if (!(op->save >> k & 1)) continue; // not an input it saves
            int value = r.reads[i][k];
            assert_true(value > 0);
            saved[value - 1] = true;
            asked++;
            if (!can_have(&r, value, 0))
                fail_msg("%s: step %d (%s) saves a value that is lost", path, i, op->name);
        }
        // What a step writes over is not kept.
        int old = step->out ? holds[step->out] : 0;
        bool reads_old = false;
        for (int k = 0; k < 4; k++)
            reads_old |= old && old == r.reads[i][k];
        if (step->alias) assert_true(reads_old && r.steps[old - 1].fate != VALUE_KEEP);
        if (reads_old && !step->alias) assert_int_equal(r.steps[old - 1].fate, VALUE_KEEP);
        if (op->out != OUT_NONE) holds[step->out] = i + 1;
    }
    for (int i = 0; i < r.n_step; i++) { // nothing is kept that nobody asks for
        kept += r.steps[i].fate == VALUE_KEEP;
        if (r.steps[i].fate == VALUE_KEEP) assert_true(saved[i]);
    }
    assert_true(asked > 0 && kept > 0);
    model_free(model);
}

static void test_replay(void **state) {
    (void)state;
    static const char *const paths[] = {"tests/golden/llama", "tests/golden/qwen2",
                                        "tests/golden/qwen3", "tests/golden/llama-llama3rope-tied",
                                        "tests/golden/qwen3-next"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        replay(paths[i], "f32");
        replay(paths[i], "bf16");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_program),
                                       cmocka_unit_test(test_conversions_are_shared),
                                       cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
