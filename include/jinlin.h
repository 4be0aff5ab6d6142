/* Jinlin: one library for the whole life of an open language model. This header is all of it.
 *
 *     jl_model   what a file holds, open and checked           const, shared by all threads
 *     jl_engine  threads and memory that run a model           one owner
 *     jl_session one sequence of tokens and its cached state   its engine's owner
 *     jl_sampler how one sequence's next tokens are chosen     one owner
 *
 * examples/ has whole programs, the shortest first. What follows is the contract.
 *
 * BITS. Logits of a model in one numeric class (jl_model_info.numeric_class) have the same bits
 * whatever the number of threads, the CPU, the other sequences in a pass, the cutting of a prompt
 * into passes, and however the state was come by: read now, kept from before, forked, shared, or
 * loaded from a file. So has everything drawn from them: the same seed gives the same text. The
 * rules are docs/numerics.md; jl_numeric_rules() is their version.
 *
 * ERRORS. What can fail returns enum jl_status and, on failure, fills the caller's struct jl_error
 * (which may be NULL) with one line that says what is wrong, where, and what to do. A failed call
 * has changed nothing, unless its comment says what. Nothing is truncated, ignored or replaced in
 * silence. The library never exits, aborts, prints, installs signal handlers, or keeps global
 * state.
 *
 * THREADS. "One owner" means: calls about an object do not overlap; different threads may own it
 * one after the other. jl_cancel_set may be called from any thread and from a signal handler.
 *
 * MEMORY. Weights stay in the file, mapped: it must not be changed meanwhile. What an engine needs
 * is known before (jl_plan) and taken by jl_engine_create, which refuses what the machine does not
 * have; after that, reading and choosing tokens asks the heap for nothing. Pointers handed out
 * belong to the object they came from; those that the caller frees are said to, with jl_free. Every
 * free function takes NULL.
 *
 * STRUCTS of options are zeroed for the defaults: `struct jl_engine_options options = {0};`. NULL
 * in place of one is the same.
 *
 * TEXT is UTF-8. Paths are bytes. */
#ifndef JINLIN_H
#define JINLIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JINLIN_API __attribute__((visibility("default")))

JINLIN_API const char *jl_version(void);       // of the library, "0.1.0"
JINLIN_API const char *jl_numeric_rules(void); // of the bits
JINLIN_API void jl_free(void *memory);

/* ---- errors ---- */

/* id, exit code of the program, short name */
#define JL_STATUS_LIST(X)                                                                          \
    X(JL_OK, 0, "ok")                                                                              \
    X(JL_ERR_USAGE, 2, "usage")             /* the caller's arguments do not fit */                \
    X(JL_ERR_IO, 3, "io")                   /* a file cannot be opened, read or written */         \
    X(JL_ERR_FORMAT, 4, "format")           /* a file's bytes break its format */                  \
    X(JL_ERR_UNSUPPORTED, 5, "unsupported") /* well formed, but something we do not implement */   \
    X(JL_ERR_MEMORY, 6, "memory")           /* an allocation failed */                             \
    X(JL_ERR_LIMIT, 7, "limit")             /* a context, batch or size limit would be exceeded */ \
    X(JL_ERR_NONFINITE, 8, "nonfinite")     /* the forward pass produced NaN or infinity */        \
    X(JL_ERR_CANCELLED, 9, "cancelled")     /* the caller asked to stop */                         \
    X(JL_ERR_CPU, 10, "cpu")                /* this CPU lacks what was asked for */               \
    X(JL_ERR_BUSY, 11, "busy")              /* as much waits already as may: ask again later */

enum jl_status {
#define X(id, code, name) id,
    JL_STATUS_LIST(X)
#undef X
        JL_STATUS_COUNT
};

struct jl_error {
    enum jl_status status;
    char message[1024]; // one line, no trailing newline
};

JINLIN_API const char *jl_status_name(enum jl_status status);

/* ---- a model ---- */

typedef struct jl_model jl_model;

/* A low-rank adapter (LoRA) that adds to what the model's matrices give: a folder as PEFT saves it,
 * or a GGUF file. It is checked like a model. */
struct jl_adapter {
    const char *path;
    float scale; // times what the adapter itself says; 0: 1
};

struct jl_model_options {
    const char *act; // activations: "f32" or "bf16"; NULL: as the weights ask
    const char *kv; // cached keys and values: "f32", "f16", "bf16", "q8" (int8 with scales, 9/16 of
                    // the bytes of f16); NULL: f16, with act bf16 bf16
    const struct jl_adapter *adapters; // [n_adapter], added in this order; NULL: none
    int n_adapter;
};

/* A GGUF file, the first file of a split one, or a folder as published on model hubs. All of it is
 * checked: a missing, unknown or misshapen tensor or key is an error, not a guess. */
JINLIN_API enum jl_status jl_model_open(const char *path, const struct jl_model_options *options,
                                        jl_model **out, struct jl_error *err);
JINLIN_API void jl_model_free(jl_model *model); // after its engines

struct jl_model_info {
    const char *family;        // "qwen3"
    const char *numeric_class; // "act=bf16,kv=bf16,mla=latent,rules=..."
    int32_t n_vocab, n_ctx;    // logits a token; the longest sequence
    int32_t n_layer, n_embd;
    size_t weight_bytes; // in the file, and of adapters
    bool has_tokenizer;  // whether jl_encode and what stands on it will work
    bool has_template;   // and jl_chat_prompt
};
JINLIN_API struct jl_model_info jl_model_info(const jl_model *model);

/* ---- text and tokens ---- */

enum jl_encode_flags {
    JL_ENCODE_SPECIAL = 1, // markup in the text becomes special tokens; never for a user's words
    JL_ENCODE_BOS = 2,     // with the tokens that the tokenizer puts around a text
};

/* *ids: (*n), jl_free. */
JINLIN_API enum jl_status jl_encode(const jl_model *model, const char *text, size_t len, int flags,
                                    int32_t **ids, int32_t *n, struct jl_error *err);

/* Ids to text, one by one: only whole characters come out, the rest waits. */
typedef struct jl_decoder jl_decoder;
JINLIN_API enum jl_status jl_decoder_create(const jl_model *model, jl_decoder **out,
                                            struct jl_error *err);
JINLIN_API void jl_decoder_free(jl_decoder *decoder);
/* *text: until the next call, with a NUL behind its *len bytes. */
JINLIN_API enum jl_status jl_decode(jl_decoder *decoder, int32_t id, const char **text, size_t *len,
                                    struct jl_error *err);
/* What still waits, as U+FFFD. */
JINLIN_API enum jl_status jl_decode_end(jl_decoder *decoder, const char **text, size_t *len,
                                        struct jl_error *err);

JINLIN_API bool jl_is_end(const jl_model *model, int32_t id); // does the token end an answer?

/* The prompt of a conversation by the model's own chat template. `json` is an object: "messages"
 * as in the OpenAI API, and whatever else the template reads ("tools", "enable_thinking"...).
 * "add_generation_prompt" is true unless said. Markup inside the messages stays plain text.
 * *ids: (*n), jl_free. */
JINLIN_API enum jl_status jl_chat_prompt(const jl_model *model, const char *json, size_t len,
                                         int32_t **ids, int32_t *n, struct jl_error *err);

/* ---- memory, before anything is taken ---- */

/* Tokens guessed ahead are read beside the certain one, and taken or dropped as the sampler
 * decides: jl_generate gives the same answer with and without. It guesses only where that is
 * measured to be faster. */
enum jl_draft {
    JL_DRAFT_AUTO,   // all there is
    JL_DRAFT_NONE,   // a pass for each token
    JL_DRAFT_LOOKUP, // what followed the same tokens earlier in the session
    JL_DRAFT_MTP,    // the model's own prediction layer; JL_ERR_UNSUPPORTED where it has none
};

struct jl_engine_options {
    int n_threads;       // 0: physical cores that this process may use
    int n_seq;           // sessions that can be in one pass; 0: 1
    int n_ctx;           // tokens each of them has room for; 0: the model's context, or what fits
    int n_batch;         // rows of a pass; 0: 512
    size_t prefix_bytes; // of cached state kept for sessions that begin alike; 0: none
    size_t memory;       // bytes that may be used; 0: what the system says is available
    const char *cpu;     // "ref", "avx2", "avx512"; NULL: the best there is
    enum jl_draft draft; // what guesses an answer's next tokens
    int n_draft;         // most of them in a pass; 0: 8, at most 16
};

struct jl_plan {
    size_t weights;   // mapped from the file; needed in memory to be fast
    size_t state;     // cached keys, values and recurrent states of n_seq sequences of n_ctx
    size_t prefix;    // and those kept for others
    size_t work;      // registers, scratch, logits
    size_t total;     // all of these
    size_t available; // options.memory, or the system's and the control group's limits
    int32_t n_ctx, n_seq;
};
/* Nothing is taken yet. JL_ERR_LIMIT where the total is more than what is available; the
 * plan is filled then, too. */
JINLIN_API enum jl_status jl_plan(const jl_model *model, const struct jl_engine_options *options,
                                  struct jl_plan *plan, struct jl_error *err);

/* ---- an engine ---- */

typedef struct jl_engine jl_engine;
typedef struct jl_session jl_session;

JINLIN_API enum jl_status jl_engine_create(const jl_model *model,
                                           const struct jl_engine_options *options, jl_engine **out,
                                           struct jl_error *err);
JINLIN_API void jl_engine_free(jl_engine *engine); // after its sessions

/* A flag to stop what runs: checked between layers. */
typedef struct jl_cancel jl_cancel;
JINLIN_API jl_cancel *jl_cancel_create(void); // NULL: out of memory
JINLIN_API void jl_cancel_free(jl_cancel *cancel);
JINLIN_API void jl_cancel_set(jl_cancel *cancel);
JINLIN_API void jl_cancel_clear(jl_cancel *cancel);

/* ---- sessions ---- */

JINLIN_API enum jl_status jl_session_create(jl_engine *engine, jl_session **out,
                                            struct jl_error *err);
JINLIN_API void jl_session_free(jl_session *session);
/* A second session where this one is. They share what they have in common. */
JINLIN_API enum jl_status jl_session_fork(const jl_session *session, jl_session **out,
                                          struct jl_error *err);

JINLIN_API int32_t jl_session_n_token(const jl_session *session);    // read
JINLIN_API int32_t jl_session_n_pending(const jl_session *session);  // still to be read
JINLIN_API int32_t jl_session_capacity(const jl_session *session);   // most it can have
JINLIN_API const int32_t *jl_session_ids(const jl_session *session); // until the next change
/* (n_vocab) after the last token, until the engine's next pass; NULL: not known. */
JINLIN_API const float *jl_session_logits(const jl_session *session);

/* How others take part in a long read; NULL members are left out. */
struct jl_watch {
    const jl_cancel *cancel;
    void (*step)(void *ctx, int32_t done, int32_t total); // after each pass
    void *ctx;
};

/* The session's tokens shall be exactly these (n >= 1): what it has of them is kept, what others
 * have of them is shared, the rest is read. *reused (may be NULL): how many needed no reading.
 * After JL_ERR_CANCELLED, or another failure of a pass, a part is read and the rest pending. */
JINLIN_API enum jl_status jl_session_sync(jl_session *session, const int32_t *ids, int32_t n,
                                          const struct jl_watch *watch, int32_t *reused,
                                          struct jl_error *err);
/* One token more, and the logits after it. */
JINLIN_API enum jl_status jl_session_push(jl_session *session, int32_t id, struct jl_error *err);
/* Only the first n tokens. A model with recurrent layers may have to read some again (pending). */
JINLIN_API enum jl_status jl_session_rewind(jl_session *session, int32_t n, struct jl_error *err);

/* Many at once: tokens are given to sessions, and one pass serves all in the list that have some
 * pending, n_seq at most: at least one token each, and as many as n_batch allows, the first in the
 * list first. When it fails, nobody has read anything. */
JINLIN_API enum jl_status jl_session_add(jl_session *session, const int32_t *ids, int32_t n,
                                         struct jl_error *err);
JINLIN_API enum jl_status jl_engine_forward(jl_engine *engine, jl_session *const *sessions, int n,
                                            const jl_cancel *cancel, struct jl_error *err);

/* Whole or not at all, to a file; from one of the same model and numeric class, into a session,
 * which is as before when that fails. */
JINLIN_API enum jl_status jl_session_save(jl_session *session, const char *path,
                                          struct jl_error *err);
JINLIN_API enum jl_status jl_session_load(jl_session *session, const char *path,
                                          struct jl_error *err);

/* ---- choosing tokens ---- */

struct jl_bias {
    int32_t id;
    float bias; // added to the token's logit; -INFINITY: never this one
};

/* docs/sampling.md says what each does, and in which order. Not to be zeroed: start from
 * jl_sample_params_default or jl_sample_params_of_model. */
struct jl_sample_params {
    double temperature; // 0: the likeliest token
    int32_t top_k;      // 0: all
    double top_p, min_p, typical_p;
    double repetition_penalty;
    int32_t repeat_last_n; // -1: from the start
    double presence_penalty, frequency_penalty;
    double dry_multiplier, dry_base;
    int32_t dry_allowed_length, dry_penalty_last_n;
    double xtc_probability, xtc_threshold;
    const struct jl_bias *bias; // (n_bias), the caller's
    int32_t n_bias;
};
JINLIN_API struct jl_sample_params jl_sample_params_default(void); // every stage off: the likeliest
/* What the model's own files ask for. */
JINLIN_API enum jl_status jl_sample_params_of_model(const jl_model *model,
                                                    struct jl_sample_params *out,
                                                    struct jl_error *err);

typedef struct jl_sampler jl_sampler;
/* `sequence`: which of several answers to one prompt. The same seed, sequence and tokens give the
 * same choice. */
JINLIN_API enum jl_status jl_sampler_create(const jl_model *model,
                                            const struct jl_sample_params *params, uint64_t seed,
                                            uint32_t sequence, jl_sampler **out,
                                            struct jl_error *err);
JINLIN_API void jl_sampler_free(jl_sampler *sampler);
JINLIN_API enum jl_status jl_sampler_copy(const jl_sampler *sampler, uint32_t sequence,
                                          jl_sampler **out, struct jl_error *err);
/* Forgets all tokens; these come before the answer. */
JINLIN_API enum jl_status jl_sampler_prompt(jl_sampler *sampler, const int32_t *ids, int32_t n,
                                            struct jl_error *err);
/* Changes nothing. Of logits that are not a session's, NaN and +INFINITY are JL_ERR_NONFINITE, and
 * -INFINITY is a token that is not chosen. */
JINLIN_API enum jl_status jl_sampler_choose(jl_sampler *sampler, const float *logits, int32_t *id,
                                            struct jl_error *err);
/* The answer's next token, whoever chose it. */
JINLIN_API enum jl_status jl_sampler_accept(jl_sampler *sampler, int32_t id, struct jl_error *err);

/* Natural logarithm of the probability of `id`, and of the n_top likeliest, in order; of the
 * logits as they are, before any stage. */
struct jl_logprob {
    int32_t id;
    double logprob;
};
JINLIN_API enum jl_status jl_logprobs(jl_sampler *sampler, const float *logits, int32_t id,
                                      double *logprob, struct jl_logprob *top, int32_t n_top,
                                      struct jl_error *err);

/* ---- an answer, from beginning to end ---- */

enum jl_finish {
    JL_FINISH_LENGTH,  // max_tokens
    JL_FINISH_END,     // a token that ends an answer
    JL_FINISH_STOP,    // one of the stop strings
    JL_FINISH_CONTEXT, // the session is full
    JL_FINISH_CANCEL,
    JL_FINISH_CALLER, // on_text said so
};

struct jl_generate_options {
    int32_t max_tokens;      // 0: as many as the session holds
    const char *const *stop; // (n_stop) texts that end the answer and are not part of it
    int n_stop;
    const jl_cancel *cancel;
    /* Text as it becomes certain: whole characters, nothing of a stop string. `id` is the token
     * that brought it, -1 at the end. false: enough. */
    bool (*on_text)(void *ctx, int32_t id, const char *text, size_t len);
    void *ctx;
};

struct jl_answer {
    enum jl_finish finish;
    int32_t n_token;               // chosen, without the one that ends it
    int stop;                      // which of the stop strings; -1: none
    int32_t n_pass;                // passes of the model
    int32_t n_drafted, n_accepted; // tokens guessed ahead, and of them those chosen
};

/* From a session that has its prompt, read or pending, with a sampler that was given it, too. The
 * session gets every token of the answer but the one that ends it; the last one is pending, so that
 * nothing is read in vain, and read by whatever comes next. */
JINLIN_API enum jl_status jl_generate(jl_session *session, jl_sampler *sampler,
                                      const struct jl_generate_options *options,
                                      struct jl_answer *answer, struct jl_error *err);

/* logprobs: (n - 1), of each token after the first, given those before it. */
JINLIN_API enum jl_status jl_score(jl_engine *engine, const int32_t *ids, int32_t n,
                                   double *logprobs, struct jl_error *err);

#ifdef __cplusplus
}
#endif

#endif
