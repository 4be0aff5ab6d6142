/* A request that a worker answers as a whole: it may wait for a disk, or compute a while. */
#ifndef JL_SERVE_JOB_H
#define JL_SERVE_JOB_H

#include "serve/http/server.h"
#include "serve/workers.h"

/* The first field of what the room keeps of one, all of it on the heap. */
struct job {
    struct work work;
    struct http_request *http;       // held until the job is over
    void (*answer)(struct job *job); // on a worker: replies, and frees what lies beyond the job
};

/* Takes the job. False: too many wait, the job is freed, and the request is the caller's to answer.
 */
bool job_begin(struct workers *workers, struct job *job, struct http_request *http,
               void (*answer)(struct job *job));

#endif
