/* What an exchange is made of, for the files that share its work. */
#ifndef JL_SERVE_OPENAI_EXCHANGE_SELF_H
#define JL_SERVE_OPENAI_EXCHANGE_SELF_H

#include <pthread.h>

#include "serve/openai/exchange.h"
#include "serve/reply.h"
#include "serve/scoring.h"
#include "text/buffer.h"

struct exchange_call {
    char *name;
    char id[80];
    struct byte_buffer arguments;
};

/* One of the answers. What a stream has sent is not kept. */
struct exchange_choice {
    struct exchange *x;
    int index;
    struct reply *reply;
    struct byte_buffer content, reasoning;
    struct exchange_call *calls; // (n_call)
    int n_call;
    json_t *logprobs;      // entries of tokens; NULL: nobody wants them, or all are sent
    struct id_buffer ids;  // for a client that wants them
    struct id_buffer said; // all, of a chat's first answer
    int n_token;
    size_t text_offset; // of a completion's logprobs
    const char *finish; // NULL: not yet
    bool begun;         // the stream has its first chunk
};

/* A prompt, which is one request to the scheduler. */
struct exchange_part {
    struct exchange *x;
    int index;
    struct token_ids ids;
    struct scheduler_ticket *ticket;
    int n_cached, n_read;
    struct scoring scoring; // of a prompt that is shown with its log-probabilities
};

struct exchange {
    struct work work;
    struct serving *serving;
    struct serving_client client;
    struct http_request *http; // NULL: `sink` takes the answer, and the body is `body`
    struct openai_sink sink;
    char *body;
    struct served *served;
    struct openai_request asked;
    struct dialect_start start; // of a chat's answers
    struct constraint *constraint;
    char id[96];
    char relaxed[256]; // names of tools whose schemas were not followed in all
    int64_t created;
    struct exchange_part *parts; // (n_part)
    int n_part;
    struct exchange_choice *choices; // (n_choice): n of the first part, then of the second ...
    int n_choice;

    pthread_mutex_t lock; // over what follows, and all of the choices
    int n_open;           // parts that are not closed, and the worker that submits them
    struct sample_params params;
    int64_t n_entry; // of log-probabilities that are held
    bool streaming;  // the stream has begun
    bool cut;        // nobody can be told any more
    struct openai_problem problem;
};

/* Nobody waits for the answer any more. */
bool exchange_gone(const struct exchange *x);

/* exchange.c: one that could end it less; the last one gives it to a worker */
void exchange_leave(struct exchange *x);

/* exchange_read.c: its way to the scheduler */
void exchange_read(struct work *work);

/* exchange_form.c: x->constraint, where the answer may not be anything */
bool exchange_constrain(struct exchange *x);

/* exchange_client.c */
struct scheduler_client exchange_client(struct exchange_part *part);
bool exchange_piece(void *ctx, int answer, const struct dialect_event *event); // of a reply

/* What an answer tells in headers. */
#define EXCHANGE_HEADERS 2
size_t exchange_headers(const struct exchange *x, struct http_header out[EXCHANGE_HEADERS]);

/* exchange_stream.c: pieces as they come; under the lock */
void exchange_stream_begin(struct exchange *x);
void exchange_stream_open(struct exchange_choice *choice); // its first chunk
bool exchange_stream_piece(struct exchange_choice *choice, const struct dialect_event *event);
void exchange_stream_finish(struct exchange_choice *choice); // with its finish reason
void exchange_stream_end(struct exchange *x);                // usage, and the last line

/* exchange_whole.c */
bool exchange_keep_piece(struct exchange_choice *choice, const struct dialect_event *event);
json_t *exchange_whole(struct exchange *x);
json_t *exchange_usage(const struct exchange *x);
/* A token's entry among the log-probabilities; NULL: out of memory. */
json_t *exchange_logprob(struct exchange_choice *choice, const struct scheduler_token *token);
/* Entries of a prompt's own tokens, the first without a value; to the choice. */
bool exchange_prompt_logprobs(struct exchange_choice *choice);
/* Entries in the form of the request's kind, taken from the choice; null where there are none. */
json_t *exchange_take_logprobs(struct exchange_choice *choice);
json_t *exchange_take_ids(struct exchange_choice *choice);
/* The id under which clients answer a call. */
void exchange_call_id(const struct exchange_choice *choice, const struct dialect_event *event,
                      char *out, size_t size);

#endif
