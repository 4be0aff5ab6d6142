/* What an answer may be: forms, and calls of the tools that are offered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/openai/exchange_self.h"
#include "serve/relax.h"

static bool was_asked(enum jl_status status) {
    return status == JL_ERR_UNSUPPORTED || status == JL_ERR_FORMAT || status == JL_ERR_LIMIT;
}

static void set_parameters(struct grammar_tool *tool, const json_t *schema) {
    free((char *)(uintptr_t)tool->parameters);
    tool->parameters = json_dumps(schema, JSON_COMPACT);
}

/* For a header, which takes names only. */
static void note_relaxed(struct exchange *x, const char *name) {
    size_t have = strlen(x->relaxed), n = strlen(name);
    if (n > 64 ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") < n)
        name = "(a tool)";
    snprintf(x->relaxed + have, sizeof x->relaxed - have, "%s%s", have ? ", " : "", name);
}

/* Leaves out what cannot be followed of a tool's schema, and says so. */
static bool relax_tool(struct exchange *x, const struct constraint_spec *spec,
                       struct grammar_tool *tool, const json_t *schema) {
    enum { MOST_TRIES = 200 };
    struct constraint_spec alone = {.tools = tool, .n_tool = 1, .must_call = true};
    struct jl_error err = {0};
    json_t *copy = json_deep_copy(schema);
    int tries = 0;
    alone.thought = spec->thought;
    while (copy && constraint_check(served_constraints(x->served), &alone, &err) != JL_OK) {
        if (tries++ == MOST_TRIES || !was_asked(err.status) || !relax_schema(copy, err.message)) {
            json_decref(copy);
            copy = json_pack("{s:s}", "type", "object");
            if (tries > MOST_TRIES + 1 || !was_asked(err.status)) break;
            tries = MOST_TRIES + 1;
        }
        if (copy) set_parameters(tool, copy);
        if (!tool->parameters) break;
    }
    json_decref(copy);
    if (tries) note_relaxed(x, tool->name);
    return copy && tool->parameters;
}

/* The tools whose schemas are not said to be strict. */
static bool relax_tools(struct exchange *x, const struct constraint_spec *spec,
                        struct grammar_tool *tools) {
    const json_t *tool;
    size_t i, at = 0;
    json_array_foreach(x->asked.tools, i, tool) {
        const json_t *function = json_object_get(tool, "function");
        const char *name = json_string_value(json_object_get(function, "name"));
        const json_t *schema = json_object_get(function, "parameters");
        if (at == spec->n_tool || strcmp(tools[at].name, name) != 0) continue;
        if (schema && !json_is_true(json_object_get(function, "strict")) &&
            !relax_tool(x, spec, &tools[at], schema))
            return false;
        at++;
    }
    return true;
}

static bool read_tools(const struct exchange *x, struct grammar_tool *tools, size_t *n) {
    const struct openai_request *asked = &x->asked;
    const json_t *tool;
    size_t i;
    *n = 0;
    json_array_foreach(asked->tools, i, tool) {
        const json_t *function = json_object_get(tool, "function");
        const json_t *parameters = json_object_get(function, "parameters");
        const char *name = json_string_value(json_object_get(function, "name"));
        if (asked->tool_choice == OPENAI_TOOLS_NONE ||
            (asked->tool_choice == OPENAI_TOOLS_NAMED && strcmp(name, asked->tool_name) != 0))
            continue;
        char *text = parameters ? json_dumps(parameters, JSON_COMPACT) : NULL;
        if (!text && parameters) return false;
        tools[(*n)++] = (struct grammar_tool){name, text};
    }
    return true;
}

static enum constraint_thought thought_of(const struct exchange *x) {
    const struct dialect *dialect = served_parts(x->served)->form->dialect;
    if (x->asked.kind != OPENAI_CHAT || !dialect || !*dialect->think.open)
        return CONSTRAINT_NO_THOUGHT;
    if (x->start.in_thought) return CONSTRAINT_IN_THOUGHT;
    return x->asked.thinking == 0 ? CONSTRAINT_NO_THOUGHT : CONSTRAINT_MAY_THINK;
}

static enum jl_status open_constraint(struct exchange *x, struct constraint_spec *spec,
                                      struct grammar_tool *tools, struct jl_error *err) {
    struct constraints *all = served_constraints(x->served);
    enum jl_status status = constraint_open(all, spec, &x->constraint, err);
    if (!was_asked(status) || !spec->n_tool) return status;
    if (!relax_tools(x, spec, tools)) return jl_fail(err, JL_ERR_MEMORY, "out of memory for tools");
    return *x->relaxed ? constraint_open(all, spec, &x->constraint, err) : status;
}

bool exchange_constrain(struct exchange *x) {
    static const enum constraint_kind kinds[] = {[OPENAI_TEXT] = CONSTRAINT_TEXT,
                                                 [OPENAI_JSON_OBJECT] = CONSTRAINT_JSON,
                                                 [OPENAI_JSON_SCHEMA] = CONSTRAINT_SCHEMA,
                                                 [OPENAI_REGEX] = CONSTRAINT_REGEX,
                                                 [OPENAI_GRAMMAR] = CONSTRAINT_GBNF};
    const struct openai_request *asked = &x->asked;
    struct jl_error err = {0};
    struct constraint_spec spec = {.kind = kinds[asked->format],
                                   .thought = thought_of(x),
                                   .must_call = asked->tool_choice == OPENAI_TOOLS_REQUIRED ||
                                                asked->tool_choice == OPENAI_TOOLS_NAMED,
                                   .one_call = !asked->parallel_calls,
                                   .one_line = true};
    struct grammar_tool *tools = calloc(json_array_size(asked->tools) + 1, sizeof *tools);
    bool schema = asked->format == OPENAI_JSON_SCHEMA;
    char *text = schema ? json_dumps(asked->schema, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    bool fits = tools && (text || !schema) && read_tools(x, tools, &spec.n_tool);
    enum jl_status status = JL_OK;
    spec.tools = tools;
    spec.source = schema ? text : asked->grammar;
    spec.len = spec.source ? strlen(spec.source) : 0;
    if (fits && (spec.n_tool || spec.kind != CONSTRAINT_TEXT))
        status = open_constraint(x, &spec, tools, &err);
    for (size_t i = 0; tools && i < spec.n_tool; i++)
        free((char *)(uintptr_t)tools[i].parameters);
    free(tools);
    free(text);
    if (!fits) return openai_no_memory(&x->problem);
    if (status == JL_OK) return true;
    openai_failed(&x->problem, status, err.message);
    snprintf(x->problem.param, sizeof x->problem.param, "%s",
             asked->format == OPENAI_TEXT ? "tools" : "response_format");
    return false;
}
