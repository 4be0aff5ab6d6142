#include "serve/job.h"

#include <stdlib.h>

static void run(struct work *work) {
    struct job *job = (struct job *)work;
    job->answer(job);
    http_request_drop(job->http);
    free(job);
}

bool job_begin(struct workers *workers, struct job *job, struct http_request *http,
               void (*answer)(struct job *job)) {
    job->work = (struct work){.run = run};
    job->http = http;
    job->answer = answer;
    http_request_hold(http);
    if (workers_give(workers, &job->work)) return true;
    http_request_drop(http);
    free(job);
    return false;
}
