/* tokenizer train: a tokenizer of one's own, from texts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/train_inputs.h"
#include "text/chat_template.h"

#define MAX_TEMPLATE ((size_t)1 << 20)

struct tokenizer_run {
    const char *out, *template_path, *han, *digits, *newlines;
    struct cli_list special, tests;
    int min_count, max_token_bytes, limit_bytes, threads;
    struct bpe_train_options options;
    struct train_inputs inputs, held_out; // trained on; only measured
    char *chat_template;
    struct pool *pool;
    struct bpe_trained trained;
    struct tokenizer *tokenizer; // what was trained, read back
    double started;
};

/* ---- options ---- */

static enum jl_status set_single(const char *option, const char *value, bool *single,
                                 struct jl_error *err) {
    *single = value && !strcmp(value, "single");
    if (!value || *single || !strcmp(value, "free")) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "option %s takes 'single' or 'free', not '%s'", option,
                   value);
}

static enum jl_status add_special(struct bpe_train_options *options, const char *text,
                                  struct jl_error *err) {
    if (options->n_special == BPE_TRAIN_SPECIAL_MAX)
        return jl_fail(err, JL_ERR_USAGE, "more than %d special tokens", BPE_TRAIN_SPECIAL_MAX);
    options->special[options->n_special++] = text;
    return JL_OK;
}

/* A token with a role need not be named once more as --special. */
static enum jl_status add_role(struct bpe_train_options *options, const char *text,
                               struct jl_error *err) {
    for (int i = 0; text && i < options->n_special; i++)
        if (!strcmp(options->special[i], text)) return JL_OK;
    return text ? add_special(options, text, err) : JL_OK;
}

static enum jl_status set_options(struct tokenizer_run *run, struct jl_error *err) {
    struct bpe_train_options *options = &run->options;
    if (!run->out) return jl_fail(err, JL_ERR_USAGE, "--out names the folder or file to write");
    JL_TRY(set_single("--han", run->han, &options->rules.han_single, err));
    JL_TRY(set_single("--digits", run->digits, &options->rules.digits_single, err));
    JL_TRY(set_single("--newlines", run->newlines, &options->rules.newlines_single, err));
    options->min_count = (uint64_t)run->min_count;
    options->max_token_bytes = (size_t)run->max_token_bytes;
    for (int i = 0; i < run->special.n; i++)
        JL_TRY(add_special(options, run->special.items[i], err));
    JL_TRY(add_role(options, options->bos, err));
    JL_TRY(add_role(options, options->eos, err));
    return add_role(options, options->pad, err);
}

/* A template that does not parse must not become part of a model. */
static enum jl_status read_template(struct tokenizer_run *run, struct jl_error *err) {
    struct chat_template *parsed = NULL;
    struct jl_error inner = {0};
    size_t len;
    if (!run->template_path) return JL_OK;
    JL_TRY(file_read(run->template_path, MAX_TEMPLATE, &run->chat_template, &len, err));
    enum jl_status status = chat_template_parse(run->chat_template, len, &parsed, &inner);
    chat_template_free(parsed);
    if (status != JL_OK) return jl_fail(err, status, "%s: %s", run->template_path, inner.message);
    if (strlen(run->chat_template) != len)
        return jl_fail(err, JL_ERR_FORMAT, "%s holds a NUL", run->template_path);
    run->options.chat_template = run->chat_template;
    return JL_OK;
}

/* ---- writing ---- */

static bool is_file_name(const char *path) {
    size_t len = strlen(path);
    return len > 5 && !strcmp(path + len - 5, ".json") && !file_is_dir(path);
}

static enum jl_status check_out(const struct tokenizer_run *run, struct jl_error *err) {
    if (is_file_name(run->out) && run->template_path)
        return jl_fail(err, JL_ERR_USAGE,
                       "%s is a file, which has no place for the template: let --out name a folder",
                       run->out);
    if (!is_file_name(run->out) && file_exists(run->out) && !file_is_dir(run->out))
        return jl_fail(err, JL_ERR_USAGE, "%s is no folder, and a file's name must end with .json",
                       run->out);
    return JL_OK;
}

static enum jl_status write_file(const char *path, const char *text, size_t len,
                                 struct jl_error *err) {
    struct file_writer writer;
    JL_TRY(file_writer_open(path, &writer, err));
    fwrite(text, 1, len, writer.stream); // commit sees whether it failed
    return file_writer_commit(&writer, err);
}

static enum jl_status write_in(const char *folder, const char *name, const char *text, size_t len,
                               struct jl_error *err) {
    char *path = file_path_in(folder, name);
    if (!path) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a path");
    enum jl_status status = write_file(path, text, len, err);
    free(path);
    return status;
}

static enum jl_status write_all(const struct tokenizer_run *run, struct jl_error *err) {
    const struct bpe_trained *trained = &run->trained;
    if (is_file_name(run->out))
        return write_file(run->out, trained->tokenizer, trained->tokenizer_len, err);
    if (mkdir(run->out, 0777) && errno != EEXIST)
        return jl_fail(err, JL_ERR_IO, "%s cannot be made: %s", run->out, strerror(errno));
    JL_TRY(write_in(run->out, "tokenizer.json", trained->tokenizer, trained->tokenizer_len, err));
    return write_in(run->out, "tokenizer_config.json", trained->config, trained->config_len, err);
}

/* ---- what is said ---- */

static enum jl_status print_measures(const struct tokenizer_run *run,
                                     const struct train_inputs *inputs, const char *note,
                                     struct jl_error *err) {
    for (int i = 0; i < inputs->n; i++) {
        struct bpe_train_measure measure;
        JL_TRY(bpe_train_measure(run->tokenizer, &inputs->sources[i], run->pool, &measure, err));
        printf("%s%s: %llu bytes, %llu tokens", inputs->sources[i].name, note,
               (unsigned long long)measure.n_byte, (unsigned long long)measure.n_token);
        if (measure.n_token)
            printf(", %.3f bytes a token", (double)measure.n_byte / (double)measure.n_token);
        printf("\n");
    }
    return JL_OK;
}

static void print_result(const struct tokenizer_run *run) {
    const struct bpe_trained *trained = &run->trained;
    printf("%s: %d tokens: 256 bytes, %d merges", run->out, trained->n_token, trained->n_merge);
    if (trained->n_han) printf(" (with %d Han characters)", trained->n_han);
    printf(", %d special; %llu different words; %.1f s\n", trained->n_special,
           (unsigned long long)trained->n_piece, clock_seconds() - run->started);
    if (trained->n_token < run->options.vocab_size)
        fprintf(stderr,
                "jinlin tokenizer train: no pair of tokens was left that occurs %d times: the "
                "vocabulary has %d tokens, not %d\n",
                run->min_count, trained->n_token, run->options.vocab_size);
}

/* ---- the command ---- */

static enum jl_status open_inputs(struct tokenizer_run *run, const char *const *files,
                                  struct jl_error *err) {
    size_t limit = (size_t)run->limit_bytes;
    for (int i = 0; i < TRAIN_INPUTS_MAX && files[i]; i++)
        JL_TRY(train_inputs_add(&run->inputs, files[i], limit, err));
    for (int i = 0; i < run->tests.n; i++)
        JL_TRY(train_inputs_add(&run->held_out, run->tests.items[i], 0, err));
    return JL_OK;
}

static enum jl_status train(struct tokenizer_run *run, const char *const *files,
                            struct jl_error *err) {
    const struct pool_options pool = {.n_threads =
                                          run->threads ? run->threads : pool_default_threads()};
    const struct bpe_trained *trained = &run->trained;
    run->started = clock_seconds();
    JL_TRY(set_options(run, err));
    JL_TRY(check_out(run, err));
    JL_TRY(read_template(run, err));
    JL_TRY(open_inputs(run, files, err));
    JL_TRY(pool_create(&pool, &run->pool, err));
    JL_TRY(bpe_train(run->inputs.sources, run->inputs.n, &run->options, run->pool, &run->trained,
                     err));
    JL_TRY(tokenizer_from_json(trained->tokenizer, trained->tokenizer_len, trained->config,
                               trained->config_len, &run->tokenizer, err));
    JL_TRY(write_all(run, err));
    print_result(run);
    JL_TRY(print_measures(run, &run->inputs, "", err));
    return print_measures(run, &run->held_out, " (test)", err);
}

static int run_train(int argc, char **argv) {
    struct tokenizer_run run = {.min_count = 2, .max_token_bytes = 64};
    const char *files[TRAIN_INPUTS_MAX] = {NULL};
    bool done;
    bpe_train_defaults(&run.options);
    const struct cli_option options[] = {
        {"--out", "-o", CLI_TEXT, &run.out, "PATH",
         "the folder to write, or a file whose name ends with .json", 0, 0},
        {"--vocab-size", NULL, CLI_INT, &run.options.vocab_size, "N",
         "tokens in all, 256 bytes and special ones included (default 32000)", 1, 1 << 30},
        {"--pattern", NULL, CLI_TEXT, &run.options.rules.pattern, "NAME",
         "how text is cut into words: qwen2 (default), cl100k, o200k, gpt-2", 0, 0},
        {"--han", NULL, CLI_TEXT, &run.han, "single|free",
         "single: each Han character that occurs --min-count times is a token of its own", 0, 0},
        {"--digits", NULL, CLI_TEXT, &run.digits, "single|free",
         "single: each digit is a token of its own, as with qwen2 anyway", 0, 0},
        {"--newlines", NULL, CLI_TEXT, &run.newlines, "single|free",
         "single: each line end is a token of its own", 0, 0},
        {"--no-space-prefix", NULL, CLI_FLAG, &run.options.rules.spaces_apart, NULL,
         "white space is never in one token with the word behind it", 0, 0},
        {"--cross-characters", NULL, CLI_FLAG, &run.options.cross_characters, NULL,
         "a token may hold a part of one character and some of the next", 0, 0},
        {"--min-count", NULL, CLI_INT, &run.min_count, "N",
         "how often a pair must occur to be merged (default 2)", 1, INT32_MAX},
        {"--max-token-bytes", NULL, CLI_INT, &run.max_token_bytes, "N",
         "of the longest token (default 64)", 4, BPE_TRAIN_TOKEN_BYTES},
        {"--limit-bytes", NULL, CLI_INT, &run.limit_bytes, "N",
         "train on no more than the first N bytes of each file", 1, INT32_MAX},
        {"--special", NULL, CLI_LIST, &run.special, "TOKEN",
         "a special token; may be given several times", 0, 0},
        {"--special-first", NULL, CLI_FLAG, &run.options.special_first, NULL,
         "special tokens have the first ids, not the last", 0, 0},
        {"--bos", NULL, CLI_TEXT, &run.options.bos, "TOKEN", "the token that begins a text", 0, 0},
        {"--eos", NULL, CLI_TEXT, &run.options.eos, "TOKEN", "the token that ends a text", 0, 0},
        {"--pad", NULL, CLI_TEXT, &run.options.pad, "TOKEN", "the token that fills up", 0, 0},
        {"--add-bos", NULL, CLI_FLAG, &run.options.add_bos, NULL, "BOS in front of every text", 0,
         0},
        {"--template", NULL, CLI_TEXT, &run.template_path, "FILE.jinja",
         "the chat template, for tokenizer_config.json", 0, 0},
        {"--test", NULL, CLI_LIST, &run.tests, "FILE",
         "a file that is only measured; may be given several times", 0, 0},
        {"--threads", "-t", CLI_INT, &run.threads, "N", "threads (default: physical cores)", 1,
         POOL_MAX_THREADS},
    };
    const struct cli_spec spec = {
        "tokenizer train",
        "FILE[@WEIGHT]... --out FOLDER [options]",
        "a byte-level BPE tokenizer from text files and JSONL files",
        "jinlin tokenizer train corpus.txt chat.jsonl@3 --vocab-size 8192 --out model",
        options,
        sizeof options / sizeof options[0],
        1,
        TRAIN_INPUTS_MAX,
        false};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, files, &done, &err);
    if (done) return 0;
    if (status == JL_OK) status = train(&run, files, &err);
    tokenizer_free(run.tokenizer);
    bpe_trained_free(&run.trained);
    pool_free(run.pool);
    train_inputs_free(&run.inputs);
    train_inputs_free(&run.held_out);
    free(run.chat_template);
    return cli_finish(&spec, status, &err);
}

/* `train` is all there is so far, so its help is the command's. */
int cmd_tokenizer(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "train")) return run_train(argc - 1, argv + 1);
    if (argc > 1 && !strcmp(argv[1], "--help")) return run_train(argc, argv);
    fprintf(stderr, "jinlin tokenizer: %s%s%s; try: jinlin tokenizer train --help\n",
            argc > 1 ? "no subcommand '" : "a subcommand is needed", argc > 1 ? argv[1] : "",
            argc > 1 ? "'" : "");
    return jl_status_exit_code(JL_ERR_USAGE);
}
