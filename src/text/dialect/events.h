/* The queue of a stream's events: neighbours of one kind are joined, and the last text is given out
 * up to its last whole character only, because more bytes may follow. */
#ifndef JL_TEXT_EVENTS_H
#define JL_TEXT_EVENTS_H

#include "text/buffer.h"
#include "text/dialect.h"

struct event_record {
    enum dialect_event_kind kind;
    int index;
    size_t at, len;        // of the text
    size_t name_at, id_at; // of calls
};

struct events {
    struct event_record *records;
    size_t n, cap, first; // `first`: not given out yet
    struct byte_buffer text;
    bool fence; // records from fence_n on are not given out: they may be taken back
    size_t fence_n, fence_text;
};

void events_free(struct events *events);
void events_compact(struct events *events); // forgets what was given out: texts move
bool events_add(struct events *events, enum dialect_event_kind kind, int index, const char *text,
                size_t len); // false: out of memory
bool events_add_call(struct events *events, enum dialect_event_kind kind, int index,
                     const char *name, const char *id);
size_t events_waiting(const struct events *events); // bytes of text not given out

void events_fence_set(struct events *events);
void events_fence_open(struct events *events); // gives out what is behind it
void events_fence_drop(struct events *events); // takes it back

/* `over`: no text follows, so that a last half character is given out too. */
bool events_next(struct events *events, bool over, struct dialect_event *out);

#endif
