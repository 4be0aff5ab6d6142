#include "serve/openai/request.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/openai/body.h"
#include "serve/openai/request_self.h"

enum { MOST_BYTES_OF_STOP = 4096, MOST_ANSWERS = 128 };

bool request_wants(struct reading *r, const char *what) {
    return openai_refuse(r->problem, r->name, "\"%s\" must be %s", r->name, what);
}

/* ---- numbers and switches ---- */

bool request_read_bool(struct reading *r, const json_t *value, bool *out) {
    if (!json_is_boolean(value)) return request_wants(r, "true or false");
    *out = json_is_true(value);
    return true;
}

static bool read_switch(struct reading *r, const json_t *value) {
    return request_read_bool(r, value, (bool *)((char *)r->out + r->at));
}

bool request_read_whole(struct reading *r, const json_t *value, int64_t low, int64_t high,
                        int64_t *out) {
    double real = json_number_value(value);
    if (!json_is_number(value) || real != floor(real) || real < (double)low ||
        real > (double)high || (!json_is_integer(value) && real >= 0x1p63)) {
        char what[80];
        snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)low,
                 (long long)high);
        return request_wants(r, what);
    }
    *out = json_is_integer(value) ? json_integer_value(value) : (int64_t)real;
    return true;
}

static bool set_param(struct reading *r, enum sample_param param, const json_t *value) {
    struct sample_params params = sample_params_default();
    struct jl_error err;
    if (!json_is_number(value)) return request_wants(r, "a number");
    double number = json_number_value(value);
    if (sample_params_set(&params, param, number, &err) != JL_OK)
        return openai_refuse(r->problem, r->name, "%s", err.message);
    r->out->values[param] = number;
    r->out->has[param] = true;
    return true;
}

/* The settings that have one name here and in requests, or another one there. */
static bool read_param(struct reading *r, const json_t *value) {
    static const char *const others[][2] = {{"repeat_penalty", "repetition_penalty"},
                                            {"typical", "typical_p"}};
    const char *name = r->name;
    enum sample_param param;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (!strcmp(name, others[i][0])) name = others[i][1];
    if (!sample_param_find(name, &param)) return request_wants(r, "left out");
    return set_param(r, param, value);
}

static bool read_n(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, 1, MOST_ANSWERS, &n)) return false;
    r->out->n = (int)n;
    return true;
}

static bool read_max(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, -1, INT32_MAX, &n)) return false;
    if (n < 0) return true; // as others write that there is no bound
    if (n == 0 && r->out->kind == OPENAI_CHAT) return request_wants(r, "1 or more");
    if (!strcmp(r->name, "max_tokens") && r->out->has_max) return true; // the newer name counts
    r->out->has_max = !strcmp(r->name, "max_completion_tokens");
    r->out->n_max = n ? (int)n : -1; // 0: a completion that is only scored
    return true;
}

static bool read_seed(struct reading *r, const json_t *value) {
    int64_t seed = 0;
    if (!request_read_whole(r, value, INT64_MIN, INT64_MAX, &seed)) return false;
    r->out->seed = (uint64_t)seed;
    r->out->has_seed = true;
    return true;
}

static bool read_priority(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, -100, 100, &n)) return false;
    r->out->priority = (int)n;
    return true;
}

static bool read_stream_options(struct reading *r, const json_t *value) {
    const json_t *usage = json_object_get(value, "include_usage");
    if (!json_is_object(value)) return request_wants(r, "an object");
    return !usage || json_is_null(usage) || request_read_bool(r, usage, &r->out->include_usage);
}

/* ---- log-probabilities ---- */

static bool read_logprobs(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (r->out->kind == OPENAI_CHAT) return request_read_bool(r, value, &r->out->logprobs);
    if (json_is_false(value)) return true;
    if (!request_read_whole(r, value, 0, OPENAI_MOST_TOP_LOGPROBS, &n)) return false;
    r->out->logprobs = true;
    r->out->n_top = (int)n;
    return true;
}

static bool read_top_logprobs(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, 0, OPENAI_MOST_TOP_LOGPROBS, &n)) return false;
    r->out->n_top = (int)n;
    return true;
}

static bool read_bias(struct reading *r, const json_t *value) {
    const char *key;
    json_t *bias;
    if (!json_is_object(value)) return request_wants(r, "an object of token ids and biases");
    size_t n = json_object_size(value);
    if (n > 4096) return request_wants(r, "an object of at most 4096 token ids");
    r->out->bias = arena_calloc(&r->out->arena, n + 1, sizeof *r->out->bias);
    if (!r->out->bias) return openai_no_memory(r->problem);
    json_object_foreach((json_t *)value, key, bias) {
        char *end;
        long id = strtol(key, &end, 10);
        double by = json_number_value(bias);
        if (*key < '0' || *key > '9' || *end || id > INT32_MAX || !json_is_number(bias) ||
            by < -100 || by > 100)
            return request_wants(r, "an object of token ids and biases from -100 to 100");
        // -100 bans a token, as OpenAI says it
        r->out->bias[r->out->n_bias++] =
            (struct sample_bias){(int32_t)id, by <= -100 ? -INFINITY : (float)by};
    }
    return true;
}

/* ---- texts ---- */

static bool read_model(struct reading *r, const json_t *value) {
    if (!json_is_string(value)) return request_wants(r, "a text");
    r->out->model = json_string_value(value);
    return true;
}

static bool add_stop(struct reading *r, const json_t *value) {
    struct openai_request *out = r->out;
    if (!json_is_string(value) || json_string_length(value) > MOST_BYTES_OF_STOP)
        return request_wants(r, "a text, or a list of texts");
    if (!json_string_length(value)) return true; // a form's empty field
    if (out->n_stop == OPENAI_MOST_STOPS) return request_wants(r, "a list of at most 64 texts");
    out->stop[out->n_stop++] =
        (struct pattern_text){json_string_value(value), json_string_length(value)};
    return true;
}

static bool read_stop(struct reading *r, const json_t *value) {
    size_t i;
    json_t *item;
    if (!json_is_array(value)) return add_stop(r, value);
    json_array_foreach(value, i, item) {
        if (!add_stop(r, item)) return false;
    }
    return true;
}

static bool read_suffix(struct reading *r, const json_t *value) {
    if (!json_is_string(value)) return request_wants(r, "a text");
    r->out->suffix = json_string_value(value);
    return true;
}

/* ---- prompts of completions ---- */

static bool is_ids(const json_t *value) {
    return json_is_array(value) && json_array_size(value) &&
           json_is_integer(json_array_get(value, 0));
}

static bool add_ids(struct reading *r, const json_t *value, struct openai_prompt *out) {
    size_t n = json_array_size(value), i;
    json_t *id;
    out->ids = arena_calloc(&r->out->arena, n, sizeof *out->ids);
    if (!out->ids) return openai_no_memory(r->problem);
    out->n_id = (int)n;
    json_array_foreach(value, i, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return request_wants(r, "made of token ids");
        out->ids[i] = (int32_t)json_integer_value(id);
    }
    return true;
}

static bool add_prompt(struct reading *r, const json_t *value) {
    struct openai_prompt *out = &r->out->prompts[r->out->n_prompt++];
    if (is_ids(value)) return add_ids(r, value, out);
    if (!json_is_string(value))
        return request_wants(r, "a text, a list of token ids, or a list of these");
    out->text = json_string_value(value);
    out->len = json_string_length(value);
    return true;
}

static bool read_prompt(struct reading *r, const json_t *value) {
    bool one = json_is_string(value) || is_ids(value);
    size_t n = one ? 1 : json_array_size(value), i;
    json_t *item;
    if (n < 1 || n > OPENAI_MOST_PROMPTS)
        return request_wants(r, "a text, a list of token ids, or a list of 1 to 128 of these");
    r->out->prompts = arena_calloc(&r->out->arena, n, sizeof *r->out->prompts);
    if (!r->out->prompts) return openai_no_memory(r->problem);
    if (one) return add_prompt(r, value);
    json_array_foreach(value, i, item) {
        if (!add_prompt(r, item)) return false;
    }
    return true;
}

/* ---- what is not supported ---- */

static bool read_functions(struct reading *r, const json_t *value) {
    if (json_is_array(value) && !json_array_size(value)) return true;
    return request_wants(r, "left out: say \"tools\"");
}

static bool read_best_of(struct reading *r, const json_t *value) {
    int64_t n = 0;
    if (!request_read_whole(r, value, 1, MOST_ANSWERS, &n)) return false;
    return n == 1 || request_wants(r, "1 or left out: it is not supported");
}

static bool read_modalities(struct reading *r, const json_t *value) {
    const char *only =
        json_array_size(value) == 1 ? json_string_value(json_array_get(value, 0)) : NULL;
    return (only && !strcmp(only, "text")) ||
           request_wants(r, "[\"text\"]: nothing else can be had");
}

static bool refuse_field(struct reading *r, const json_t *value) {
    if (json_is_false(value)) return true;
    return request_wants(r, "left out: it is not supported");
}

static bool pass_over(struct reading *r, const json_t *value) {
    (void)r;
    (void)value;
    return true;
}

/* ---- the table ---- */

#define BOTH (OPENAI_CHAT | OPENAI_COMPLETION)

static const struct field {
    const char *name;
    int kinds;
    request_field *read;
    size_t at; // of a switch
} fields[] = {
    {"model", BOTH, read_model},
    {"messages", OPENAI_CHAT, request_read_messages},
    {"tools", OPENAI_CHAT, request_read_tools},
    {"tool_choice", OPENAI_CHAT, request_read_tool_choice},
    {"parallel_tool_calls", OPENAI_CHAT, read_switch,
     offsetof(struct openai_request, parallel_calls)},
    {"functions", OPENAI_CHAT, read_functions},
    {"function_call", OPENAI_CHAT, read_functions},
    {"prompt", OPENAI_COMPLETION, read_prompt},
    {"suffix", OPENAI_COMPLETION, read_suffix},
    {"echo", OPENAI_COMPLETION, read_switch, offsetof(struct openai_request, echo)},
    {"best_of", OPENAI_COMPLETION, read_best_of},
    {"temperature", BOTH, read_param},
    {"top_p", BOTH, read_param},
    {"top_k", BOTH, read_param},
    {"min_p", BOTH, read_param},
    {"typical_p", BOTH, read_param},
    {"typical", BOTH, read_param},
    {"presence_penalty", BOTH, read_param},
    {"frequency_penalty", BOTH, read_param},
    {"repetition_penalty", BOTH, read_param},
    {"repeat_penalty", BOTH, read_param},
    {"repeat_last_n", BOTH, read_param},
    {"dry_multiplier", BOTH, read_param},
    {"dry_base", BOTH, read_param},
    {"dry_allowed_length", BOTH, read_param},
    {"dry_penalty_last_n", BOTH, read_param},
    {"xtc_probability", BOTH, read_param},
    {"xtc_threshold", BOTH, read_param},
    {"logit_bias", BOTH, read_bias},
    {"seed", BOTH, read_seed},
    {"n", BOTH, read_n},
    {"max_tokens", BOTH, read_max},
    {"max_completion_tokens", OPENAI_CHAT, read_max},
    {"stop", BOTH, read_stop},
    {"stream", BOTH, read_switch, offsetof(struct openai_request, stream)},
    {"stream_options", BOTH, read_stream_options},
    {"logprobs", BOTH, read_logprobs},
    {"top_logprobs", OPENAI_CHAT, read_top_logprobs},
    {"return_token_ids", BOTH, read_switch, offsetof(struct openai_request, return_token_ids)},
    {"response_format", BOTH, request_read_format},
    {"json_schema", BOTH, request_read_schema},
    {"guided_json", BOTH, request_read_schema},
    {"guided_choice", BOTH, request_read_choice},
    {"guided_regex", BOTH, request_read_regex},
    {"guided_grammar", BOTH, request_read_grammar},
    {"structured_outputs", BOTH, request_read_structured},
    {"regex", BOTH, request_read_regex},
    {"grammar", BOTH, request_read_grammar},
    {"reasoning_effort", OPENAI_CHAT, request_read_effort},
    {"thinking", OPENAI_CHAT, request_read_thinking},
    {"enable_thinking", OPENAI_CHAT, request_read_thinking},
    {"thinking_budget", OPENAI_CHAT, request_read_budget},
    {"chat_template_kwargs", OPENAI_CHAT, request_read_kwargs},
    {"continue_final_message", OPENAI_CHAT, read_switch,
     offsetof(struct openai_request, continue_final)},
    {"priority", BOTH, read_priority},
    {"modalities", OPENAI_CHAT, read_modalities},
    {"audio", OPENAI_CHAT, refuse_field},
    {"web_search_options", OPENAI_CHAT, refuse_field},
    {"prediction", OPENAI_CHAT, pass_over}, // may only make it faster
    {"user", BOTH, pass_over},
    {"metadata", BOTH, pass_over},
    {"store", BOTH, pass_over},
    {"service_tier", BOTH, pass_over},
    {"prompt_cache_key", BOTH, pass_over},
    {"safety_identifier", BOTH, pass_over},
    {"add_generation_prompt", OPENAI_CHAT, request_read_generation_prompt},
};

static const struct field *find_field(const char *name, enum openai_kind kind) {
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].kinds & (int)kind && !strcmp(fields[i].name, name)) return &fields[i];
    return NULL;
}

/* A header takes no line breaks, and what a client has written is shown only if it is a name. */
static void ignore(struct openai_request *out, const char *name) {
    size_t have = strlen(out->ignored), n = strlen(name);
    if (n > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") < n)
        name = "(a name that is none)";
    snprintf(out->ignored + have, sizeof out->ignored - have, "%s%s", have ? ", " : "", name);
}

/* ---- all ---- */

static bool check_whole(struct openai_request *out, struct openai_problem *problem) {
    if (out->kind == OPENAI_CHAT && !out->messages)
        return openai_refuse(problem, "messages",
                             "\"messages\" is missing: the conversation so far");
    if (out->kind == OPENAI_COMPLETION && !out->n_prompt)
        return openai_refuse(problem, "prompt", "\"prompt\" is missing: the text to go on from");
    if (out->kind == OPENAI_CHAT && out->n_top && !out->logprobs) {
        if (!json_is_false(json_object_get(out->root, "logprobs")))
            return openai_refuse(problem, "top_logprobs",
                                 "\"top_logprobs\" wants \"logprobs\": true");
        out->n_top = 0;
    }
    if (out->tool_choice != OPENAI_TOOLS_AUTO && out->tool_choice != OPENAI_TOOLS_NONE &&
        !out->tools)
        return openai_refuse(problem, "tool_choice",
                             "\"tool_choice\" names tools, and there are none");
    if (out->tool_choice != OPENAI_TOOLS_NAMED) return true;
    size_t i;
    json_t *tool;
    json_array_foreach(out->tools, i, tool) {
        const char *name =
            json_string_value(json_object_get(json_object_get(tool, "function"), "name"));
        if (!strcmp(name, out->tool_name)) return true;
    }
    return openai_refuse(problem, "tool_choice", "\"tool_choice\": there is no tool \"%.100s\"",
                         out->tool_name);
}

static bool read_fields(struct reading *r) {
    const char *name;
    json_t *value;
    json_object_foreach(r->out->root, name, value) {
        const struct field *field = find_field(name, r->out->kind);
        if (!field) {
            ignore(r->out, name);
            continue;
        }
        r->name = field->name;
        r->at = field->at;
        if (!json_is_null(value) && !field->read(r, value)) return false;
    }
    return check_whole(r->out, r->problem);
}

bool openai_request_read(enum openai_kind kind, const char *body, size_t len,
                         struct openai_request *out, struct openai_problem *problem) {
    struct reading r = {.out = out, .problem = problem};
    *out = (struct openai_request){.kind = kind,
                                   .n = 1,
                                   .thinking = -1,
                                   .thinking_budget = -1,
                                   .parallel_calls = true,
                                   .arena = {.block_size = 4096}};
    if (!openai_body_read(body, len, &out->root, problem)) return false;
    return read_fields(&r);
}

void openai_request_free(struct openai_request *request) {
    json_decref(request->messages);
    json_decref(request->tools);
    json_decref(request->root);
    arena_free(&request->arena);
    *request = (struct openai_request){0};
}
