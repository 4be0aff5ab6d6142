#include "serve/workers.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct work *first, **end;
    int n, most;
    bool stopping;
    pthread_t *threads;
    int n_thread;
};

static void *run(void *ctx) {
    struct workers *w = ctx;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->stopping)
            pthread_cond_wait(&w->wake, &w->lock);
        struct work *work = w->first;
        if (!work) break;
        w->first = work->next;
        if (!w->first) w->end = &w->first;
        w->n--;
        pthread_mutex_unlock(&w->lock);
        work->run(work);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum jl_status workers_create(int n_thread, int n_waiting, struct workers **out,
                              struct jl_error *err) {
    struct workers *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return jl_fail(err, JL_ERR_MEMORY, "out of memory for workers");
    w->most = n_waiting;
    w->end = &w->first;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->threads = calloc((size_t)n_thread, sizeof *w->threads);
    for (; w->threads && w->n_thread < n_thread; w->n_thread++)
        if (pthread_create(&w->threads[w->n_thread], NULL, run, w)) break;
    if (w->n_thread == 0) {
        workers_free(w);
        return jl_fail(err, JL_ERR_LIMIT, "no thread for requests");
    }
    *out = w;
    return JL_OK;
}

/* Under the lock. */
static void append(struct workers *w, struct work *work) {
    work->next = NULL;
    *w->end = work;
    w->end = &work->next;
    w->n++;
    pthread_cond_signal(&w->wake);
}

bool workers_give(struct workers *w, struct work *work) {
    pthread_mutex_lock(&w->lock);
    bool room = w->n < w->most && !w->stopping;
    if (room) append(w, work);
    pthread_mutex_unlock(&w->lock);
    return room;
}

void workers_must(struct workers *w, struct work *work) {
    pthread_mutex_lock(&w->lock);
    append(w, work);
    pthread_mutex_unlock(&w->lock);
}

void workers_free(struct workers *w) {
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < w->n_thread; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w);
}
