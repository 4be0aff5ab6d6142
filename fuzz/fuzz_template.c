/* A chat template: the first line of the input is JSON with variables (or nothing), the rest is the
 * template, rendered under small limits. Spans must lie in the text, in order. */
#include "fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "text/chat_template.h"

static const char variables[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"hi \\u00e9\"}, {\"role\": \"assistant\","
    " \"content\": null, \"n\": [1, 2.5, true]}], \"tools\": [{\"name\": \"f\"}], \"x\": \"a,b\"}";

static void check_spans(const struct text_span *spans, size_t n, size_t len) {
    for (size_t i = 0; i < n; i++) {
        if (spans[i].start >= spans[i].stop || spans[i].stop > len) abort();
        if (i && spans[i].start <= spans[i - 1].stop) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct chat_render_options options = {.now = 1721952000,
                                                .has_now = true,
                                                .max_steps = 20000,
                                                .max_output = 100000,
                                                .max_memory = 4 << 20};
    const char *text = (const char *)data, *line = memchr(text, '\n', size);
    json_t *input = line ? json_loadb(text, (size_t)(line - text), 0, NULL) : NULL;
    if (input) {
        size -= (size_t)(line + 1 - text);
        text = line + 1;
    }
    if (!json_is_object(input)) {
        json_decref(input);
        input = json_loads(variables, 0, NULL);
    }
    struct chat_template *tmpl = NULL;
    struct chat_rendered result = {0};
    struct jl_error err;
    if (chat_template_parse(text, size, &tmpl, &err) == JL_OK &&
        chat_template_render(tmpl, input, &options, &result, &err) == JL_OK) {
        check_spans(result.user, result.n_user, result.len);
        check_spans(result.generation, result.n_generation, result.len);
    }
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    json_decref(input);
    return 0;
}
