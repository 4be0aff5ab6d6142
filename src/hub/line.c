#include "hub/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void hub_line_say(struct hub_line *line, const char *fmt, ...) {
    char text[1200];
    va_list args;
    if (!line->watch.say) return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    line->watch.say(line->watch.ctx, text);
}

static bool cancelled(const struct hub_line *line) {
    return line->cancel && atomic_load(line->cancel);
}

enum jl_status hub_line_wait(struct hub_line *line, int number, const struct hub_response *response,
                             struct jl_error *err) {
    char why[sizeof err->message];
    int64_t ms = (int64_t)line->wait_ms << (number < 7 ? number - 2 : 5);
    if (response->wait_s > HUB_MAX_WAIT_S) {
        snprintf(why, sizeof why, "%s", err->message);
        return jl_fail(err, JL_ERR_IO, "%s; it asks to wait %lld s: try again later", why,
                       (long long)response->wait_s);
    }
    if (response->wait_s * 1000 > ms) ms = response->wait_s * 1000;
    hub_line_say(line, "%s; try %d of %d in %.1f s", err->message, number, HUB_TRIES,
                 (double)ms / 1e3);
    for (; ms > 0 && !cancelled(line); ms -= 100) { // a signal ends a sleep; slices in any case
        struct timespec slice = {0, (ms < 100 ? ms : 100) * 1000000L};
        nanosleep(&slice, NULL);
    }
    if (!cancelled(line)) return JL_OK;
    return jl_fail(err, JL_ERR_CANCELLED, "stopped; the same command goes on from here");
}

/* ---- whole answers ---- */

struct reading {
    struct hub_answer *out;
    size_t cap, limit;
    const char *url;
};

static enum jl_status on_head(void *ctx, const struct hub_response *head, struct jl_error *err) {
    (void)ctx;
    if (head->code == 200) return JL_OK;
    return jl_fail(err, JL_ERR_IO, "%s: sends a part of the answer where all was asked for",
                   head->host);
}

static enum jl_status on_body(void *ctx, const void *data, size_t bytes, struct jl_error *err) {
    struct reading *reading = ctx;
    struct hub_answer *out = reading->out;
    if (bytes > reading->limit - out->size)
        return jl_fail(err, JL_ERR_LIMIT, "%s: the answer is longer than %zu bytes", reading->url,
                       reading->limit);
    if (out->size + bytes + 1 > reading->cap) {
        size_t cap = 2 * (out->size + bytes + 1);
        char *grown = realloc(out->text, cap);
        if (!grown) return jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
        out->text = grown;
        reading->cap = cap;
    }
    memcpy(out->text + out->size, data, bytes);
    out->size += bytes;
    out->text[out->size] = 0;
    return JL_OK;
}

enum jl_status hub_line_read(struct hub_line *line, const struct hub_request *request, size_t limit,
                             struct hub_answer *out, struct jl_error *err) {
    struct reading reading = {out, 0, limit, request->url};
    struct hub_request own = *request;
    *out = (struct hub_answer){0};
    own.on_head = on_head;
    own.on_body = on_body;
    own.ctx = &reading;
    for (int tries = 1;; tries++) {
        out->size = 0;
        enum jl_status status = hub_http_get(line->http, &own, &out->response, err);
        if (status == JL_OK && !out->text) {
            out->text = calloc(1, 1);
            if (!out->text) status = jl_fail(err, JL_ERR_MEMORY, "out of memory for an answer");
        }
        if (status != JL_OK && out->response.again && tries < HUB_TRIES) {
            status = hub_line_wait(line, tries + 1, &out->response, err);
            if (status == JL_OK) continue;
        }
        if (status == JL_OK) return JL_OK;
        free(out->text);
        out->text = NULL;
        return status;
    }
}
