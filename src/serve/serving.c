#include "serve/serving.h"

#include <pthread.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { MOST_MODELS = 64, MOST_RETIRED = 256 };

struct serving {
    struct serving_options options;
    struct workers *workers;
    pthread_mutex_t lock;
    struct served *models[MOST_MODELS];
    size_t n_model;
    struct served *retired[MOST_RETIRED]; // replaced: somebody may still work with them
    size_t n_retired;
    struct purse *purses; // (n_purse) of owners that have a limit
    size_t n_purse;
};

/* A minute's tokens of an owner, which fill evenly. */
struct purse {
    uint64_t owner;
    double left, at; // tokens at that time, below 0 after a request that took more
};

enum jl_status serving_create(const struct serving_options *options, struct serving **out,
                              struct jl_error *err) {
    struct serving *serving = calloc(1, sizeof *serving);
    *out = NULL;
    if (!serving) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a server");
    serving->options = *options;
    struct serving_options *o = &serving->options;
    if (o->n_worker < 1) o->n_worker = 2;
    if (o->n_job < 1) o->n_job = 1024;
    if (o->most_n < 1) o->most_n = 16;
    pthread_mutex_init(&serving->lock, NULL);
    enum jl_status status = workers_create(o->n_worker, o->n_job, &serving->workers, err);
    if (status != JL_OK) {
        serving_free(serving, 0);
        return status;
    }
    *out = serving;
    return JL_OK;
}

void serving_free(struct serving *serving, double seconds) {
    if (!serving) return;
    for (size_t i = 0; i < serving->n_model; i++)
        scheduler_stop(served_scheduler(serving->models[i]), seconds);
    for (size_t i = 0; i < serving->n_retired; i++)
        scheduler_stop(served_scheduler(serving->retired[i]), 0);
    workers_free(serving->workers); // the last of what those told them
    for (size_t i = 0; i < serving->n_model; i++)
        served_drop(serving->models[i]);
    for (size_t i = 0; i < serving->n_retired; i++)
        served_drop(serving->retired[i]);
    pthread_mutex_destroy(&serving->lock);
    free(serving->purses);
    free(serving);
}

enum jl_status serving_put(struct serving *serving, struct served *served, struct jl_error *err) {
    struct served *old = NULL;
    size_t i = 0;
    serving_reap(serving);
    pthread_mutex_lock(&serving->lock);
    const char *id = served_parts(served)->id;
    while (i < serving->n_model && strcmp(served_parts(serving->models[i])->id, id) != 0)
        i++;
    bool fits = i < MOST_MODELS && serving->n_retired < MOST_RETIRED;
    if (fits && i < serving->n_model) old = serving->models[i];
    if (old) serving->retired[serving->n_retired++] = old;
    if (fits) serving->models[i] = served;
    if (fits && i == serving->n_model) serving->n_model++;
    pthread_mutex_unlock(&serving->lock);
    if (old) scheduler_keep_nothing(served_scheduler(old)); // the folder is the new one's
    return fits ? JL_OK
                : jl_fail(err, JL_ERR_LIMIT, "%d models are served at most, and %d replaced ones",
                          MOST_MODELS, MOST_RETIRED);
}

void serving_reap(struct serving *serving) {
    for (;;) {
        struct served *idle = NULL;
        pthread_mutex_lock(&serving->lock);
        for (size_t i = 0; i < serving->n_retired && !idle; i++)
            if (served_is_alone(serving->retired[i])) {
                idle = serving->retired[i];
                serving->retired[i] = serving->retired[--serving->n_retired];
            }
        pthread_mutex_unlock(&serving->lock);
        if (!idle) return;
        served_drop(idle);
    }
}

struct served *serving_find(struct serving *serving, const char *id) {
    struct served *found = NULL;
    bool any = !id || !*id || !strcmp(id, "default");
    for (size_t i = 0; !any && i < serving->options.n_alias; i++)
        any = !strcmp(id, serving->options.aliases[i]);
    pthread_mutex_lock(&serving->lock);
    for (size_t i = 0; i < serving->n_model && !found; i++)
        if (any || !strcmp(served_parts(serving->models[i])->id, id))
            found = served_hold(serving->models[i]);
    pthread_mutex_unlock(&serving->lock);
    return found;
}

struct served *serving_at(struct serving *serving, size_t i) {
    pthread_mutex_lock(&serving->lock);
    struct served *found = i < serving->n_model ? served_hold(serving->models[i]) : NULL;
    pthread_mutex_unlock(&serving->lock);
    return found;
}

struct workers *serving_workers(struct serving *serving) {
    return serving->workers;
}

const struct serving_options *serving_options(const struct serving *serving) {
    return &serving->options;
}

/* Of a key's name; one whose name is not asked for has owner 0. */
static uint64_t owner_of(const char *name) {
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint64_t owner;
    SHA2_CTX sha;
    if (!name) return 0;
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)name, strlen(name));
    SHA256Final(hash, &sha);
    memcpy(&owner, hash, sizeof owner);
    return owner;
}

struct serving_client serving_client_of(const struct http_request *request) {
    const struct http_client client = http_request_client(request);
    struct serving_client out = {.owner = owner_of(client.name),
                                 .tokens_per_minute = client.tokens_per_minute,
                                 .at_once = client.at_once};
    snprintf(out.id, sizeof out.id, "%s", http_request_id(request));
    snprintf(out.name, sizeof out.name, "%s", client.name ? client.name : "");
    return out;
}

/* ---- tokens a minute ---- */

/* Under the lock, filled up to now; NULL: out of memory, and then nobody is held up. */
static struct purse *find_purse(struct serving *serving, uint64_t owner, double per_minute) {
    double now = clock_seconds();
    size_t i = 0;
    while (i < serving->n_purse && serving->purses[i].owner != owner)
        i++;
    if (i == serving->n_purse) {
        struct purse *grown = realloc(serving->purses, (i + 1) * sizeof *grown);
        if (!grown) return NULL;
        serving->purses = grown;
        grown[i] = (struct purse){owner, per_minute, now};
        serving->n_purse++;
    }
    struct purse *purse = &serving->purses[i];
    purse->left += (now - purse->at) * per_minute / 60;
    if (purse->left > per_minute) purse->left = per_minute;
    purse->at = now;
    return purse;
}

int serving_wait_tokens(struct serving *serving, const struct serving_client *client) {
    double per_minute = client->tokens_per_minute;
    int seconds = 0;
    if (per_minute <= 0) return 0;
    pthread_mutex_lock(&serving->lock);
    const struct purse *purse = find_purse(serving, client->owner, per_minute);
    if (purse && purse->left <= 0) seconds = (int)(-purse->left * 60 / per_minute) + 1;
    pthread_mutex_unlock(&serving->lock);
    return seconds;
}

void serving_use_tokens(struct serving *serving, const struct serving_client *client, int64_t n) {
    double per_minute = client->tokens_per_minute;
    if (per_minute <= 0) return;
    pthread_mutex_lock(&serving->lock);
    struct purse *purse = find_purse(serving, client->owner, per_minute);
    if (purse) purse->left -= (double)n;
    pthread_mutex_unlock(&serving->lock);
}

/* ---- words ---- */

void serving_tell_words(struct serving *serving, const struct serving_client *client,
                        const json_t *asked, const json_t *answered) {
    const struct serving_options *o = &serving->options;
    if (!o->words) return;
    json_t *line = json_pack("{s:s, s:o, s:O, s:O}", "id", client->id, "key",
                             *client->name ? json_string(client->name) : json_null(), "asked",
                             asked, "answered", answered);
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    pthread_mutex_lock(&serving->lock);
    if (text) o->words(o->words_ctx, text, strlen(text));
    pthread_mutex_unlock(&serving->lock);
    free(text);
    json_decref(line);
}
