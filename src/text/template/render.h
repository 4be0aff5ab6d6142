/* One rendering: its memory, its limits and how it fails.
 *
 * Everything made while a template runs lies in one heap that is released at once. A function that
 * cannot go on calls a render_fail and returns NULL or false; the first error is kept and the
 * callers only pass it on. */
#ifndef JL_TEXT_TEMPLATE_RENDER_H
#define JL_TEXT_TEMPLATE_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct value;
struct scope;
struct strbuf;
struct ast;

#define RENDER_MAX_DEPTH 1200 // nested evaluations; C stack stays below 1 MB

/* Room behind a text that was put together last: what a template appends to again and again must
 * not be copied each time. */
struct render_tail {
    char *data;
    unsigned char *marks; // NULL: all alike
    size_t used, cap;
};
#define RENDER_TAILS 4

struct render {
    const struct ast *ast; // the template
    struct arena blocks;   // the heap: blocks handed out bump by bump
    char *at;
    size_t left, used, max_memory; // bytes
    size_t steps, max_steps, max_output;
    int depth, line; // of the node that runs
    bool failed;
    struct jl_error *err;
    struct strbuf *out;     // where output goes now: the text, or a macro's result
    struct value **globals; // by symbol: variables and Jinja's globals, NULL where undefined
    struct scope *root;
    int64_t now;
    bool has_now;
    unsigned char generation; // MARK_GENERATION while inside such a block, else 0
    struct render_tail tails[RENDER_TAILS];
    int next_tail; // the one to give up next
};

void *render_alloc(struct render *r, size_t bytes); // zeroed; NULL: failed
void *render_array(struct render *r, size_t count, size_t size);

/* Counts `n` steps of work; false when the render has run too long. */
bool render_work(struct render *r, size_t n);

/* Guards recursion of any kind: each enter is paired with a leave, also when it failed. */
bool render_enter(struct render *r);
void render_leave(struct render *r);

/* Turns a failing call, which returns NULL, into the false of a function that answers a bool. */
#define RENDER_NO(call) ((void)(call), false)

/* All return NULL, so that a function with a value can return them. */
void *render_fail(struct render *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *render_unsupported(struct render *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void *render_limit(struct render *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
