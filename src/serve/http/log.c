#include "serve/http/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "serve/http/server.h"

#define MAX_FIELD 512 // bytes of a text; each becomes at most six

/* "name":"text", with a comma before it; bytes beyond ASCII as \u00XX, since the text may be
 * anything. */
static size_t add_text(char *out, const char *name, const char *text) {
    char *at = out;
    if (!text) return 0;
    at += sprintf(at, ",\"%s\":\"", name);
    for (size_t i = 0; i < MAX_FIELD && text[i]; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            *at++ = '\\', *at++ = (char)c;
        else if (c < 0x20 || c >= 0x7F)
            at += sprintf(at, "\\u%04x", c);
        else
            *at++ = (char)c;
    }
    *at++ = '"';
    return (size_t)(at - out);
}

size_t http_log_format(const struct http_log_line *line, char out[HTTP_LOG_BYTES]) {
    struct tm utc;
    time_t seconds = (time_t)(line->time_ms / 1000);
    gmtime_r(&seconds, &utc);
    size_t n = strftime(out, 64, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
    n += (size_t)sprintf(out + n, ".%03dZ\"", (int)(line->time_ms % 1000));
    n += add_text(out + n, "id", line->id);
    n += add_text(out + n, "key", line->key);
    n += add_text(out + n, "client", line->client);
    n += add_text(out + n, "method", line->method);
    n += add_text(out + n, "path", line->path);
    n += (size_t)sprintf(out + n, ",\"status\":%d", line->status);
    n += add_text(out + n, "end", line->end);
    n += (size_t)sprintf(
        out + n, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 ",\"ms\":%" PRId64 ".%03d}",
        line->bytes_in, line->bytes_out, line->duration_us / 1000, (int)(line->duration_us % 1000));
    return n;
}

void http_log_to_stream(void *stream, const char *line, size_t len) {
    fwrite(line, 1, len, stream);
    fputc('\n', stream);
    fflush(stream);
}
