/* The weights move: answers laid out as rows, the policy's loss over them, and the check that the
 * pass of learning finds what the pass of drawing found. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "train/rl/self.h"

/* The answers of one update as micro-batches. */
struct part {
    struct learner_row *rows;    // (n_row)
    struct policy_token *tokens; // (n_row), of rows in the loss
    struct learner_batch *micro; // (n_micro)
    int64_t *first;              // (n_micro) the first row of each
    int64_t n_row;
    int n_micro;
};

/* What the loss of a pass knows. */
struct pass {
    const struct policy_options *policy;
    struct part *part;
    int micro; // of the part, where the learner counts from 0
    bool check;
    struct rl_report *report;
};

static enum jl_status no_memory(struct jl_error *err) {
    return jl_fail(err, JL_ERR_MEMORY, "out of memory for the rows of a step");
}

/* ---- rows ---- */

static bool teaches(const struct rl *rl, const struct rollout *r) {
    bool drawn_apart = rl->options.policy.kl > 0 || rl->options.policy.entropy > 0;
    return (!r->silent || drawn_apart) && !(r->cut && rl->options.overlong == RL_OVERLONG_MASK);
}

int rl_rows_of(const struct rollout *r) { return r->result->n_id + r->answer->n_id - 1; }

/* How much of the update's loss each token of an answer is. */
static double share_of(const struct rl *rl, const struct rollout *r, int n_answer,
                       int64_t n_token) {
    switch (rl->options.share) {
    case RL_SHARE_ANSWER: return 1.0 / n_answer / r->answer->n_id;
    case RL_SHARE_TOKEN: return 1.0 / (double)n_token;
    case RL_SHARE_LENGTH: break;
    }
    return 1.0 / n_answer / (r->task->line.max_tokens + 1);
}

static void lay_answer(const struct rollout *r, int seq, double share, struct learner_row *rows,
                       struct policy_token *tokens) {
    const int32_t *prompt = r->result->ids, *ids = r->answer->ids;
    int n_prompt = r->result->n_id, n = rl_rows_of(r);
    for (int i = 0; i < n; i++) {
        int k = i + 1 - n_prompt; // the token of the answer that the row predicts
        rows[i] = (struct learner_row){.token = i < n_prompt ? prompt[i] : ids[i - n_prompt],
                                       .target = k >= 0 ? ids[k] : prompt[i + 1],
                                       .after = -1,
                                       .seq = seq,
                                       .pos = i,
                                       .weight = k >= 0 ? 1 : 0};
        if (k < 0) continue;
        tokens[i] = (struct policy_token){.drawn = r->answer->logprobs[k],
                                          .reference = r->reference ? r->reference[k] : 0,
                                          .advantage = r->advantage,
                                          .share = share};
    }
}

/* Answers one behind the other, a new micro-batch where the next has no room. */
static enum jl_status lay_part(const struct rl *rl, const struct rollout *const *list, int n,
                               int n_answer, struct part *out, struct jl_error *err) {
    int64_t n_token = 0;
    *out = (struct part){0};
    for (int i = 0; i < n; i++) {
        out->n_row += rl_rows_of(list[i]);
        n_token += list[i]->answer->n_id;
    }
    out->rows = calloc((size_t)out->n_row + 1, sizeof *out->rows);
    out->tokens = calloc((size_t)out->n_row + 1, sizeof *out->tokens);
    out->micro = calloc((size_t)n + 1, sizeof *out->micro);
    out->first = calloc((size_t)n + 1, sizeof *out->first);
    if (!out->rows || !out->tokens || !out->micro || !out->first) return no_memory(err);
    int64_t at = 0;
    for (int i = 0; i < n; i++) {
        int rows = rl_rows_of(list[i]);
        struct learner_batch *micro = out->n_micro ? &out->micro[out->n_micro - 1] : NULL;
        if (!micro || micro->n_row + rows > rl->options.rows) {
            micro = &out->micro[out->n_micro];
            out->first[out->n_micro++] = at;
            *micro = (struct learner_batch){.rows = out->rows + at};
        }
        lay_answer(list[i], micro->n_seq++, share_of(rl, list[i], n_answer, n_token),
                   out->rows + at, out->tokens + at);
        micro->n_row += rows;
        at += rows;
    }
    return JL_OK;
}

static void free_part(struct part *part) {
    free(part->rows);
    free(part->tokens);
    free(part->micro);
    free(part->first);
    *part = (struct part){0};
}

/* ---- the loss ---- */

static double loss_row(void *ctx, const struct backend *backend, const struct loss_row *row,
                       float *out, int n) {
    const struct pass *pass = ctx;
    int64_t at = pass->part->first[pass->micro + row->micro] + row->row;
    (void)backend;
    return policy_loss(pass->policy, &pass->part->tokens[at], out, n, row->target);
}

/* Whether every token was found again as it was drawn, to the bit. */
static enum jl_status check(const struct part *part, struct rl_report *report,
                            struct jl_error *err) {
    int64_t n_other = 0;
    for (int64_t i = 0; i < part->n_row; i++) {
        const struct policy_token *t = &part->tokens[i];
        if (part->rows[i].weight == 0) continue;
        double by = fabs(t->logprob - t->drawn);
        n_other += !(t->logprob == t->drawn);
        if (!(by <= report->difference)) report->difference = by;
        report->n_checked++;
        report->entropy += t->entropy;
        report->kl += t->kl;
    }
    if (!n_other) return JL_OK;
    return jl_fail(
        err, JL_ERR_FORMAT,
        "%" PRId64 " tokens have another log-probability in learning than when they were "
        "drawn, by up to %g: the weights have changed meanwhile, or the passes differ, which "
        "must not be. Nothing was learned from them",
        n_other, report->difference);
}

static enum jl_status accept(void *ctx, struct jl_error *err) {
    const struct pass *pass = ctx;
    return pass->check ? check(pass->part, pass->report, err) : JL_OK;
}

static struct train_loss loss_of(struct pass *pass) {
    return (struct train_loss){.name = "policy", .row = loss_row, .ctx = pass, .accept = accept};
}

/* ---- passes ---- */

/* Before the weights move for the first time: the parts whose turn comes later. */
static enum jl_status check_later(struct rl *rl, struct part *parts, int n,
                                  struct rl_report *report, struct jl_error *err) {
    for (int i = 1; i < n; i++) {
        struct pass pass = {.policy = &rl->options.policy, .part = &parts[i]};
        const struct train_loss loss = loss_of(&pass);
        double sum = 0, weight = 0;
        for (; pass.micro < parts[i].n_micro; pass.micro++)
            JL_TRY(learner_eval(rl->model.learner, &parts[i].micro[pass.micro], &loss, &sum,
                                &weight, err));
        JL_TRY(check(&parts[i], report, err));
    }
    return JL_OK;
}

static void report_part(const struct part *part, struct rl_report *report) {
    report->loss = 0;
    report->n_row += part->n_row;
    for (int64_t i = 0; i < part->n_row; i++) {
        const struct policy_token *t = &part->tokens[i];
        if (part->rows[i].weight == 0) continue;
        report->loss += t->share * t->loss;
        report->clipped += t->clipped;
    }
}

static enum jl_status learn_parts(struct rl *rl, struct part *parts, int n, float rate,
                                  const atomic_bool *cancel, struct rl_report *report,
                                  struct jl_error *err) {
    double n_seen = 0;
    if (rl->options.drawn) rl->options.drawn(rl->options.ctx);
    JL_TRY(check_later(rl, parts, n, report, err));
    for (int k = 0; k < rl->options.n_pass * n; k++) {
        struct part *part = &parts[k % n];
        struct pass pass = {
            .policy = &rl->options.policy, .part = part, .check = k == 0, .report = report};
        const struct train_loss loss = loss_of(&pass);
        struct step_result result;
        JL_TRY(learner_step(rl->model.learner, part->micro, part->n_micro, &loss, rate, cancel,
                            &result, err));
        report_part(part, report);
        report->norm = result.norm;
        report->n_update++;
        n_seen += (double)result.n_loss;
    }
    report->clipped /= n_seen;
    report->entropy /= (double)report->n_checked;
    report->kl /= (double)report->n_checked;
    return JL_OK;
}

/* The parts, neighbours in the list together: a group's answers learn in one update. */
static enum jl_status lay_parts(const struct rl *rl, const struct rollout *const *list, int n,
                                struct part *parts, int n_part, struct jl_error *err) {
    int n_all = rl->n_rollout / n_part > 0 ? rl->n_rollout / n_part : 1; // silent ones count, too
    for (int i = 0, at = 0; i < n_part; i++) {
        int end = (int)((int64_t)n * (i + 1) / n_part);
        JL_TRY(lay_part(rl, list + at, end - at, n_all, &parts[i], err));
        at = end;
    }
    return JL_OK;
}

enum jl_status rl_learn(struct rl *rl, float rate, const atomic_bool *cancel,
                        struct rl_report *report, struct jl_error *err) {
    const struct rollout **list = calloc((size_t)rl->n_rollout + 1, sizeof *list);
    int n = 0;
    double began = clock_seconds();
    if (!list) return no_memory(err);
    for (int i = 0; i < rl->n_rollout; i++)
        if (teaches(rl, &rl->rollouts[i])) list[n++] = &rl->rollouts[i];
    int n_part = rl->options.n_update < n ? rl->options.n_update : n;
    struct part *parts = calloc((size_t)n_part + 1, sizeof *parts);
    enum jl_status status = parts ? JL_OK : no_memory(err);
    if (status == JL_OK && n && rl->reference)
        status = rl_reference_score(rl->reference, rl->rollouts, rl->n_rollout, cancel, err);
    if (status == JL_OK && n) status = lay_parts(rl, list, n, parts, n_part, err);
    if (status == JL_OK && n) status = learn_parts(rl, parts, n_part, rate, cancel, report, err);
    for (int i = 0; parts && i < n_part; i++)
        free_part(&parts[i]);
    free(parts);
    free(list);
    report->learn_seconds = clock_seconds() - began;
    return status;
}
