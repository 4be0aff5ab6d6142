/* What the scheduler is made of, for the files that share its work. */
#ifndef JL_SERVE_SCHEDULER_SELF_H
#define JL_SERVE_SCHEDULER_SELF_H

#include <pthread.h>

#include "serve/accounts.h"
#include "serve/scheduler.h"

enum ticket_state { TICKET_WAITS, TICKET_READS, TICKET_ANSWERS, TICKET_OVER };

/* One answer, or the prompt that it begins with. */
struct sequence {
    struct scheduler_ticket *ticket;
    int index;
    struct session *session; // NULL: put aside, or it has not begun
    struct sampler *sampler;
    struct generate_request request; // what `generating` works by
    struct generating *generating;   // NULL: its prompt is still being read, or it is over
    int32_t *ids;                    // (n_id) while it is put aside
    int n_id;
    int32_t next; // chosen in this step
    struct jl_error err;
    enum jl_status status; // of choosing
    bool began, over;
};

struct scheduler_ticket {
    struct scheduler *scheduler;
    struct scheduler_ticket *next; // in the list it is in
    struct scheduler_request request;
    int32_t *ids; // (n_id)
    struct account *account;
    struct sequence *sequences; // (n_answer)
    struct scheduler_progress progress;
    enum ticket_state state;
    int n_over;
    uint64_t number; // in the order of arrival
    atomic_bool cancelled;
    atomic_int n_holder;
};

/* A session whose answer is over, for whoever goes on from there. */
struct resting {
    struct session *session;
    uint64_t owner, used;
};

struct scheduler {
    struct scheduler_options options;
    struct session_set *set;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; // over what follows, up to the next comment
    pthread_cond_t wake;
    struct scheduler_ticket *arrived, **arrived_end;
    struct scan *scans, **scans_end; // the first is the thread's
    int n_scan;
    int64_t n_request, n_refused;
    bool stopping;
    double stop_at;               // when those at work are cancelled
    struct scheduler_stats stats; // as they were last published

    atomic_bool keeps_nothing;
    atomic_int n_outside; // requests that were taken and have not begun

    // the thread's own
    struct scheduler_stats figures;
    struct accounts *accounts;
    struct scheduler_ticket *waiting, *active; // in the order of arrival
    struct sample_scratch **scratch;           // (threads)
    struct sequence **pass;                    // (n_seq): those whose step is made
    struct session **sessions;                 // (n_seq)
    struct resting *resting;                   // (n_resting)
    uint64_t clock;                            // of resting sessions
    float *scan_logits, *scan_hidden;          // of a pass; NULL: not needed yet
    double asked_gone;                         // when clients were last asked
    double step_seconds, rows_a_second;        // about; 0: not known yet
};

/* scheduler.c: others see the figures as they are now */
void scheduler_publish(struct scheduler *s);

/* scheduler_admit.c: what begins, what goes on, what makes room */
void scheduler_admit(struct scheduler *s);
bool scheduler_make_room(struct scheduler *s, const struct sequence *but); // false: nobody can
void scheduler_rest(struct scheduler *s, struct session *session, uint64_t owner);
void scheduler_free_resting(struct scheduler *s);
bool scheduler_forget_resting(struct scheduler *s); // the one that was used longest ago
/* A session for a sequence that has none: its prompt, or all of it that was put aside. */
enum jl_status scheduler_seat(struct scheduler *s, struct sequence *sequence, struct jl_error *err);

/* scheduler_pass.c: one pass, and the step of every answer after it. False: nothing was to do. */
bool scheduler_step(struct scheduler *s);

/* Rows that somebody else may have in a pass now. */
int scheduler_pace(const struct scheduler *s);

/* scheduler_scan.c: a pass of the first text. False: there is none */
bool scheduler_scan_step(struct scheduler *s);
bool scheduler_scan_aside(struct scheduler *s); // gives its pages up, and begins again later
void scheduler_cancel_scans(struct scheduler *s);

/* scheduler_keep.c: resting sessions in their folder; the thread's first and last act */
void scheduler_load_kept(struct scheduler *s);
void scheduler_save_kept(struct scheduler *s);

/* scheduler_ticket.c: from a request to its end */
enum jl_status ticket_create(struct scheduler *s, const struct scheduler_request *request,
                             struct scheduler_ticket **out, struct jl_error *err);
void ticket_release(struct scheduler_ticket *ticket); // one holder less
/* Whether `a` comes before `b`: the higher priority, then who has had less, then the earlier. */
bool ticket_first(const struct scheduler_ticket *a, const struct scheduler_ticket *b);
bool ticket_unwanted(struct scheduler_ticket *ticket, bool ask);
void ticket_tell_progress(struct scheduler_ticket *ticket);
/* The answer is over: status JL_OK, or why not. Its session rests or goes. */
void sequence_end(struct scheduler *s, struct sequence *sequence, enum jl_status status,
                  const char *message);
void ticket_end(struct scheduler *s, struct scheduler_ticket *ticket, enum jl_status status,
                const char *message); // all its answers that are not over
void ticket_close(struct scheduler *s, struct scheduler_ticket *ticket); // of no list any more

#endif
