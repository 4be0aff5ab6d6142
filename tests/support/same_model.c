#include "support/same_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void same_matrix(const struct weight *x, const struct weight *y, int expert) {
    const uint8_t *p = x->experts ? x->experts[expert] : x->data;
    const uint8_t *q = y->experts ? y->experts[expert] : y->data;
    const float *s = x->expert_scales ? x->expert_scales[expert] : x->scale;
    const float *t = y->expert_scales ? y->expert_scales[expert] : y->scale;
    if (memcmp(p, q, x->stride * (size_t)x->n_out) != 0) fail_msg("%s: other bytes", x->name);
    for (int row = 0; s && row < x->n_out; row += 128)
        for (int col = 0; col < x->n_in; col += 128) {
            size_t down = (size_t)row / 128, right = (size_t)col / 128;
            assert_true(s[down * x->scale_stride + right] == t[down * y->scale_stride + right]);
        }
}

static bool is_repaired(const struct model *a, const struct model *b, enum role_id role) {
    bool q_or_k = role == ROLE_ATTN_Q || role == ROLE_ATTN_K || role == ROLE_ATTN_Q_B ||
                  role == ROLE_ATTN_K_B;
    return a->rope.interleaved != b->rope.interleaved && q_or_k;
}

void same_weights(const struct model *a, const struct model *b) {
    assert_int_equal(hparams_n_block(&a->hp), hparams_n_block(&b->hp));
    assert_int_equal(a->tied, b->tied);
    for (int layer = 0; layer < hparams_n_block(&a->hp); layer++)
        for (int i = ROLE_NONE + 1; i < ROLE_COUNT; i++) {
            enum role_id role = (enum role_id)i;
            const struct weight *x = model_weight(a, role, layer);
            const struct weight *y = model_weight(b, role, layer);
            if (role == ROLE_ROPE_FREQS || is_repaired(a, b, role)) continue;
            if (!x != !y) fail_msg("%s %d is in one of the models", role_row(role)->id, layer);
            if (!x) continue;
            if (x->dtype != y->dtype || x->n_out != y->n_out || x->n_in != y->n_in ||
                x->n_expert != y->n_expert || !x->scale != !y->scale)
                fail_msg("%s: %s against %s", x->name, dtype_name(x->dtype), dtype_name(y->dtype));
            for (int e = 0; e < (x->experts ? x->n_expert : 1); e++)
                same_matrix(x, y, e);
        }
}

static bool is_named(const char *list, const char *name) {
    size_t len = strlen(name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == len && !memcmp(at, name, len)) return true;
    return false;
}

void same_hparams(const struct hparams *a, const struct hparams *b, const char *but) {
#define X(field, ...)                                                                              \
    if (memcmp(&a->field, &b->field, sizeof a->field) != 0 && !is_named(but, #field))              \
        fail_msg("hyper-parameter %s differs: %.17g, %.17g", #field, (double)a->field,             \
                 (double)b->field);
    HPARAM_LIST(X)
#undef X
    const struct rope_hparams *x = &a->rope, *y = &b->rope;
    if (!is_named(but, "rope")) {
        assert_true(x->scaling == y->scaling && x->factor == y->factor);
        assert_true(x->n_ctx_orig == y->n_ctx_orig && x->truncate == y->truncate);
        assert_true(x->beta_fast == y->beta_fast && x->beta_slow == y->beta_slow);
        assert_true(x->low_freq_factor == y->low_freq_factor);
        assert_true(x->high_freq_factor == y->high_freq_factor);
    }
    assert_true(x->magnitude == y->magnitude && x->attn_magnitude == y->attn_magnitude);
    assert_true(x->half == y->half);
    assert_int_equal(a->kv_split, b->kv_split);
    if (!is_named(but, "delta_split")) assert_int_equal(a->delta_split, b->delta_split);
    assert_memory_equal(&a->recurrent, &b->recurrent, sizeof a->recurrent);
    assert_memory_equal(&a->moe, &b->moe, sizeof a->moe);
    const struct route_rule *p = &a->route, *q = &b->route; // field by field: it has padding
    assert_true(p->n_expert == q->n_expert && p->n_used == q->n_used);
    assert_true(p->n_group == q->n_group && p->n_group_used == q->n_group_used);
    assert_true(p->scoring == q->scoring && p->group == q->group && p->normalize == q->normalize);
    assert_true(p->floor == q->floor && p->scale == q->scale);
}
