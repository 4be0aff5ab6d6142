#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MAX_OPTIONS 64

static void print_help(const struct cli_spec *spec) {
    printf("jinlin %s: %s\n\nusage: jinlin %s %s\n", spec->name, spec->summary, spec->name,
           spec->arguments);
    if (spec->n_option) printf("\noptions:\n");
    for (int i = 0; i < spec->n_option; i++) {
        const struct cli_option *o = &spec->options[i];
        char left[64];
        snprintf(left, sizeof left, "%s%s%s%s%s", o->alias ? o->alias : "", o->alias ? ", " : "",
                 o->name, o->label ? " " : "", o->label ? o->label : "");
        printf("  %-24s %s\n", left, o->help);
    }
    printf("  %-24s %s\n", "--help", "this text");
    printf("\nexample:\n  %s\n", spec->example);
}

static const struct cli_option *find_option(const struct cli_spec *spec, const char *name,
                                            size_t len) {
    for (int i = 0; i < spec->n_option; i++) {
        const struct cli_option *o = &spec->options[i];
        if (strlen(o->name) == len && !strncmp(o->name, name, len)) return o;
        if (o->alias && strlen(o->alias) == len && !strncmp(o->alias, name, len)) return o;
    }
    return NULL;
}

static enum jl_status set_option(const struct cli_option *o, const char *text,
                                 struct jl_error *err) {
    if (o->type == CLI_TEXT) {
        *(const char **)o->value = text;
        return JL_OK;
    }
    if (o->type == CLI_LIST) {
        struct cli_list *list = o->value;
        if (list->n == CLI_LIST_MAX)
            return jl_fail(err, JL_ERR_USAGE, "option %s is given more than %d times", o->name,
                           CLI_LIST_MAX);
        list->items[list->n++] = text;
        return JL_OK;
    }
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < o->min || number > o->max)
        return jl_fail(err, JL_ERR_USAGE, "option %s takes a whole number from %d to %d, not '%s'",
                       o->name, o->min, o->max, text);
    *(int *)o->value = (int)number;
    return JL_OK;
}

enum jl_status cli_parse(const struct cli_spec *spec, int argc, char **argv, const char **args,
                         bool *done, struct jl_error *err) {
    bool seen[MAX_OPTIONS] = {false}, only_args = false;
    int n_arg = 0;
    *done = false;
    for (int i = 0; i < spec->max_args; i++)
        args[i] = NULL;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_args && !strcmp(word, "--")) {
            only_args = true;
        } else if (!only_args && !strcmp(word, "--help")) {
            print_help(spec);
            *done = true;
            return JL_OK;
        } else if (!only_args && word[0] == '-' && word[1]) {
            const char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
            size_t len = equals ? (size_t)(equals - word) : strlen(word);
            const struct cli_option *o = find_option(spec, word, len);
            if (!o) return jl_fail(err, JL_ERR_USAGE, "unknown option '%.*s'", (int)len, word);
            if (seen[o - spec->options] && o->type != CLI_LIST)
                return jl_fail(err, JL_ERR_USAGE, "option %s is given twice", o->name);
            seen[o - spec->options] = true;
            if (o->type == CLI_FLAG) {
                if (equals) return jl_fail(err, JL_ERR_USAGE, "option %s takes no value", o->name);
                *(bool *)o->value = true;
                continue;
            }
            if (!equals && i + 1 == argc)
                return jl_fail(err, JL_ERR_USAGE, "option %s needs a value (%s)", o->name,
                               o->label);
            JL_TRY(set_option(o, equals ? equals + 1 : argv[++i], err));
        } else {
            if (n_arg == spec->max_args)
                return jl_fail(err, JL_ERR_USAGE, "unexpected argument '%s'", word);
            args[n_arg++] = word;
        }
    }
    if (n_arg < spec->min_args)
        return jl_fail(err, JL_ERR_USAGE, "usage: jinlin %s %s", spec->name, spec->arguments);
    if (spec->takes_model) JL_TRY(cli_model_path(&args[0], err));
    return JL_OK;
}

int cli_finish(const struct cli_spec *spec, enum jl_status status, const struct jl_error *err) {
    if (status == JL_OK) return 0;
    fprintf(stderr, "jinlin %s: %s\n", spec->name, err->message);
    if (status == JL_ERR_USAGE) fprintf(stderr, "try: jinlin %s --help\n", spec->name);
    return jl_status_exit_code(status);
}
