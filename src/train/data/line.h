/* One line of a JSON-lines source: what forms it may have, and nothing else is let through.
 *
 *     {"text": "..."}
 *     {"messages": [{"role": "...", "content": "..."}, ...], "tools": [...]}
 *
 * A message has "role" (system, developer, user, assistant, tool) and "content" (a string), and
 * may have "name"; an assistant's "reasoning_content", "tool_calls" in OpenAI's form and "weight"
 * (0: no loss on it, 1); a tool's "tool_call_id". null is the same as leaving one of these out. */
#ifndef JL_TRAIN_DATA_LINE_H
#define JL_TRAIN_DATA_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum data_line_form {
    DATA_LINE_BLANK, // white space alone: no document
    DATA_LINE_TEXT,
    DATA_LINE_CHAT,
};

struct data_line {
    enum data_line_form form;
    json_t *root;
    const char *text; // of DATA_LINE_TEXT: len bytes of UTF-8, not empty
    size_t len;
    json_t *messages; // of DATA_LINE_CHAT: of `root`; some assistant message is in the loss
    json_t *tools;    // NULL without
};

/* `bytes` without the newline. JL_ERR_FORMAT: the message says what is wrong and what to do, but
 * neither file nor line. */
enum jl_status data_line_parse(const char *bytes, size_t n, struct data_line *out,
                               struct jl_error *err);
void data_line_free(struct data_line *line); // zeroed is fine

/* Parts of it, for lines of other kinds: white space alone; a line's JSON, refused as above; the
 * messages of a conversation, and its tools (NULL: none). null is removed from messages. */
bool data_line_is_blank(const char *bytes, size_t n);
enum jl_status data_line_json(const char *bytes, size_t n, json_t **root, struct jl_error *err);
enum jl_status data_line_check_chat(json_t *messages, json_t *tools, struct jl_error *err);

/* Whether a message is an assistant's that is in the loss. */
bool data_line_learns(const json_t *message);

#endif
