/* The bodies of /v1/chat/completions and /v1/completions, read and checked field by field.
 *
 * A field that is known is read or refused by name; one whose value changes nothing is passed over;
 * an unknown one is listed in `ignored`, for a header of the answer. A field that would change what
 * is meant and is not supported is refused. */
#ifndef JL_SERVE_OPENAI_REQUEST_H
#define JL_SERVE_OPENAI_REQUEST_H

#include <stdint.h>

#include "base/arena.h"
#include "serve/openai/problem.h"
#include "session/sample_params.h"
#include "text/patterns.h"

enum openai_kind { OPENAI_CHAT = 1, OPENAI_COMPLETION = 2 };

enum openai_tool_choice {
    OPENAI_TOOLS_AUTO,
    OPENAI_TOOLS_NONE,
    OPENAI_TOOLS_REQUIRED,
    OPENAI_TOOLS_NAMED
};

enum openai_format {
    OPENAI_TEXT,
    OPENAI_JSON_OBJECT,
    OPENAI_JSON_SCHEMA,
    OPENAI_REGEX,
    OPENAI_GRAMMAR
};

/* One prompt of a completion: a text, or ids. */
struct openai_prompt {
    const char *text; // NULL: ids
    size_t len;
    int32_t *ids;
    int n_id;
};

#define OPENAI_MOST_STOPS 64
#define OPENAI_MOST_PROMPTS 128
#define OPENAI_MOST_TOP_LOGPROBS 20
#define OPENAI_MOST_ENTRIES 400000 // log-probabilities that a request makes the server hold

struct openai_request {
    enum openai_kind kind;
    const char *model;             // NULL: the only one
    json_t *messages, *tools;      // of a chat; tools may be NULL
    struct openai_prompt *prompts; // (n_prompt) of a completion
    int n_prompt;
    const char *suffix; // NULL: none
    bool echo;

    double values[SAMPLE_PARAM_COUNT]; // of the settings that the request has
    bool has[SAMPLE_PARAM_COUNT];
    struct sample_bias *bias; // (n_bias)
    int n_bias;
    bool has_seed;
    uint64_t seed;
    bool has_max; // by its newer name
    int n, n_max; // answers; tokens of each, 0: not said, -1: none
    struct pattern_text stop[OPENAI_MOST_STOPS];
    int n_stop;

    bool stream, include_usage;
    bool logprobs;
    int n_top; // beside the chosen one
    bool return_token_ids;

    enum openai_tool_choice tool_choice;
    const char *tool_name; // of OPENAI_TOOLS_NAMED
    bool parallel_calls;
    enum openai_format format;
    const json_t *schema;          // of OPENAI_JSON_SCHEMA
    const char *grammar;           // of OPENAI_REGEX and OPENAI_GRAMMAR
    int thinking;                  // -1: as the model does, 0: no, 1: yes
    int thinking_budget;           // tokens; -1: not said
    const json_t *template_kwargs; // an object, or NULL
    bool continue_final;           // the last message is the assistant's, which goes on
    int priority;

    char ignored[512]; // names of unknown fields, with commas; cut where it ends
    json_t *root;      // owns the texts
    struct arena arena;
};

/* False: `problem` says why. `out` is to be freed in either case. */
bool openai_request_read(enum openai_kind kind, const char *body, size_t len,
                         struct openai_request *out, struct openai_problem *problem);
void openai_request_free(struct openai_request *request); // zeroed is fine

#endif
