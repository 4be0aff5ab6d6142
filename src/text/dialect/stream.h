/* The parser of a turn: a machine that takes one byte at a time, so that nothing can depend on how
 * the text was cut.
 *
 * What is held back stands in one of four places: white space that may turn out to separate
 * (`spaces`), the beginning of a mark (`match`), everything of a call that no event accounts for
 * (`raw`), and a value that needs its end to be understood (`value`, whose bytes are in `raw` too).
 * When a call breaks, `raw` goes back to be read as text (`again`). */
#ifndef JL_TEXT_STREAM_H
#define JL_TEXT_STREAM_H

#include "text/dialect.h"
#include "text/dialect/events.h"
#include "text/dialect/format.h"
#include "text/dialect/json_scan.h"
#include "text/dialect/match.h"
#include "text/dialect/schema.h"

enum stream_state {
    STREAM_TEXT,
    STREAM_THOUGHT,
    // In a call; each is left by stream_call_*.
    STREAM_SECTION,  // a call or the section's end
    STREAM_NAME,     // bytes of a name
    STREAM_NAME_END, // what stands between name and arguments
    STREAM_ID,
    STREAM_ARGS_OPEN, // '{'
    STREAM_ARGS,
    STREAM_CLOSE, // the call is given out; its close mark may follow
    // stream_params_*
    STREAM_PARAM,
    STREAM_KEY,
    STREAM_KEY_END,
    STREAM_VALUE_OPEN,
    STREAM_VALUE,
    // stream_object_*
    STREAM_LIST_OPEN,
    STREAM_LIST_NEXT,
    STREAM_OBJECT_OPEN,
    STREAM_MEMBER_OPEN, // '"' or '}'
    STREAM_MEMBER_KEY,
    STREAM_COLON,
    STREAM_MEMBER_OPEN_VALUE,
    STREAM_MEMBER_VALUE,
    STREAM_MEMBER_NEXT,
    STREAM_BARE_NEXT, // another bare object
    // stream_python_*
    STREAM_PYTHON,
    STREAM_PYTHON_NAME,
    STREAM_PYTHON_KEY,
    STREAM_PYTHON_VALUE,
    STREAM_PYTHON_STRING,
    STREAM_PYTHON_QUOTE,
};

enum stream_member { MEMBER_OTHER, MEMBER_NAME, MEMBER_ARGS, MEMBER_ID };

struct stream_call {
    bool started;  // its first event is in the queue
    bool complete; // its arguments are whole
    bool any;      // an argument was written (stream_params)
    bool in_section, any_in_section;
    bool in_list; // the object is an item
    bool marked;  // a bare object behind a mark
    bool first_member;
    bool string;    // the value is streamed as a string
    bool buffered;  // the arguments came before the name, or need another look: in `value`
    bool escaped;   // in a member's key: the next byte
    bool separated; // a ';' was seen
    enum stream_member member;
    int type_given; // of a typed parameter: 0 none, 1 string, 2 literal
    unsigned types;
    struct byte_buffer name, id, key, early; // early: arguments before their name
};

struct dialect_stream {
    const struct dialect *dialect;
    const struct call_format *calls; // NULL: none are looked for
    struct dialect_options options;
    struct schema schema;
    struct events events;
    enum stream_state state;
    bool fresh;         // only white space since the start, a thought or a call
    bool had_thought;   // since the start or the last call
    bool thought_empty; // nothing of the thought yet, and the prompt has opened it
    bool in_answer;
    const char *skip;
    struct match match; // text and thoughts
    struct match value_end;
    struct match_expect expect;
    struct json_scan scan;
    struct byte_buffer spaces, raw, again, value;
    size_t again_at;
    size_t raw_head; // bytes of `raw` that are text for sure if the call breaks
    size_t raw_done; // bytes of `raw` that events account for, should the call be given out
    struct stream_call call;
    int n_call;
    size_t thought_tokens;
    bool budget_over;
    char *force; // text that ends a thought; made on first use
    bool no_memory, dead, over;
};

/* Actions of the marks in text and thoughts. */
enum {
    MARK_THINK,
    MARK_THOUGHT_END,
    MARK_ANSWER,
    MARK_ANSWER_END,
    MARK_SECTION,
    MARK_CALL,
    MARK_BARE
};
enum { // where they are looked for
    IN_FRESH = 1,
    IN_TEXT = 2,
    IN_THOUGHT = 4,
    IN_ANSWER = 8,
    IN_OPENED = 16,    // at the start of a thought that the prompt opened
    IN_UNTHOUGHT = 32, // fresh, and no thought yet
};

#define STREAM_AGAIN_MAX 4096 // longest raw text that is read again when a call breaks

/* stream.c */
void stream_text(struct dialect_stream *s, enum dialect_event_kind kind, const char *text,
                 size_t len);
void stream_keep(struct dialect_stream *s, struct byte_buffer *buffer, char byte);
void stream_to_text(struct dialect_stream *s); // a call or section is over: text again

/* call.c: the life of one call */
void stream_call_begin(struct dialect_stream *s, const char *mark, size_t len, int action);
void stream_call_byte(struct dialect_stream *s, char byte); // any state behind STREAM_THOUGHT
void stream_call_start(struct dialect_stream *s);           // name and id are known
void stream_call_args(struct dialect_stream *s, const char *text, size_t len);
void stream_call_json(struct dialect_stream *s, char byte, bool in_string); // a byte of JSON
void stream_call_give(struct dialect_stream *s);   // its end; the state is the caller's to choose
void stream_call_close(struct dialect_stream *s);  // after that: its close mark may follow
void stream_call_closed(struct dialect_stream *s); // and has come
void stream_call_break(struct dialect_stream *s, const char *why);
void stream_call_over(struct dialect_stream *s);  // the text ends here
void stream_read_again(struct dialect_stream *s); // what of `raw` no event accounts for
void stream_escape(struct dialect_stream *s, const char *text, size_t len); // into a JSON string
bool stream_name_fits(const struct byte_buffer *name); // UTF-8, not empty, terminated

void stream_object_open(struct dialect_stream *s);            // behind '{'
void stream_object_byte(struct dialect_stream *s, char byte); // call_object.c
void stream_params_open(struct dialect_stream *s);            // behind the name
void stream_params_byte(struct dialect_stream *s, char byte); // call_params.c
void stream_python_byte(struct dialect_stream *s, char byte); // call_python.c

#endif
