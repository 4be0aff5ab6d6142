/* Every environment variable the program looks at, in one table; `jinlin help env` prints it. */
#ifndef JL_BASE_ENV_H
#define JL_BASE_ENV_H

/* id, variable, what it does */
#define ENV_LIST(X)                                                                                \
    X(ENV_CPU, "JINLIN_CPU", "kernel level: ref, avx2, avx512, amx or neon (default: the best)")   \
    X(ENV_MEMORY, "JINLIN_MEMORY",                                                                 \
      "megabytes that models may take (default: what the system and its limits leave)")            \
    X(ENV_MODELS, "JINLIN_HOME",                                                                   \
      "folder of pulled models (default: $XDG_DATA_HOME/jinlin/models, where XDG_DATA_HOME is "    \
      "~/.local/share unless set)")                                                                \
    X(ENV_HF_ENDPOINT, "HF_ENDPOINT", "Hugging Face or a mirror of it for `pull`")                 \
    X(ENV_HF_TOKEN, "HF_TOKEN", "token for gated and private models there")                        \
    X(ENV_MS_ENDPOINT, "MODELSCOPE_ENDPOINT", "ModelScope for `pull`")                             \
    X(ENV_MS_TOKEN, "MODELSCOPE_API_TOKEN", "token for private models there")                      \
    X(ENV_CA_FILE, "SSL_CERT_FILE", "certificates that `pull` trusts in place of the system's")    \
    X(ENV_PULL_STALL, "JINLIN_PULL_STALL",                                                         \
      "seconds without data after which `pull` connects anew (default 30)")                        \
    X(ENV_PULL_WAIT, "JINLIN_PULL_WAIT",                                                           \
      "milliseconds `pull` waits before a second try, doubled for each further one (default "      \
      "1000)")                                                                                     \
    X(ENV_RUNS, "JINLIN_RUNS",                                                                     \
      "file in which training runs are recorded, `none` for nowhere (default: "                    \
      "$XDG_DATA_HOME/jinlin/runs.db)")                                                            \
    X(ENV_XDG_DATA, "XDG_DATA_HOME", "see JINLIN_HOME and JINLIN_RUNS")                            \
    X(ENV_USER_HOME, "HOME", "see JINLIN_HOME and JINLIN_RUNS")

enum env_id {
#define X(id, name, help) id,
    ENV_LIST(X)
#undef X
        ENV_COUNT
};

const char *env_get(enum env_id id); // NULL when unset or empty
const char *env_name(enum env_id id);
const char *env_help(enum env_id id);

#endif
