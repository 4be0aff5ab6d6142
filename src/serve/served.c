#include "serve/served.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session/splice.h"

enum { N_PAST = 64 };

struct past {
    uint64_t owner, used; // used 0: nothing
    int32_t *ids;         // (n)
    int n;
};

struct served {
    struct served_parts parts;
    struct scheduler *scheduler;
    struct constraints *constraints;
    atomic_int n_holder;
    int64_t since;
    int n_ctx;
    char class_text[CLASS_NAME_BYTES + 64];
    pthread_mutex_t lock; // over what follows
    struct past past[N_PAST];
    uint64_t clock;
};

static void release(struct served *served) {
    scheduler_free(served->scheduler);
    constraints_free(served->constraints);
    for (int i = 0; i < N_PAST; i++)
        free(served->past[i].ids);
    served->parts.close(served->parts.ctx);
    pthread_mutex_destroy(&served->lock);
    free(served);
}

enum jl_status served_open(const struct served_parts *parts, struct served **out,
                           struct jl_error *err) {
    struct served *served = calloc(1, sizeof *served);
    char cls[CLASS_NAME_BYTES];
    *out = NULL;
    if (!served) {
        parts->close(parts->ctx);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a model");
    }
    const struct model *model = exec_model(parts->exec);
    struct scheduler_options options = parts->limits;
    options.exec = parts->exec;
    options.tokenizer = parts->tokenizer;
    options.ends = parts->ends;
    served->parts = *parts;
    served->since = (int64_t)time(NULL);
    atomic_init(&served->n_holder, 1);
    pthread_mutex_init(&served->lock, NULL);
    class_name(&model->cls, cls);
    snprintf(served->class_text, sizeof served->class_text, "%s", cls);
    enum jl_status status = constraints_create(parts->tokenizer, parts->form->dialect, parts->ends,
                                               &served->constraints, err);
    if (status == JL_OK) status = scheduler_create(&options, &served->scheduler, err);
    if (status != JL_OK) {
        release(served);
        return status;
    }
    served->n_ctx = scheduler_n_ctx(served->scheduler);
    *out = served;
    return JL_OK;
}

struct served *served_hold(struct served *served) {
    atomic_fetch_add(&served->n_holder, 1);
    return served;
}

void served_drop(struct served *served) {
    if (served && atomic_fetch_sub(&served->n_holder, 1) == 1) release(served);
}

bool served_is_alone(const struct served *served) { return atomic_load(&served->n_holder) == 1; }

const struct served_parts *served_parts(const struct served *served) { return &served->parts; }
struct scheduler *served_scheduler(struct served *served) {
    return served->scheduler;
}
struct constraints *served_constraints(struct served *served) {
    return served->constraints;
}
int64_t served_since(const struct served *served) { return served->since; }
int served_n_ctx(const struct served *served) { return served->n_ctx; }
const char *served_class(const struct served *served) { return served->class_text; }

/* ---- what was said lately ---- */

static int common(const int32_t *a, size_t n, const struct past *past) {
    int same = 0;
    while (same < past->n && (size_t)same < n && a[same] == past->ids[same])
        same++;
    return same;
}

/* Of the owner's, the one that begins most like these ids. */
static struct past *find_past(struct served *served, uint64_t owner, const struct token_ids *ids) {
    struct past *found = NULL;
    int best = 0;
    for (int i = 0; i < N_PAST; i++) {
        struct past *past = &served->past[i];
        if (!past->used || past->owner != owner) continue;
        int same = common(ids->data, ids->len, past);
        if (same > best) best = same, found = past;
    }
    return found;
}

/* A copy of what splicing is to look at; n 0: nothing. */
static int copy_past(struct served *served, uint64_t owner, const struct token_ids *ids,
                     int32_t **out) {
    int n = 0;
    pthread_mutex_lock(&served->lock);
    struct past *past = find_past(served, owner, ids);
    if (past && (*out = malloc((size_t)past->n * sizeof **out))) {
        memcpy(*out, past->ids, (size_t)past->n * sizeof **out);
        n = past->n;
        past->used = ++served->clock;
    }
    pthread_mutex_unlock(&served->lock);
    return n;
}

enum jl_status served_encode(struct served *served, uint64_t owner,
                             const struct tokenizer_text *text, int flags, struct token_ids *out,
                             struct jl_error *err) {
    const struct tokenizer *tokenizer = served->parts.tokenizer;
    int32_t *past = NULL;
    struct token_ids spliced;
    JL_TRY(tokenizer_encode_marked(tokenizer, text, flags, out, NULL, err));
    int n = copy_past(served, owner, out, &past);
    if (n == 0) return JL_OK;
    struct splice_known known = {past, (size_t)n, (size_t)served->n_ctx};
    enum jl_status status = splice_encode(tokenizer, text, flags, &known, &spliced, err);
    free(past);
    free(out->data);
    *out = status == JL_OK ? spliced : (struct token_ids){0};
    return status;
}

void served_remember(struct served *served, uint64_t owner, const int32_t *ids, int n) {
    int32_t *copy = malloc((size_t)n * sizeof *copy);
    if (!copy) return; // the next turn is read again, no more
    memcpy(copy, ids, (size_t)n * sizeof *copy);
    pthread_mutex_lock(&served->lock);
    struct past *place = &served->past[0];
    for (int i = 0; i < N_PAST; i++) {
        struct past *past = &served->past[i];
        bool goes_on = past->used && past->owner == owner && past->n <= n &&
                       !memcmp(past->ids, ids, (size_t)past->n * sizeof *ids);
        if (past->used < place->used || goes_on) place = past;
        if (goes_on) break;
    }
    free(place->ids);
    *place = (struct past){owner, ++served->clock, copy, n};
    pthread_mutex_unlock(&served->lock);
}
