#include "text/template/render.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)64 << 10)
#define UNIT ((size_t)8) // alignment of all that is handed out

static void *take_block(struct render *r, size_t bytes) {
    void *block = arena_alloc(&r->blocks, bytes);
    if (block) return block;
    if (!r->failed) jl_fail(r->err, JL_ERR_MEMORY, "out of memory rendering a chat template");
    r->failed = true;
    return NULL;
}

void *render_alloc(struct render *r, size_t bytes) {
    size_t rounded;
    if (!size_add(bytes, UNIT - 1, &rounded) || (rounded &= ~(UNIT - 1)) > r->max_memory ||
        r->used > r->max_memory - rounded)
        return render_limit(r, "the values need more than %zu bytes", r->max_memory);
    r->used += rounded;
    if (rounded > BLOCK_BYTES / 4) return take_block(r, rounded);
    if (rounded > r->left) {
        r->at = take_block(r, BLOCK_BYTES);
        r->left = r->at ? BLOCK_BYTES : 0;
        if (!r->at) return NULL;
    }
    void *result = r->at;
    r->at += rounded;
    r->left -= rounded;
    return result;
}

void *render_array(struct render *r, size_t count, size_t size) {
    size_t bytes;
    if (!size_mul(count, size, &bytes))
        return render_limit(r, "the values need more than %zu bytes", r->max_memory);
    return render_alloc(r, bytes);
}

bool render_work(struct render *r, size_t n) {
    if (r->failed) return false;
    if (n <= r->max_steps && r->steps <= r->max_steps - n) {
        r->steps += n;
        return true;
    }
    render_limit(r, "it takes more than %zu steps", r->max_steps);
    return false;
}

bool render_enter(struct render *r) {
    if (++r->depth <= RENDER_MAX_DEPTH) return render_work(r, 1);
    render_limit(r, "it nests or recurses too deeply");
    return false;
}

void render_leave(struct render *r) { r->depth--; }

static void fail(struct render *r, enum jl_status status, const char *fmt, va_list args) {
    if (r->failed) return;
    char text[900];
    if (vsnprintf(text, sizeof text, fmt, args) < 0) text[0] = '\0';
    jl_fail(r->err, status, "chat template, line %d: %s", r->line, text);
    r->failed = true;
}

void *render_fail(struct render *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail(r, JL_ERR_FORMAT, fmt, args);
    va_end(args);
    return NULL;
}

void *render_unsupported(struct render *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail(r, JL_ERR_UNSUPPORTED, fmt, args);
    va_end(args);
    return NULL;
}

void *render_limit(struct render *r, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail(r, JL_ERR_LIMIT, fmt, args);
    va_end(args);
    return NULL;
}
