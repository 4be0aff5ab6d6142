#include "serve/page.h"

#include <stdbool.h>
#include <string.h>

#include "serve/page_assets.h"

/* Nothing but the server's own files is run, shown or asked, and no other page may frame it. */
#define POLICY                                                                                     \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src "  \
    "'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static const char absent[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Jinlin</title>"
    "<h1>Jinlin \xE9\x87\x91\xE9\xB3\x9E</h1><p>The server runs, and its API is below "
    "<code>/v1</code>. This program was built without the page: <code>make web</code> builds it "
    "with Node 22 from npm, and <code>make</code> then puts it into the program.</p>"
    "<p>"
    "\xE6\x9C\x8D\xE5\x8A\xA1\xE5\x99\xA8\xE5\xB7\xB2\xE5\x9C\xA8\xE8\xBF\x90\xE8\xA1\x8C\xEF\xBC"
    "\x8C\xE6\x8E\xA5\xE5\x8F\xA3\xE5\x9C\xA8 <code>/v1</code> "
    "\xE4\xB8\x8B\xE3\x80\x82\xE7\xBD\x91\xE9\xA1\xB5\xE8\xBF\x98\xE6\xB2\xA1\xE6\x9C\x89\xE6\x9E"
    "\x84"
    "\xE5\xBB\xBA\xEF\xBC\x9A\xE8\xAF\xB7\xE8\xBF\x90\xE8\xA1\x8C <code>make web</code> "
    "\xE5\x92\x8C "
    "<code>make</code>\xE3\x80\x82</p>";

static void reply(struct http_request *http, int status, const char *type, const char *etag,
                  bool fixed, const char *encoding, const char *body, size_t len) {
    const struct http_header headers[] = {
        {"content-security-policy", POLICY},
        {"referrer-policy", "no-referrer"},
        {"cross-origin-opener-policy", "same-origin"},
        {"cache-control", fixed ? "public, max-age=31536000, immutable" : "no-cache"},
        {"vary", "accept-encoding"},
        {"etag", etag},
        {"content-encoding", encoding},
    };
    size_t n = sizeof headers / sizeof headers[0] - (encoding ? 0 : 1);
    http_reply(http, &(struct http_reply){.status = status,
                                          .type = type,
                                          .body = body,
                                          .len = len,
                                          .headers = headers,
                                          .n_headers = n});
}

static void send(struct http_request *http, const struct page_asset *asset, bool fixed) {
    const char *known = http_request_header(http, "if-none-match");
    const char *takes = http_request_header(http, "accept-encoding");
    if (known && strstr(known, asset->etag))
        reply(http, 304, asset->type, asset->etag, fixed, NULL, "", 0);
    else if (takes && strstr(takes, "gzip"))
        reply(http, 200, asset->type, asset->etag, fixed, "gzip", asset->packed, asset->n_packed);
    else
        reply(http, 200, asset->type, asset->etag, fixed, NULL, asset->plain, asset->n_plain);
}

static const struct page_asset *find(const char *path) {
    for (size_t i = 0; i < page_n_asset; i++)
        if (!strcmp(page_assets[i].path, path)) return &page_assets[i];
    return NULL;
}

static void on_index(void *ctx, struct http_request *http) {
    const struct page_asset *index = find("/index.html");
    (void)ctx;
    if (index)
        send(http, index, false);
    else
        reply(http, 200, "text/html; charset=utf-8", "\"absent\"", false, NULL, absent,
              sizeof absent - 1);
}

/* Names below /assets/ have a hash of what is in them. */
static void on_file(void *ctx, struct http_request *http) {
    const char *path = http_request_path(http);
    const struct page_asset *asset = find(path);
    (void)ctx;
    if (asset)
        send(http, asset, !strncmp(path, "/assets/", 8));
    else
        http_reply_error(http, 404, "not_found", "the page has no such file");
}

size_t page_routes(struct http_route out[PAGE_MOST_ROUTES]) {
    static const struct http_route rows[] = {{"GET", "/", on_index, NULL, true},
                                             {"GET", "/icon.svg", on_file, NULL, true},
                                             {"GET", "/assets/{name}", on_file, NULL, true}};
    memcpy(out, rows, sizeof rows);
    return sizeof rows / sizeof rows[0];
}
