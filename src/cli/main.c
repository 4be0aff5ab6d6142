/* The program: finds the command and runs it. */
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "cli/cli.h"

const struct cli_command cli_commands[] = {
#define X(name, summary) {#name, summary, cmd_##name},
    COMMAND_LIST(X)
#undef X
        {NULL, NULL, NULL},
};

static void help_env(void) {
    printf("environment variables:\n");
    for (int i = 0; i < ENV_COUNT; i++)
        printf("  %-20s %s\n", env_name((enum env_id)i), env_help((enum env_id)i));
}

static void help_exit(void) {
    printf("exit codes:\n");
    for (int i = 0; i < JL_STATUS_COUNT; i++)
        printf("  %3d  %s\n", jl_status_exit_code((enum jl_status)i),
               jl_status_name((enum jl_status)i));
}

static void help_all(void) {
    printf("jinlin %s: load, chat with, serve and teach open language models\n\n", JINLIN_VERSION);
    for (int i = 0; cli_commands[i].name; i++)
        printf("  %-10s %s\n", cli_commands[i].name, cli_commands[i].summary);
    printf(
        "\n`jinlin COMMAND --help` says more; `jinlin help env` and `jinlin help exit` list the\n"
        "environment variables and the exit codes.\n");
}

static const struct cli_command *find(const char *name) {
    for (int i = 0; cli_commands[i].name; i++)
        if (!strcmp(cli_commands[i].name, name)) return &cli_commands[i];
    return NULL;
}

int cmd_help(int argc, char **argv) {
    const char *topic = argc > 1 ? argv[1] : "";
    if (!*topic || !strcmp(topic, "--help")) {
        help_all();
        return 0;
    }
    if (!strcmp(topic, "env")) {
        help_env();
        return 0;
    }
    if (!strcmp(topic, "exit")) {
        help_exit();
        return 0;
    }
    const struct cli_command *command = find(topic);
    if (command && command->run != cmd_help) {
        char flag[] = "--help", *args[] = {argv[1], flag, NULL};
        return command->run(2, args);
    }
    fprintf(stderr, "jinlin help: no command or topic '%s'; try: jinlin help\n", topic);
    return jl_status_exit_code(JL_ERR_USAGE);
}

int main(int argc, char **argv) {
    if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        help_all();
        return argc < 2 ? jl_status_exit_code(JL_ERR_USAGE) : 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("jinlin %s\n", JINLIN_VERSION);
        return 0;
    }
    const struct cli_command *command = find(argv[1]);
    if (!command) {
        fprintf(stderr, "jinlin: no command '%s'; try: jinlin help\n", argv[1]);
        return jl_status_exit_code(JL_ERR_USAGE);
    }
    int code = command->run(argc - 1, argv + 1);
    if (fflush(stdout) && code == 0) {
        perror("jinlin: stdout");
        code = jl_status_exit_code(JL_ERR_IO);
    }
    return code;
}
