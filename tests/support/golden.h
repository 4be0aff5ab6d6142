/* Golden folders and the ways to run a model that tests compare. */
#ifndef JL_TESTS_SUPPORT_GOLDEN_H
#define JL_TESTS_SUPPORT_GOLDEN_H

#include "model/exec.h"
#include "session/feed.h"

struct golden_prompts {
    int32_t *ids[8];
    int n_id[8];
    int n;
};

/* Tests run from the source root: meson passes it as the working directory. */
void golden_read_prompts(const char *path, const char *key, struct golden_prompts *out);
void golden_free_prompts(struct golden_prompts *prompts);
float *golden_read_floats(const char *path, size_t n); // exactly n of them; caller frees

struct golden_run {
    const char *path, *act, *kv, *level;
    int threads;
    int chunk;  // 0: all in one pass
    int n_also; // prompts that share the batch, from `also`
    const struct golden_prompts *prompts;
    int prompt;
    int also[4];
    const struct model *model; // NULL: the one at `path`, of act and kv
};

/* Logits of all positions of the prompt; caller frees. Fails the test on any error. */
float *golden_logits(const struct golden_run *run, int *n_vocab);
/* Logits of the prediction layer at all positions but the last, chunk by chunk; caller frees. */
float *golden_mtp_logits(const struct golden_run *run, int *n_vocab);
/* n greedy ids after the prompt. */
void golden_greedy(const struct golden_run *run, int n, int32_t *ids);
void golden_sha256(const void *data, size_t bytes, char out[65]);

/* Pages for n_seq sequences of whole contexts. */
struct page_pool *golden_pool(const struct model *model, struct backend *backend, int n_seq);

/* Calls fn for every level this CPU has, ref first. */
extern const char *const golden_levels[]; // ends with NULL
bool golden_has_level(const char *level);
bool golden_quick(void); // JINLIN_TEST_QUICK is set: one way of each kind is enough

#endif
