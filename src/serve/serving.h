/* What the routes share: the models that are served, and the threads that prepare requests. */
#ifndef JL_SERVE_SERVING_H
#define JL_SERVE_SERVING_H

#include <jansson.h>

#include "serve/http/server.h"
#include "serve/served.h"
#include "serve/workers.h"

struct serving;

struct serving_options {
    int n_worker; // 0: 2
    int n_job;    // that wait for one; 0: 1024
    /* Other names of the first model; must stay. */
    const char *const *aliases; // (n_alias)
    size_t n_alias;
    int most_n; // answers to one request at most; 0: 16
    /* What was asked and answered, a line of JSON a request, by one thread at a time; NULL: nobody
     * wants it. */
    void (*words)(void *ctx, const char *line, size_t len);
    void *words_ctx;
};
enum jl_status serving_create(const struct serving_options *options, struct serving **out,
                              struct jl_error *err);
/* Requests end, and with them what they hold: to be called when the HTTP server has stopped. Models
 * are given `seconds` to end what they work at. NULL is fine. */
void serving_free(struct serving *serving, double seconds);

/* The model takes the place of one with its id, or is one more. What works with the old one goes on
 * with it; of what it has read nothing is kept. */
enum jl_status serving_put(struct serving *serving, struct served *served, struct jl_error *err);
/* Models that were replaced and that nobody works with any more end here: to be called now and
 * then, by a thread that can wait. */
void serving_reap(struct serving *serving);
/* Held for the caller: NULL where there is none of that id; the first one for NULL, "" and
 * "default". */
struct served *serving_find(struct serving *serving, const char *id);
/* The i-th, held for the caller; NULL: no more. */
struct served *serving_at(struct serving *serving, size_t i);

struct workers *serving_workers(struct serving *serving);
const struct serving_options *serving_options(const struct serving *serving);
/* Who asks. */
struct serving_client {
    uint64_t owner;             // by the name of its key: to whom sessions, prefixes, chats belong
    unsigned tokens_per_minute; // 0: no limit
    unsigned at_once;           // answers; 0: no limit
    char id[80];                // of the request
    char name[64];              // of its key; "": nobody is asked for one
};
struct serving_client serving_client_of(const struct http_request *request);

/* {"id", "key", "asked": the body, "answered"}; takes neither. Nothing where nobody wants it. */
void serving_tell_words(struct serving *serving, const struct serving_client *client,
                        const json_t *asked, const json_t *answered);

/* The tokens-per-minute of the client's key: 0 and it may begin, or the seconds until it may. What
 * a request has used is taken afterwards, so that the last one may go below nothing. */
int serving_wait_tokens(struct serving *serving, const struct serving_client *client);
void serving_use_tokens(struct serving *serving, const struct serving_client *client, int64_t n);

#endif
