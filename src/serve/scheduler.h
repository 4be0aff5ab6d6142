/* The scheduler of a model: one thread owns its sessions, and everybody's answers share its passes.
 *
 * A request is a prompt of tokens and up to n answers to it. It waits, its prompt is read in parts
 * between the steps of answers at work, then its answers take a token a pass. Nothing of this can
 * be seen in the tokens: they are those of the request alone, whatever else is going on, however
 * often it had to make room and was read again.
 *
 *     scheduler_create(...)            the thread starts
 *     scheduler_submit(s, &request)    from any thread; calls of the client follow
 *     scheduler_cancel(s, ticket)      from any thread
 *     scheduler_stop(s, seconds)       takes nothing more, gives those at work so long, ends
 *     scheduler_free(s)
 *
 * Who has had least comes first, within a priority; a prompt is read at a pace that keeps the
 * steps of the others short. Where cache pages run out, the last to come makes room. */
#ifndef JL_SERVE_SCHEDULER_H
#define JL_SERVE_SCHEDULER_H

#include "session/generate.h"

struct scheduler;
struct scheduler_ticket;

struct scheduler_options {
    struct exec *exec;                 // the thread's alone, with its model and backend, until
    const struct tokenizer *tokenizer; // scheduler_free; NULL: nobody wants text
    const struct end_tokens *ends;     // what ends an answer; must stay
    struct session_options sessions;   // n_seq: answers that one pass advances at most
    int n_active;                      // answers at work at once; 0: twice n_seq
    int n_waiting;                     // requests that wait to begin; 0: 256
    int n_resting;                     // sessions kept after their answer, for the next turn
    /* Resting sessions are kept in this folder from one scheduler to the next, up to so many bytes
     * of them; NULL: they are not. Must stay. */
    const char *keep_folder;
    size_t keep_bytes;
    void (*note)(void *ctx, const char *text); // what could not be kept or read again; may be NULL
    void *note_ctx;
    float most_pause; // of a step beside a prompt that is read: so many times the
                      // length of a step alone; 0: 2.5
};

/* A token of an answer. `text` as in generate.h: whole characters, len may be 0; id TOKEN_NONE:
 * what was held back. logits: (n_vocab) that it was chosen from, during the call; NULL with
 * TOKEN_NONE. */
struct scheduler_token {
    int answer; // which of the request's, from 0
    int32_t id;
    const char *text;
    size_t len;
    const float *logits;
    struct sample_scratch *scratch; // for sample_logprobs, during the call
};

/* How an answer ended. */
struct scheduler_end {
    int answer;
    enum jl_status status;         // not JL_OK: why is in message; JL_ERR_CANCELLED: it was
    const char *message;           // stopped from outside
    struct generate_result result; // n_token: with what was shown before a failure
};

/* What has been read of the prompt. */
struct scheduler_progress {
    int n_prompt, n_cached, n_read; // n_cached: tokens that needed no reading; n_read: with them
    int n_before;                   // requests that come first, while it waits
};

/* Called on the scheduler's thread, which waits meanwhile: they must be short, and must not call
 * the scheduler. All but `closed` may be NULL. */
struct scheduler_client {
    void (*progress)(void *ctx, const struct scheduler_progress *progress); // waiting, reading
    /* False: this answer is enough. */
    bool (*token)(void *ctx, const struct scheduler_token *token);
    /* The token that ended an answer, which is not part of it: no text. */
    void (*end_token)(void *ctx, const struct scheduler_token *token);
    void (*ended)(void *ctx, const struct scheduler_end *end); // once an answer
    bool (*gone)(void *ctx); // asked now and then: does nobody wait any more?
    bool (*show)(void *ctx, const char *text, size_t len); // as in generate.h
    /* Which tokens may come next in an answer (sampler_allow): the client's, until it is asked
     * again; NULL: all. Not JL_OK: the answer ends with that. */
    enum jl_status (*allow)(void *ctx, int answer, const uint64_t **allowed, struct jl_error *err);
    void (*closed)(void *ctx); // the last call: nothing of the request is used after it
    void *ctx;
};

struct scheduler_request {
    const int32_t *ids; // (n_id) the prompt; copied
    int n_id;
    int n_answer;                       // 1 and more
    int n_max;                          // tokens of each; 0: as many as the context holds
    const struct sample_params *params; // used during the call
    uint64_t seed;                      // answer i draws as its i-th sequence
    const struct pattern_text *stop;    // (n_stop); must stay until closed
    size_t n_stop;
    bool at_start;  // as in generate.h
    uint64_t owner; // whose it is: prefixes are shared within an owner, turns taken between them
    int priority;   // larger comes first
    struct scheduler_client client;
};

enum jl_status scheduler_create(const struct scheduler_options *options, struct scheduler **out,
                                struct jl_error *err);

/* JL_ERR_LIMIT: too long for the context, both numbers in the message; JL_ERR_USAGE: empty, or a
 * setting that cannot be; JL_ERR_BUSY: as many wait already as may, or it is stopping. After
 * JL_OK the client is called until `closed`, which may come before this returns. *ticket, where
 * wanted, is the caller's to drop. */
enum jl_status scheduler_submit(struct scheduler *scheduler,
                                const struct scheduler_request *request,
                                struct scheduler_ticket **ticket, struct jl_error *err);
void scheduler_cancel(struct scheduler_ticket *ticket); // its answers end at the next pass
void scheduler_drop(struct scheduler_ticket *ticket);   // NULL is fine

/* Rows of a text that was read for its own sake: positions first .. first+n-1. */
struct scheduler_rows {
    int first, n;
    const float *logits; // (n, n_vocab), after each position; NULL: not wanted
    const float *hidden; // (n, n_embd), after the output norm; NULL: not wanted
    struct sample_scratch *scratch;
};
struct scheduler_scan {
    const int32_t *ids; // (n); must stay until closed
    int n;
    bool want_logits, want_hidden;
    /* On the scheduler's thread; from 0 on once more where it made room for answers. False: out of
     * memory, it ends. */
    bool (*rows)(void *ctx, const struct scheduler_rows *rows);
    bool (*gone)(void *ctx); // as a client's; may be NULL
    void (*closed)(void *ctx, enum jl_status status, const char *message); // the last call
    void *ctx;
};
/* Read one after the other, a pass between those of the answers. Errors as of scheduler_submit. */
enum jl_status scheduler_scan(struct scheduler *scheduler, const struct scheduler_scan *scan,
                              struct jl_error *err);

void scheduler_keep_nothing(struct scheduler *scheduler); // at its end, whatever its options say
int scheduler_n_ctx(const struct scheduler *scheduler);   // most tokens of a prompt and its answer

/* Takes no more requests; those that wait or work have so many seconds to end, then they are
 * cancelled. Returns when the thread has ended. */
void scheduler_stop(struct scheduler *scheduler, double seconds);
void scheduler_free(struct scheduler *scheduler); // stops it at once; NULL is fine

struct scheduler_stats {
    int n_waiting, n_reading, n_answering, n_resting; // requests; answers; sessions kept
    int64_t n_request, n_refused, n_cancelled, n_failed;
    int64_t n_prompt_token, n_cached_token, n_answer_token; // so far
    int64_t n_pass, n_made_room;                            // n_made_room: answers put aside
    int n_page, n_page_free;                                // of keys and values
    size_t cache_bytes;                                     // when every page is used
    double step_seconds;                                    // of a pass without a prompt, about
};
void scheduler_stats(struct scheduler *scheduler, struct scheduler_stats *out);

#endif
