/* Bodies of requests in OpenAI's form: the first byte says of which kind. Whatever is taken is in
 * its ranges, and whatever is refused says why. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "serve/openai/request.h"

static void check_messages(const json_t *messages) {
    const json_t *message;
    size_t i;
    if (!json_is_array(messages)) abort();
    json_array_foreach(messages, i, message) {
        const char *role = json_string_value(json_object_get(message, "role"));
        if (!role || !strcmp(role, "developer")) abort();
    }
}

static void check_taken(enum openai_kind kind, const struct openai_request *request) {
    if (request->n < 1 || request->n_stop < 0 || request->n_stop > OPENAI_MOST_STOPS) abort();
    if (request->n_top < 0 || request->n_top > OPENAI_MOST_TOP_LOGPROBS) abort();
    if (kind == OPENAI_CHAT) check_messages(request->messages);
    if (kind == OPENAI_COMPLETION && (request->n_prompt < 1 || !request->prompts)) abort();
    for (int i = 0; i < request->n_stop; i++)
        if (!request->stop[i].len) abort();
    if (request->tool_choice == OPENAI_TOOLS_NAMED && !request->tool_name) abort();
    if (strpbrk(request->ignored, "\r\n")) abort();
    for (int i = 0; i < SAMPLE_PARAM_COUNT; i++) {
        const struct sample_param_row *row = sample_param_row((enum sample_param)i);
        if (request->has[i] &&
            !(request->values[i] >= row->least && request->values[i] <= row->most))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct openai_request request;
    struct openai_problem problem = {0};
    if (size == 0) return 0;
    enum openai_kind kind = data[0] & 1 ? OPENAI_CHAT : OPENAI_COMPLETION;
    if (openai_request_read(kind, (const char *)data + 1, size - 1, &request, &problem)) {
        check_taken(kind, &request);
    } else {
        json_t *json = openai_problem_json(&problem);
        if (!problem.status || !*problem.message) abort();
        json_decref(json);
    }
    openai_request_free(&request);
    return 0;
}
