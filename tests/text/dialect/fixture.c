#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "text/utf8.h"

size_t cut_whole(void *ctx, size_t at, size_t n_left) {
    (void)ctx, (void)at;
    return n_left;
}

size_t cut_bytes(void *ctx, size_t at, size_t n_left) {
    (void)ctx, (void)at, (void)n_left;
    return 1;
}

size_t cut_once(void *ctx, size_t at, size_t n_left) {
    size_t place = *(const size_t *)ctx;
    return at < place && place < at + n_left ? place - at : n_left;
}

uint64_t next_random(uint64_t *state) { // splitmix64
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

size_t cut_random(void *ctx, size_t at, size_t n_left) {
    struct cut_random *random = ctx;
    (void)at;
    size_t n = 1 + next_random(&random->state) % random->max;
    return n < n_left ? n : n_left;
}

uint64_t random_seed(void) {
    const char *given = getenv("JINLIN_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    printf("JINLIN_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static void check_characters(const char *text, size_t len) {
    for (size_t at = 0; at < len;) {
        int n = utf8_length(text + at, len - at);
        if (n == 0) fail_msg("an event's text is no UTF-8: %.*s", (int)len, text);
        at += (size_t)n;
    }
}

static void append(json_t *events, size_t item, const struct dialect_event *event) {
    json_t *last = json_array_get(events, json_array_size(events) - 1);
    const char *before = json_string_value(json_array_get(last, item));
    size_t n = json_string_length(json_array_get(last, item));
    char *joined = malloc(n + event->len + 1);
    assert_non_null(joined);
    memcpy(joined, before, n);
    memcpy(joined + n, event->text, event->len);
    json_t *text = json_stringn(joined, n + event->len);
    if (!text) fail_msg("an event's text is no UTF-8");
    json_array_set_new(last, item, text);
    free(joined);
}

static void text_event(json_t *events, const char *kind, const struct dialect_event *event) {
    json_t *last = json_array_get(events, json_array_size(events) - 1);
    const char *last_kind = json_string_value(json_array_get(last, 0));
    if (!last_kind || strcmp(last_kind, kind) != 0)
        json_array_append_new(events, json_pack("[ss]", kind, ""));
    append(events, 1, event);
}

struct follow {
    int open; // index of the call that is being given, -1: none
    int next; // index of the next one
};

static void one_event(json_t *events, struct follow *follow, const struct dialect_event *event) {
    check_characters(event->text, event->len);
    json_t *last = json_array_get(events, json_array_size(events) - 1);
    switch (event->kind) {
    case DIALECT_REASONING:
    case DIALECT_CONTENT:
        assert_int_equal(follow->open, -1);
        assert_true(event->len > 0);
        text_event(events, event->kind == DIALECT_CONTENT ? "content" : "reasoning", event);
        break;
    case DIALECT_CALL_START:
        assert_int_equal(follow->open, -1);
        assert_int_equal(event->index, follow->next);
        follow->open = follow->next++;
        json_array_append_new(events, json_pack("[ssss]", "call", event->name, event->id, ""));
        break;
    case DIALECT_CALL_ARGS:
        assert_int_equal(event->index, follow->open);
        append(events, 3, event);
        break;
    case DIALECT_CALL_END:
        assert_int_equal(event->index, follow->open);
        assert_string_equal(event->name, json_string_value(json_array_get(last, 1)));
        json_array_set_new(last, 2, json_string(event->id));
        follow->open = -1;
        json_error_t where;
        const char *args = json_string_value(json_array_get(last, 3));
        json_t *parsed = json_loads(args, 0, &where);
        // Lone surrogates and huge numbers are JSON, but jansson does not take them.
        if (!parsed && !strstr(where.text, "surrogate") && !strstr(where.text, "big") &&
            !strstr(where.text, "u0000") && !strstr(where.text, "overflow"))
            fail_msg("the arguments are no JSON: %s: %s", where.text, args);
        json_decref(parsed);
        break;
    case DIALECT_CALL_BROKEN:
        assert_int_equal(event->index, follow->open);
        assert_true(event->len > 0);
        json_array_set_new(last, 0, json_string("broken"));
        follow->open = -1;
        break;
    }
}

json_t *run_stream(const struct dialect *dialect, const struct dialect_options *options,
                   const char *text, size_t len, cut_fn *cut, void *ctx) {
    struct jl_error err = {0};
    struct dialect_stream *stream;
    struct dialect_event event;
    if (dialect_stream_new(dialect, options, &stream, &err) != JL_OK) fail_msg("%s", err.message);
    json_t *events = json_array();
    struct follow follow = {.open = -1};
    for (size_t at = 0; at < len;) {
        size_t n = cut(ctx, at, len - at);
        char *piece = malloc(n); // its exact size: a sanitizer sees a read too far
        assert_non_null(piece);
        memcpy(piece, text + at, n);
        if (dialect_stream_push(stream, piece, n, &err) != JL_OK) fail_msg("%s", err.message);
        free(piece);
        while (dialect_stream_next(stream, &event))
            one_event(events, &follow, &event);
        at += n;
    }
    if (dialect_stream_end(stream, &err) != JL_OK) fail_msg("%s", err.message);
    while (dialect_stream_next(stream, &event))
        one_event(events, &follow, &event);
    assert_int_equal(follow.open, -1);
    assert_int_equal(follow.next, dialect_stream_calls(stream));
    dialect_stream_free(stream);
    return events;
}
