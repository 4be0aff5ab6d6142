#include "hub/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "hub/url.h"

#define MAX_HOPS 10
#define CONNECT_SECONDS 20L
#define DRAIN_BYTES 65536 // of the body of a refusal: read so far, the connection can be kept

struct hub_http {
    CURL *curl;
    struct hub_http_options options;
    char message[CURL_ERROR_SIZE];
    /* of the transfer under way */
    const struct hub_request *request;
    struct hub_response *response;
    bool head_given;
    int64_t drained;
    enum jl_status status; // of the callbacks
    struct jl_error error;
};

enum jl_status hub_http_start(struct jl_error *err) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return JL_OK;
    return jl_fail(err, JL_ERR_MEMORY, "libcurl does not start");
}

void hub_http_stop(void) { curl_global_cleanup(); }

void hub_http_free(struct hub_http *http) {
    if (!http) return;
    if (http->curl) curl_easy_cleanup(http->curl);
    free(http);
}

/* ---- headers ---- */

static void copy_text(char *out, size_t size, const char *text, size_t len) {
    if (len >= size) len = size - 1;
    memcpy(out, text, len);
    out[len] = 0;
}

/* Digits alone, below 2^62; -1 for anything else. */
static int64_t read_number(const char *text, size_t len) {
    int64_t value = 0;
    if (len == 0 || len > 18) return -1;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* "bytes 10-99/100"; the total may be '*'. */
static void read_range(const char *text, struct hub_response *out) {
    if (strncasecmp(text, "bytes ", 6)) return;
    text += 6;
    size_t first = strcspn(text, "-");
    const char *slash = strchr(text, '/');
    out->range_start = read_number(text, first);
    if (slash) out->range_total = read_number(slash + 1, strlen(slash + 1));
}

static void reset_hop(struct hub_response *out) {
    out->code = 0;
    out->length = out->range_start = out->range_total = -1;
    out->type[0] = out->encoding[0] = out->etag[0] = out->modified[0] = out->link[0] = 0;
}

#define TEXT(field) field, sizeof field

static void take_header(struct hub_response *out, const char *name, size_t name_len,
                        const char *value, size_t len) {
    char number[64];
    const struct {
        const char *name;
        char *text;
        size_t size;
    } fields[] = {
        {"content-type", TEXT(out->type)},
        {"content-encoding", TEXT(out->encoding)},
        {"etag", TEXT(out->etag)},
        {"last-modified", TEXT(out->modified)},
        {"link", TEXT(out->link)},
        {"x-linked-etag", TEXT(out->linked_etag)},
        {"x-repo-commit", TEXT(out->commit)},
        {"x-error-code", TEXT(out->error_code)},
        {"x-error-message", TEXT(out->error_message)},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i].name) == name_len && !strncasecmp(fields[i].name, name, name_len))
            copy_text(fields[i].text, fields[i].size, value, len);
    if (name_len == 14 && !strncasecmp(name, "content-length", 14))
        out->length = read_number(value, len);
    if (name_len == 13 && !strncasecmp(name, "content-range", 13)) {
        copy_text(number, sizeof number, value, len);
        read_range(number, out);
    }
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx) {
    struct hub_http *http = ctx;
    (void)one;
    if (len >= 5 && !strncasecmp(line, "HTTP/", 5)) { // also after a 1xx
        reset_hop(http->response);
        return len;
    }
    const char *colon = memchr(line, ':', len);
    if (!colon) return len;
    const char *value = colon + 1, *end = line + len;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    take_header(http->response, line, (size_t)(colon - line), value, (size_t)(end - value));
    return len;
}

/* ---- body ---- */

static bool is_content(long code) { return code == 200 || code == 206; }

/* Once, before the first byte of the body or at its end. */
static enum jl_status give_head(struct hub_http *http) {
    if (http->head_given) return http->status;
    http->head_given = true;
    curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &http->response->code);
    if (is_content(http->response->code))
        http->status = http->request->on_head(http->request->ctx, http->response, &http->error);
    return http->status;
}

static size_t on_body(char *data, size_t one, size_t len, void *ctx) {
    struct hub_http *http = ctx;
    (void)one;
    if (give_head(http) != JL_OK) return 0;
    if (!is_content(http->response->code)) {
        http->drained += (int64_t)len;
        return http->drained > DRAIN_BYTES ? 0 : len;
    }
    http->status = http->request->on_body(http->request->ctx, data, len, &http->error);
    return http->status == JL_OK ? len : 0;
}

static int on_progress(void *ctx, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal,
                       curl_off_t ulnow) {
    const struct hub_http *http = ctx;
    (void)dltotal, (void)dlnow, (void)ultotal, (void)ulnow;
    return http->options.cancel && atomic_load(http->options.cancel);
}

/* ---- one client ---- */

enum jl_status hub_http_create(const struct hub_http_options *options, struct hub_http **out,
                               struct jl_error *err) {
    *out = NULL;
    struct hub_http *http = calloc(1, sizeof *http);
    if (http) http->curl = curl_easy_init();
    if (!http || !http->curl) {
        hub_http_free(http);
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a connection");
    }
    http->options = *options;
    CURL *curl = http->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "jinlin/" JINLIN_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->message);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)options->stall_s);
    if (options->ca_file) curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
    *out = http;
    return JL_OK;
}

/* ---- a request ---- */

/* Appends a line; false, and the list is gone, without memory. */
static bool add_line(struct curl_slist **list, const char *line) {
    struct curl_slist *grown = line ? curl_slist_append(*list, line) : NULL;
    if (!grown) curl_slist_free_all(*list);
    *list = grown;
    return grown;
}

static bool make_lines(const struct hub_request *request, bool with_token, struct arena *arena,
                       struct curl_slist **out) {
    *out = NULL;
    bool ok = add_line(out, request->compressed ? "Accept: application/json"
                                                : "Accept-Encoding: identity");
    if (ok && with_token)
        ok = add_line(out, hub_text(arena, "Authorization: Bearer %s", request->token));
    if (ok && with_token && request->token_is_cookie)
        ok = add_line(out, hub_text(arena, "Cookie: m_session_id=%s", request->token));
    if (ok && request->from > 0)
        ok = add_line(out, hub_text(arena, "Range: bytes=%lld-", (long long)request->from));
    if (ok && request->from > 0 && request->if_range)
        ok = add_line(out, hub_text(arena, "If-Range: %s", request->if_range));
    return ok;
}

static bool passes(CURLcode code) {
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WEIRD_SERVER_REPLY: return false;
    default: return true;
    }
}

static enum jl_status explain(struct hub_http *http, CURLcode code, struct jl_error *err) {
    struct hub_response *out = http->response;
    if (http->status != JL_OK) {
        *err = http->error;
        return http->status;
    }
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return jl_fail(err, JL_ERR_CANCELLED, "stopped; the same command goes on from here");
    out->again = passes(code);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return jl_fail(err, JL_ERR_IO, "%s: no answer in time (%s)", out->host,
                       http->message[0] ? http->message : curl_easy_strerror(code));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return jl_fail(err, JL_ERR_IO,
                       "%s: its certificate is not trusted (%s); are the system's CA certificates "
                       "installed, or does a proxy answer in its place?",
                       out->host, http->message);
    return jl_fail(err, JL_ERR_IO, "%s: the connection failed (%s)", out->host,
                   http->message[0] ? http->message : curl_easy_strerror(code));
}

/* One hop. *location: where a redirect leads, in the arena; NULL: this was the last hop. */
static enum jl_status hop(struct hub_http *http, const char *url, bool with_token,
                          struct arena *arena, const char **location, struct jl_error *err) {
    CURL *curl = http->curl;
    struct curl_slist *lines;
    const char *to = NULL;
    curl_off_t wait = 0;
    *location = NULL;
    if (!make_lines(http->request, with_token, arena, &lines))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a request");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, http->request->compressed ? "" : NULL);
    http->message[0] = 0;
    http->head_given = false;
    http->drained = 0;
    http->status = JL_OK;
    reset_hop(http->response);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(lines);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &http->response->code);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait);
    http->response->wait_s = wait;
    long answer = http->response->code;
    bool refused = answer >= 300 && !is_content(answer);
    if (code == CURLE_OK && is_content(answer)) give_head(http); // an empty body
    if (http->status != JL_OK || (code != CURLE_OK && !refused) ||
        code == CURLE_ABORTED_BY_CALLBACK)
        return explain(http, code, err);
    bool moved = answer == 301 || answer == 302 || answer == 303 || answer == 307 || answer == 308;
    if (moved) curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &to);
    if (to && !(*location = arena_strdup(arena, to)))
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for a redirect");
    if (moved && !to)
        return jl_fail(err, JL_ERR_IO, "%s: a redirect (HTTP %ld) without an address",
                       http->response->host, answer);
    return JL_OK;
}

static enum jl_status follow(struct hub_http *http, struct arena *arena, struct jl_error *err) {
    struct hub_response *out = http->response;
    struct hub_url first, here;
    const char *url = http->request->url, *next;
    bool secure = false;
    for (int hops = 0;; hops++) {
        JL_TRY(hub_url_parse(url, hops ? "the target of a redirect" : url, arena, &here, err));
        if (hops == 0) first = here;
        if (secure && !here.secure)
            return jl_fail(err, JL_ERR_IO,
                           "%s: redirects from https to http (%s), which anybody could change; "
                           "refused",
                           out->host, here.host);
        secure = here.secure;
        copy_text(out->host, sizeof out->host, here.host, strlen(here.host));
        bool with_token = http->request->token && hub_url_same_origin(&first, &here);
        JL_TRY(hop(http, url, with_token, arena, &next, err));
        if (!next) break;
        if (hops == MAX_HOPS)
            return jl_fail(err, JL_ERR_IO, "%s: more than %d redirects in a row", first.host,
                           MAX_HOPS);
        url = next;
    }
    if (is_content(out->code)) return JL_OK;
    out->again = out->code == 408 || out->code == 429 || out->code == 500 || out->code == 502 ||
                 out->code == 503 || out->code == 504;
    return jl_fail(err, JL_ERR_IO, "%s: answers HTTP %ld%s%s", out->host, out->code,
                   out->error_message[0] ? ": " : "", out->error_message);
}

enum jl_status hub_http_get(struct hub_http *http, const struct hub_request *request,
                            struct hub_response *out, struct jl_error *err) {
    struct arena arena = {.block_size = 4096};
    struct jl_error local;
    *out = (struct hub_response){.length = -1, .range_start = -1, .range_total = -1};
    http->request = request;
    http->response = out;
    enum jl_status status = follow(http, &arena, err ? err : &local);
    arena_free(&arena);
    return status;
}
