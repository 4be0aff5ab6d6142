/* A recipe: one small text file that says all that decides the weights of a run.
 *
 * Lines are `key = value`, in sections `[run]`, `[model]`, `[config]`, `[sampling]`, `[data]`,
 * `[train]`, `[lora]`, `[grpo]` and any number of `[stage NAME]`; `#` begins a comment. Unknown
 * keys, values out of range and keys that stand twice are errors that name the line. docs/train.md
 * has all keys.
 */
#ifndef JL_TRAIN_RUN_RECIPE_H
#define JL_TRAIN_RUN_RECIPE_H

#include <jansson.h>

#include "base/arena.h"
#include "train/data/data.h"
#include "train/learn/learner.h"
#include "train/learn/schedule.h"
#include "train/rl/rl.h"

/* section, key, kind, field, default, least, most, meaning. Kinds: WORD (text, NULL when absent),
 * PATH (the same, beside the recipe), WHOLE (int64_t), REAL (double), FLAG (bool). */
#define RECIPE_LIST(X)                                                                             \
    X("run", "seed", WHOLE, seed, 1, 0, 9e15, "of initial weights and of the order of documents")  \
    X("run", "checkpoint_every", WHOLE, checkpoint_every, 100, 1, 1e9, "steps")                    \
    X("run", "checkpoint_keep", WHOLE, checkpoint_keep, 2, 1, 1000, "the newest so many")          \
    X("run", "eval_every", WHOLE, eval_every, 0, 0, 1e9,                                           \
      "steps from one loss on held-out documents to the next; 0: only at the end")                 \
    X("run", "sample_every", WHOLE, sample_every, 0, 0, 1e9,                                       \
      "steps from one sample to the next; 0: only at a stage's end")                               \
    X("run", "sample", WORD, sample, 0, 0, 0, "a text that the model goes on from")                \
    X("run", "gguf", WORD, gguf, 0, 0, 0,                                                          \
      "types of GGUF files that are written beside each stage's folder: bf16 q8_0")                \
    X("model", "start", PATH, start, 0, 0, 0, "a model folder or file to begin with")              \
    X("model", "tokenizer", PATH, tokenizer, 0, 0, 0, "of a new model: a folder that has one")     \
    X("model", "dtype", WORD, dtype, 0, 0, 0, "f32 or bf16: of matrices, and of the products")     \
    X("model", "act", WORD, act, 0, 0, 0, "numeric class (docs/numerics.md), as --act")            \
    X("model", "kv", WORD, kv, 0, 0, 0, "the same, as --kv")                                       \
    X("data", "mode", WORD, mode, 0, 0, 0, "cut or whole (docs/train-data.md)")                    \
    X("data", "seq_len", WHOLE, seq_len, 256, 1, 1 << 24, "rows of the longest sequence")          \
    X("data", "rows", WHOLE, rows, 2048, 1, 1 << 24, "of a micro-batch")                           \
    X("data", "micro", WHOLE, micro, 1, 1, 1 << 16, "micro-batches of a step")                     \
    X("data", "skip_long", FLAG, skip_long, 0, 0, 1, "leave out what is longer than seq_len")      \
    X("data", "holdout", REAL, holdout, 0, 0, 0.5, "share of documents kept for evaluation")       \
    X("data", "cache", PATH, cache, 0, 0, 0, "folder of tokenised files; the run's own if absent") \
    X("train", "optimizer", WORD, optimizer, 0, 0, 0, "adamw or muon (for matrices)")              \
    X("train", "beta1", REAL, beta1, 0.9, 0, 0.99999, "AdamW")                                     \
    X("train", "beta2", REAL, beta2, 0.95, 0, 0.99999, "AdamW")                                    \
    X("train", "eps", REAL, eps, 1e-8, 1e-20, 1, "AdamW")                                          \
    X("train", "momentum", REAL, momentum, 0.95, 0, 0.99999, "Muon")                               \
    X("train", "weight_decay", REAL, weight_decay, 0.1, 0, 10, "of matrices")                      \
    X("train", "embed_decay", REAL, embed_decay, 0, 0, 10, "of embeddings and heads")              \
    X("train", "max_norm", REAL, max_norm, 1, 0, 1e9, "of the gradient; 0: any")                   \
    X("train", "mtp_weight", REAL, mtp_weight, 0.3, 0, 100, "of the prediction layer's loss")      \
    X("train", "balance_rate", REAL, balance_rate, 0.001, 0, 1,                                    \
      "by which routers' biases even out the experts' load")                                       \
    X("train", "keep", WORD, keep, 0, 0, 0,                                                        \
      "all, costly or layers: what stays in memory for the way back")                              \
    X("lora", "rank", WHOLE, lora_rank, 0, 1, 65536,                                               \
      "of an adapter, which alone is learned (docs/adapters.md)")                                  \
    X("lora", "alpha", REAL, lora_alpha, 0, 0, 1e6,                                                \
      "its factor times the rank; 0: twice the rank")                                              \
    X("lora", "roles", WORD, lora_roles, 0, 0, 0, "matrices it stands on: attn_q attn_v, or all")  \
    X("lora", "merge", FLAG, lora_merge, 0, 0, 1, "write the base with the adapter in it, too")    \
    X("grpo", "variant", WORD, grpo_variant, 0, 0, 0,                                              \
      "grpo, dr_grpo or dapo: what stands for keys that are not given")                            \
    X("grpo", "prompts", WHOLE, grpo_prompts, 16, 1, 65536, "tasks of a step")                     \
    X("grpo", "group", WHOLE, grpo_group, 8, 2, 4096, "answers to each of them")                   \
    X("grpo", "max_tokens", WHOLE, grpo_max_tokens, 512, 1, 1 << 20,                               \
      "of an answer, where its task does not ask for fewer")                                       \
    X("grpo", "parallel", WHOLE, grpo_parallel, 0, 0, 4096,                                        \
      "answers drawn at once; 0: all of a step, where memory allows")                              \
    X("grpo", "temperature", REAL, grpo_temperature, 1, 0.05, 10, "of the draws")                  \
    X("grpo", "passes", WHOLE, grpo_passes, 1, 1, 1000, "times that a step's answers are learned") \
    X("grpo", "updates", WHOLE, grpo_updates, 1, 1, 4096, "moves of the weights in such a pass")   \
    X("grpo", "clip_low", REAL, grpo_clip_low, -1, 0, 1, "ratios below 1 - clip_low are clipped")  \
    X("grpo", "clip_high", REAL, grpo_clip_high, -1, 0, 100, "and those above 1 + clip_high")      \
    X("grpo", "kl", REAL, grpo_kl, 0, 0, 100, "weight of the distance from the model of start")    \
    X("grpo", "entropy", REAL, grpo_entropy, 0, 0, 100, "weight of the bonus for entropy")         \
    X("grpo", "scale", WORD, grpo_scale, 0, 0, 0,                                                  \
      "of advantages: deviation (of the group) or plain")                                          \
    X("grpo", "share", WORD, grpo_share, 0, 0, 0,                                                  \
      "answer, token or length: whose parts of the loss are alike")                                \
    X("grpo", "overlong", WORD, grpo_overlong, 0, 0, 0,                                            \
      "keep, mask or punish answers that were cut off")                                            \
    X("grpo", "redraw", WHOLE, grpo_redraw, -1, 0, 64,                                             \
      "rounds in which groups whose answers are all alike are replaced")                           \
    X("grpo", "tables", PATH, grpo_tables, 0, 0, 0, "folder of the tables that checks read")

#define STAGE_LIST(X)                                                                              \
    X("steps", WHOLE, steps, 0, 0, 1e12, "of the stage")                                           \
    X("tokens", WHOLE, tokens, 0, 0, 1e15, "instead of steps: rows, rounded up to whole steps")    \
    X("epochs", REAL, epochs, 0, 0, 1e6, "instead of both: so often through all the data")         \
    X("rate", REAL, rate, 1e-3, 0, 100, "the highest learning rate")                               \
    X("schedule", WORD, schedule, 0, 0, 0, "wsd, cosine or constant")                              \
    X("warmup", WHOLE, warmup, 0, 0, 1e12, "steps")                                                \
    X("warmup_share", REAL, warmup_share, 0, 0, 0.99, "instead of warmup: of the stage's steps")   \
    X("descent", REAL, descent, 0.2, 0, 1, "share of the stage's steps over which wsd comes down") \
    X("min_rate", REAL, min_rate, 0, 0, 1, "at the end, as a share of rate")                       \
    X("mtp_weight", REAL, mtp_weight, -1, 0, 100, "instead of [train]'s")                          \
    X("restart", WORD, restart, 0, 0, 0, "no, yes (fresh moments of the optimizer) or weights")

#define RECIPE_WORD const char *
#define RECIPE_PATH const char *
#define RECIPE_WHOLE int64_t
#define RECIPE_REAL double
#define RECIPE_FLAG bool

/* MOMENTS: the optimizer's begin again. WEIGHTS: all does, as if the run began with the folder that
 * the stage before left: masters are the weights as they were written, and the data their first. */
enum stage_restart { RESTART_NO, RESTART_MOMENTS, RESTART_WEIGHTS };

struct recipe_stage {
    const char *name;
    struct data_source_spec *sources; // its own, or [data]'s
    int n_source;
    struct schedule plan;
    enum stage_restart restart_id; // restart
#define X(key, kind, field, ...) RECIPE_##kind field;
    STAGE_LIST(X)
#undef X
};

#define RECIPE_MOST_STAGES 64
#define RECIPE_MOST_TASKS 64 // files

struct recipe {
    const char *path;
    json_t *config;   // [config]: keys of config.json; NULL: the section is absent
    json_t *sampling; // [sampling]: keys of generation_config.json, do_sample among them; or NULL
    struct data_source_spec *sources;
    int n_source;
    bool grpo; // [grpo] is there: its stages learn by reward
    const char *tasks[RECIPE_MOST_TASKS];
    int n_tasks;
    struct reward_spec rewards[REWARD_MOST];
    int n_reward;
    enum advantage_scale grpo_scale_id;
    enum rl_share grpo_share_id;
    enum rl_overlong grpo_overlong_id;
    struct recipe_stage stages[RECIPE_MOST_STAGES];
    int n_stage;
    enum dtype work;                  // dtype
    enum data_mode packing;           // mode
    enum optimizer_kind optimizer_id; // optimizer
    enum tape_keep keep_id;           // keep
#define X(section, key, kind, field, ...) RECIPE_##kind field;
    RECIPE_LIST(X)
#undef X
    char *text; // as it was read
    struct arena arena;
};

enum jl_status recipe_read(const char *path, struct recipe *out, struct jl_error *err);
/* The same of text; paths in it are beside `path`, whose name messages carry. */
enum jl_status recipe_parse(const char *text, const char *path, struct recipe *out,
                            struct jl_error *err);
void recipe_free(struct recipe *recipe); // zeroed is fine
/* A fingerprint of all that decides the weights up to the end of a stage: the run's own keys but
 * the seed, what is kept in memory and where caches are do not. */
#define RECIPE_MARK 32 // bytes
void recipe_mark(const struct recipe *recipe, int64_t stage, uint8_t out[RECIPE_MARK]);
int64_t recipe_steps(const struct recipe *recipe);
int recipe_stage_find(const struct recipe *recipe, const char *name); // -1: there is none
/* The steps of a stage that has `epochs`, which only its data can tell: until then they are 0. */
enum jl_status recipe_set_steps(struct recipe *recipe, int stage, int64_t steps,
                                struct jl_error *err);

#endif
