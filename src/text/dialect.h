/* Chat dialects: what the text of a model's turn means.
 *
 * A dialect is a row of a table (docs/dialects.md): how its chat template is recognised, which
 * marks enclose a thought, how a tool call is written, which tokens end a turn and which past
 * thoughts go back into the prompt. A stream parses one turn while it is generated; rendering
 * writes one.
 *
 * Bytes in, bytes out: no tokens, no files. Rows are const and shared by all threads; a stream has
 * one owner. Marks are found in the text, so a control token that is a mark must be fed as its
 * text: `dialect_is_mark` says which. */
#ifndef JL_TEXT_DIALECT_H
#define JL_TEXT_DIALECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* ---- the table ---- */

/* Which thoughts of past assistant turns belong into the next prompt. */
enum dialect_thoughts {
    DIALECT_THOUGHTS_DROP,  // none
    DIALECT_THOUGHTS_LOOP,  // those since the last user message: across tool calls
    DIALECT_THOUGHTS_TOOLS, // all in a conversation that offers tools, else as LOOP
    DIALECT_THOUGHTS_ALL,   // all
};

/* White space that belongs to a mark is written by rendering and dropped, if it is there, by
 * parsing: as much of it as matches, in order. Texts are "" where a dialect has none. */
struct dialect_think {
    const char *open, *close;
    const char *after_open, *before_close, *after_close;
};

struct call_format; // private: dialect/format.h

#define DIALECT_STOPS 8

struct dialect {
    const char *name;
    struct dialect_think think;             // .open "" : the dialect has no thoughts
    const char *answer_open, *answer_close; // around the content; "" for nearly all
    const char *const stops[DIALECT_STOPS]; // texts of tokens that end a turn, up to the first NULL
    enum dialect_thoughts thoughts;
    const struct call_format *calls;     // NULL: no tool calls
    const char *const template_has[4];   // recognised by: all of these in the template,
    const char *const template_lacks[2]; //   none of these,
    const char *const token;             // or, without a template, this token; may be NULL
};

/* Is `text` (NUL-terminated) the whole text of one token of the vocabulary? */
typedef bool dialect_has_token(void *ctx, const char *text);

/* The row for a chat template's source (may be NULL or empty) and a vocabulary (`has_token` may be
 * NULL). Never NULL: an unknown template gives "plain", which has neither thoughts nor calls. */
const struct dialect *dialect_detect(const char *template_text, size_t len,
                                     dialect_has_token *has_token, void *ctx);
const struct dialect *dialect_by_name(const char *name); // NULL: no such row
const struct dialect *dialect_at(size_t index);          // NULL: past the last row

/* Does a control token of this text mean something in the dialect? Then it must reach the stream
 * as text, though control tokens usually give none. Tokens that end a turn are no marks. */
bool dialect_is_mark(const struct dialect *dialect, const char *text, size_t len);

/* Are the thoughts of a past assistant turn kept? `since_user`: no user message came after it;
 * `tools`: the conversation offers tools. */
bool dialect_keeps_thought(const struct dialect *dialect, bool since_user, bool tools);

/* ---- parsing ---- */

/* Where the rendered prompt leaves off. Zero is the start of a turn. */
struct dialect_start {
    bool in_thought;  // the template has opened the thought: output begins inside
    const char *skip; // white space that still belongs to the last mark, or NULL
};
struct dialect_start dialect_prompt_end(const struct dialect *dialect, const char *prompt,
                                        size_t len);

/* A tool that was offered. `parameters` is its JSON schema (an object's text) or NULL: it decides
 * the types of arguments in formats that write them as bare text. */
struct dialect_tool {
    const char *name;
    const char *parameters;
};

struct dialect_options {
    struct dialect_start start;
    const struct dialect_tool *tools; // read only during dialect_stream_new
    size_t n_tool;
    bool hide_thinking;   // thoughts are parsed and dropped; else they come as DIALECT_REASONING
    bool ignore_calls;    // call markup is content like any other
    bool whole_calls;     // hold a call until it is complete: a broken one then is content, wholly
    long thinking_budget; // tokens of a thought; negative: no bound
    size_t limit;         // bytes the stream may hold back; 0 is DIALECT_LIMIT
};
#define DIALECT_LIMIT ((size_t)16 << 20)
struct dialect_options dialect_options_default(void);

enum dialect_event_kind {
    DIALECT_REASONING,   // text
    DIALECT_CONTENT,     // text
    DIALECT_CALL_START,  // index, name; id, where the model writes it before the arguments
    DIALECT_CALL_ARGS,   // index; text: a piece of the arguments' JSON text
    DIALECT_CALL_END,    // index, name, id: the pieces together are one JSON object
    DIALECT_CALL_BROKEN, // index; text: why. What was given of the call is all there is of it;
                         // what follows the broken place comes as content
};
struct dialect_event {
    enum dialect_event_kind kind;
    int index;        // of the call in this turn, from 0
    const char *text; // len bytes; not terminated
    size_t len;
    const char *name, *id; // NUL-terminated; id is "" when the model gave none
};

struct dialect_stream;

/* The dialect must outlive the stream; the rest is copied. Errors: a tool's schema is no JSON
 * object (JL_ERR_USAGE), memory. */
enum jl_status dialect_stream_new(const struct dialect *dialect,
                                  const struct dialect_options *options,
                                  struct dialect_stream **out, struct jl_error *err);
void dialect_stream_free(struct dialect_stream *stream); // NULL is fine

/* Feeds decoded text, cut anywhere. Events of earlier calls that were not fetched stay. Text events
 * end at whole characters if the input is UTF-8; bytes that are no UTF-8 pass as they are. The
 * events, neighbours of one kind and index joined, do not depend on how the text was cut.
 *
 * JL_ERR_LIMIT: more would have to be held than allowed. What is held becomes content, fetch it;
 * the stream takes no more text. */
enum jl_status dialect_stream_push(struct dialect_stream *stream, const char *text, size_t len,
                                   struct jl_error *err);
/* The turn is over: gives up what was held. An unfinished call is broken. */
enum jl_status dialect_stream_end(struct dialect_stream *stream, struct jl_error *err);

/* The next event, false if there is none. Its texts live until the next push, end or free. */
bool dialect_stream_next(struct dialect_stream *stream, struct dialect_event *event);

bool dialect_stream_in_thought(const struct dialect_stream *stream);
int dialect_stream_calls(const struct dialect_stream *stream); // started so far

/* To be called after each push with the number of tokens it stood for. True once, when the thought
 * has used up its budget: the caller then continues the model's output with *text (encoded with its
 * special tokens) and pushes it too; generation goes on with the answer. */
bool dialect_thinking_over(struct dialect_stream *stream, size_t n_token, const char **text);

/* ---- rendering ---- */

struct dialect_call {
    const char *name;
    const char *arguments; // the text of a JSON object; written as it is where the format has JSON
    const char *id;        // "" or NULL: none; ignored by formats that carry no ids
};
struct dialect_turn {
    const char *thinking; // NULL: the turn has no thought; "" is an empty one
    const char *content;  // NULL is ""
    const struct dialect_call *calls;
    size_t n_call;
    const struct dialect_tool *tools; // decide types, as in parsing
    size_t n_tool;
};

/* The text of an assistant turn as the model itself would write it, without the token that ends
 * it: a heap string the caller frees. Parsing it (from the start of a turn, with the same tools)
 * gives the turn back; a turn for which this is impossible (a close mark inside a thought, a name
 * with a quote where quotes end names) is JL_ERR_UNSUPPORTED. White space alone beside calls is no
 * content. Arguments that are no JSON object are JL_ERR_USAGE. */
enum jl_status dialect_render_calls(const struct dialect *dialect, const struct dialect_turn *turn,
                                    char **text, size_t *len, struct jl_error *err);

#endif
