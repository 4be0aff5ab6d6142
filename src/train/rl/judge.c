#include "train/rl/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "text/buffer.h"

#define MOST_REPLY 65536 // bytes of a line that is no reward
#define POLL_MS 50       // how often the clock and a wish to stop are looked at
#define GRACE_SECONDS 2  // from the end of its input to its own end

struct judge {
    pid_t pid; // 0: not running
    int fd;    // its standard input and output
    int job;   // the line it has; -1: none
    size_t sent;
    double since; // when it got it
    struct byte_buffer reply;
};

struct judges {
    struct judge_options options;
    char *command;
    struct judge *all; // (options.n)
};

/* One call of judge_ask. */
struct asking {
    struct judges *judges;
    const char *const *lines;
    double *rewards;
    int n, next, done;
    struct jl_error *err;
};

extern char **environ;

/* ---- processes ---- */

/* A socket for both streams, and not a pipe each: a write to a process that has ended is then an
 * error and no signal. */
static enum jl_status start(struct judges *judges, struct judge *judge, struct jl_error *err) {
    posix_spawn_file_actions_t actions;
    char *const words[] = {(char *)"sh", (char *)"-c", judges->command, NULL};
    int ends[2];
    judge->job = -1;
    judge->fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return jl_fail(err, JL_ERR_IO, "a judge cannot be started: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    int failed = posix_spawn(&judge->pid, "/bin/sh", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
        judge->pid = failed ? 0 : judge->pid;
        close(ends[0]);
        return jl_fail(err, JL_ERR_IO, "a judge cannot be started: %s",
                       strerror(failed ? failed : errno));
    }
    judge->fd = ends[0];
    return JL_OK;
}

enum jl_status judge_open(const struct judge_options *options, struct judges **out,
                          struct jl_error *err) {
    struct judges *judges = calloc(1, sizeof *judges);
    *out = judges;
    if (judges) {
        judges->options = *options;
        judges->command = strdup(options->command);
        judges->all = calloc((size_t)options->n, sizeof *judges->all);
    }
    enum jl_status status = judges && judges->command && judges->all
                                ? JL_OK
                                : jl_fail(err, JL_ERR_MEMORY, "out of memory for judges");
    for (int i = 0; i < options->n && status == JL_OK; i++)
        status = start(judges, &judges->all[i], err);
    if (status == JL_OK) return JL_OK;
    judge_close(judges);
    *out = NULL;
    return status;
}

void judge_close(struct judges *judges) {
    if (!judges) return;
    for (int i = 0; judges->all && i < judges->options.n; i++)
        if (judges->all[i].pid && judges->all[i].fd >= 0)
            close(judges->all[i].fd); // its input ends
    double began = clock_seconds();
    for (int i = 0; judges->all && i < judges->options.n; i++) {
        struct judge *judge = &judges->all[i];
        const struct timespec pause = {.tv_nsec = 5000000};
        while (judge->pid && waitpid(judge->pid, NULL, WNOHANG) == 0) {
            if (clock_seconds() - began > GRACE_SECONDS) kill(judge->pid, SIGKILL);
            nanosleep(&pause, NULL);
        }
        buffer_free(&judge->reply);
    }
    free(judges->all);
    free(judges->command);
    free(judges);
}

/* ---- asking ---- */

static enum jl_status fault(const struct asking *a, const struct judge *judge, const char *what) {
    return jl_fail(a->err, JL_ERR_IO, "the judge '%.200s' %s, asked %.300s", a->judges->command,
                   what, a->lines[judge->job]);
}

static enum jl_status ended(const struct asking *a, struct judge *judge) {
    char what[80];
    int status = 0;
    waitpid(judge->pid, &status, 0);
    judge->pid = 0;
    close(judge->fd);
    if (WIFSIGNALED(status))
        snprintf(what, sizeof what, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(what, sizeof what, "ended with %d", WEXITSTATUS(status));
    return fault(a, judge, what);
}

static enum jl_status send_more(const struct asking *a, struct judge *judge) {
    const char *line = a->lines[judge->job];
    size_t len = strlen(line) + 1; // and a newline where its NUL stands
    while (judge->sent < len) {
        bool last = judge->sent == len - 1;
        ssize_t n = send(judge->fd, last ? "\n" : line + judge->sent,
                         last ? 1 : len - 1 - judge->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return JL_OK;
        if (n < 0) return ended(a, judge);
        judge->sent += (size_t)n;
    }
    return JL_OK;
}

static enum jl_status take_reply(struct asking *a, struct judge *judge, const char *text,
                                 size_t len) {
    json_t *root = NULL;
    json_error_t where;
    enum jl_status status = jl_json_load(text, len, 0, &root, &where);
    const json_t *reward = json_object_get(root, "reward");
    double value = json_number_value(reward);
    bool good = status == JL_OK && json_is_number(reward) && isfinite(value);
    json_decref(root);
    if (status == JL_ERR_MEMORY)
        return jl_fail(a->err, JL_ERR_MEMORY, "out of memory for a judge's reply");
    if (!good) return fault(a, judge, "did not say {\"reward\": NUMBER}");
    a->rewards[judge->job] = value;
    a->done++;
    judge->job = -1;
    return JL_OK;
}

static enum jl_status read_more(struct asking *a, struct judge *judge) {
    char bytes[4096];
    ssize_t n = recv(judge->fd, bytes, sizeof bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return JL_OK;
    if (n <= 0) return ended(a, judge);
    if (!buffer_append(&judge->reply, bytes, (size_t)n))
        return jl_fail(a->err, JL_ERR_MEMORY, "out of memory for a judge's reply");
    char *end = memchr(judge->reply.data, '\n', judge->reply.len);
    if (!end)
        return judge->reply.len < MOST_REPLY ? JL_OK
                                             : fault(a, judge, "did not say {\"reward\": NUMBER}");
    size_t len = (size_t)(end - (char *)judge->reply.data);
    if (len + 1 != judge->reply.len) return fault(a, judge, "said more than one line");
    JL_TRY(take_reply(a, judge, (const char *)judge->reply.data, len));
    judge->reply.len = 0;
    return JL_OK;
}

/* Lines to those that have none. */
static enum jl_status hand_out(struct asking *a) {
    for (int i = 0; i < a->judges->options.n && a->next < a->n; i++) {
        struct judge *judge = &a->judges->all[i];
        if (judge->job >= 0) continue;
        char early;
        judge->job = a->next++;
        judge->sent = 0;
        judge->since = clock_seconds();
        if (recv(judge->fd, &early, 1, MSG_PEEK) > 0)
            return fault(a, judge, "said something before it was asked");
        JL_TRY(send_more(a, judge));
    }
    return JL_OK;
}

static enum jl_status turn(struct asking *a, struct pollfd *polls) {
    int n = a->judges->options.n;
    char what[80];
    for (int i = 0; i < n; i++) {
        const struct judge *judge = &a->judges->all[i];
        bool more = judge->job >= 0 && judge->sent < strlen(a->lines[judge->job]) + 1;
        polls[i] = (struct pollfd){.fd = judge->job >= 0 ? judge->fd : -1,
                                   .events = (short)(POLLIN | (more ? POLLOUT : 0))};
    }
    poll(polls, (nfds_t)n, POLL_MS);
    for (int i = 0; i < n; i++) {
        struct judge *judge = &a->judges->all[i];
        if (judge->job < 0) continue;
        if (polls[i].revents & POLLOUT) JL_TRY(send_more(a, judge));
        if (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) JL_TRY(read_more(a, judge));
        if (judge->job < 0 || clock_seconds() - judge->since < a->judges->options.seconds) continue;
        snprintf(what, sizeof what, "took more than %g seconds", a->judges->options.seconds);
        return fault(a, judge, what);
    }
    return JL_OK;
}

enum jl_status judge_ask(struct judges *judges, const char *const *lines, int n, double *rewards,
                         const atomic_bool *cancel, struct jl_error *err) {
    struct asking a = {judges, lines, rewards, n, 0, 0, err};
    struct pollfd *polls = calloc((size_t)judges->options.n, sizeof *polls);
    enum jl_status status = polls ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for judges");
    while (status == JL_OK && a.done < n) {
        status = hand_out(&a);
        if (status == JL_OK) status = turn(&a, polls);
        if (status == JL_OK && cancel && atomic_load(cancel))
            status = jl_fail(err, JL_ERR_CANCELLED, "cancelled while answers were judged");
    }
    free(polls);
    return status;
}
