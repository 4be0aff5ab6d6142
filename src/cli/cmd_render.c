/* render: the prompt that a chat template makes of a conversation. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "session/open_template.h"
#include "text/chat_template.h"

#define MAX_INPUT_BYTES ((size_t)256 << 20)

/* The variables on stdin. */
static enum jl_status read_variables(json_t **out, struct jl_error *err) {
    char *text = NULL;
    size_t len = 0;
    json_error_t error;
    *out = NULL;
    JL_TRY(file_read_standard(MAX_INPUT_BYTES, &text, &len, err));
    enum jl_status status =
        jl_json_load(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, out, &error);
    free(text);
    if (status == JL_ERR_MEMORY) return jl_fail(err, status, "out of memory for the JSON on stdin");
    if (*out && json_is_object(*out)) return JL_OK;
    if (*out) return jl_fail(err, JL_ERR_USAGE, "the JSON on stdin must be an object");
    return jl_fail(err, JL_ERR_USAGE, "the JSON on stdin, line %d: %s", error.line, error.text);
}

static enum jl_status read_clock(const char *text, struct chat_render_options *options,
                                 struct jl_error *err) {
    char *end;
    if (!text) return JL_OK;
    errno = 0;
    long long now = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return jl_fail(err, JL_ERR_USAGE, "--now takes seconds since 1970, not '%s'", text);
    options->now = now;
    options->has_now = true;
    return JL_OK;
}

static enum jl_status render(const char *path, const char *name, json_t *variables,
                             const struct chat_render_options *options, struct jl_error *err) {
    struct model_template found = {0};
    struct chat_template *tmpl = NULL;
    struct chat_rendered result = {0};
    struct jl_error inner;
    bool tools = json_is_array(json_object_get(variables, "tools"));
    enum jl_status status = open_template(path, name, tools, &found, err);
    if (status == JL_OK) status = open_template_variables(&found, variables, err);
    if (status == JL_OK) {
        status = chat_template_parse(found.source, found.len, &tmpl, &inner);
        if (status == JL_OK)
            status = chat_template_render(tmpl, variables, options, &result, &inner);
        if (status != JL_OK) jl_fail(err, status, "%s: %s", found.name, inner.message);
    }
    if (status == JL_OK &&
        (fwrite(result.text, 1, result.len, stdout) != result.len || fflush(stdout) != 0))
        status = jl_fail(err, JL_ERR_IO, "stdout: %s", strerror(errno));
    chat_rendered_free(&result);
    chat_template_free(tmpl);
    open_template_free(&found);
    return status;
}

int cmd_render(int argc, char **argv) {
    const char *path, *name = NULL, *now = NULL;
    bool done;
    const struct cli_option options[] = {
        {"--template", NULL, CLI_TEXT, &name, "NAME", "the model's template of this name", 0, 0},
        {"--now", NULL, CLI_TEXT, &now, "UNIXTIME", "the template's clock, in UTC", 0, 0},
    };
    const struct cli_spec spec = {"render",
                                  "MODEL|FILE.jinja [--now UNIXTIME] [--template NAME] < IN.json",
                                  "print the prompt that a chat template makes of a conversation",
                                  "jinlin render model.gguf < conversation.json",
                                  options,
                                  sizeof options / sizeof options[0],
                                  1,
                                  1,
                                  true};
    struct jl_error err = {0};
    struct chat_render_options clock = {0};
    json_t *variables = NULL;
    enum jl_status status = cli_parse(&spec, argc, argv, &path, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = read_clock(now, &clock, &err);
    if (status == JL_OK) status = read_variables(&variables, &err);
    if (status == JL_OK) status = render(path, name, variables, &clock, &err);
    json_decref(variables);
    return cli_finish(&spec, status, &err);
}
