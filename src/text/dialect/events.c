#include "text/dialect/events.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "text/utf8.h"

void events_free(struct events *events) {
    free(events->records);
    buffer_free(&events->text);
    *events = (struct events){0};
}

void events_compact(struct events *events) {
    if (events->first == 0 && (events->n == 0 || events->records[0].at == 0)) return;
    size_t kept = events->n - events->first;
    size_t from = events->text.len;
    for (size_t i = events->first; i < events->n; i++)
        if (events->records[i].at < from) from = events->records[i].at;
    for (size_t i = 0; i < kept; i++) {
        struct event_record *record = &events->records[i];
        *record = events->records[events->first + i];
        record->at -= from;
        record->name_at -= from;
        record->id_at -= from;
    }
    events->text.len -= from;
    if (events->text.len) memmove(events->text.data, events->text.data + from, events->text.len);
    if (events->fence) {
        events->fence_n -= events->first;
        events->fence_text -= from;
    }
    events->n = kept;
    events->first = 0;
}

static struct event_record *add(struct events *events) {
    if (events->n == events->cap) {
        size_t cap = events->cap ? events->cap * 2 : 16, bytes;
        if (!size_mul(cap, sizeof *events->records, &bytes)) return NULL;
        struct event_record *grown = realloc(events->records, bytes);
        if (!grown) return NULL;
        events->records = grown;
        events->cap = cap;
    }
    struct event_record *record = &events->records[events->n++];
    *record = (struct event_record){.at = events->text.len};
    record->name_at = record->id_at = record->at;
    return record;
}

static bool joins(const struct events *events, enum dialect_event_kind kind, int index) {
    if (events->n == events->first) return false;
    if (events->fence && events->n == events->fence_n) return false;
    const struct event_record *last = &events->records[events->n - 1];
    if (kind != DIALECT_REASONING && kind != DIALECT_CONTENT && kind != DIALECT_CALL_ARGS)
        return false;
    return last->kind == kind && last->index == index;
}

bool events_add(struct events *events, enum dialect_event_kind kind, int index, const char *text,
                size_t len) {
    bool fresh = !joins(events, kind, index);
    if (fresh) {
        struct event_record *record = add(events);
        if (!record) return false;
        record->kind = kind;
        record->index = index;
    }
    if (!buffer_append(&events->text, text, len)) {
        events->n -= fresh;
        return false;
    }
    events->records[events->n - 1].len += len;
    return true;
}

bool events_add_call(struct events *events, enum dialect_event_kind kind, int index,
                     const char *name, const char *id) {
    struct event_record *record = add(events);
    if (!record) return false;
    record->kind = kind;
    record->index = index;
    record->name_at = events->text.len;
    record->id_at = record->name_at + strlen(name) + 1;
    if (buffer_append(&events->text, name, strlen(name) + 1) &&
        buffer_append(&events->text, id, strlen(id) + 1))
        return true;
    events->n--;
    return false;
}

size_t events_waiting(const struct events *events) {
    if (events->first == events->n) return 0;
    return events->text.len - events->records[events->first].at;
}

void events_fence_set(struct events *events) {
    events->fence = true;
    events->fence_n = events->n;
    events->fence_text = events->text.len;
}

void events_fence_open(struct events *events) { events->fence = false; }

void events_fence_drop(struct events *events) {
    if (!events->fence) return;
    events->n = events->fence_n;
    events->text.len = events->fence_text;
    events->fence = false;
}

bool events_next(struct events *events, bool over, struct dialect_event *out) {
    size_t end = events->fence ? events->fence_n : events->n;
    if (events->first >= end) return false;
    struct event_record *record = &events->records[events->first];
    bool call = record->kind == DIALECT_CALL_START || record->kind == DIALECT_CALL_END;
    const char *data = events->text.data;
    *out = (struct dialect_event){
        .kind = record->kind,
        .index = record->index,
        .text = record->len ? data + record->at : "",
        .len = record->len,
        .name = call ? data + record->name_at : "",
        .id = call ? data + record->id_at : "",
    };
    bool last = events->first + 1 == events->n;
    if (last && !over && record->len) out->len = utf8_whole_length(out->text, record->len);
    if (record->len && out->len == 0) return false;
    if (out->len < record->len) {
        record->at += out->len; // the half character waits
        record->len -= out->len;
        record->name_at = record->id_at = record->at;
    } else {
        events->first++;
    }
    return true;
}
