/* Renders templates from stdin, one JSON object a line ({"template", "input", "now"}), and answers
 * a line each: {"output", "user", "generation"} or {"error", "status"}. What tests against other
 * implementations drive. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/chat_template.h"

static json_t *spans_json(const struct text_span *spans, size_t n) {
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("[I,I]", (json_int_t)spans[i].start, (json_int_t)spans[i].stop));
    return list;
}

static json_t *answer(const json_t *line) {
    const json_t *source = json_object_get(line, "template"), *now = json_object_get(line, "now");
    struct chat_render_options options = {.now = json_integer_value(now), .has_now = now};
    struct chat_template *tmpl = NULL;
    struct chat_rendered result = {0};
    struct jl_error err = {0};
    enum jl_status status =
        chat_template_parse(json_string_value(source), json_string_length(source), &tmpl, &err);
    if (status == JL_OK)
        status =
            chat_template_render(tmpl, json_object_get(line, "input"), &options, &result, &err);
    json_t *out;
    if (status == JL_OK)
        out = json_pack("{s:o, s:o, s:o}", "output", json_stringn(result.text, result.len), "user",
                        spans_json(result.user, result.n_user), "generation",
                        spans_json(result.generation, result.n_generation));
    else
        out = json_pack("{s:s, s:s}", "error", err.message, "status", jl_status_name(status));
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    return out;
}

int main(void) {
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&text, &cap, stdin)) > 0) {
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)len, JSON_ALLOW_NUL, &error);
        json_t *out =
            line ? answer(line) : json_pack("{s:s, s:s}", "error", error.text, "status", "json");
        char *reply = out ? json_dumps(out, JSON_COMPACT) : NULL;
        if (!reply) return 1;
        puts(reply);
        free(reply);
        json_decref(out);
        json_decref(line);
    }
    free(text);
    return 0;
}
