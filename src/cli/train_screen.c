#include "cli/train_screen.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "cli/chat/shown.h"
#include "cli/cli.h"
#include "cli/train_record.h"

struct screen {
    bool quiet, drawn; // drawn: a line without its end stands on the terminal
    bool terminal;
    double began, shown; // seconds
    double busy;         // in steps of this call
    int64_t rows, steps; // of this call
    int64_t shown_step;
    struct cli_progress progress;
    const struct recipe *recipe;
    const char *folder;
    struct backend *backend;
    struct train_record record;
    int64_t step; // the last one
};

/* ---- Ctrl-C ---- */

static atomic_bool stop_wanted;

/* The first asks for an end after the step; the second is the system's. */
static void on_signal(int number) {
    atomic_store(&stop_wanted, true);
    signal(number, SIG_DFL);
}

static void catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        signal(numbers[i], on_signal);
}

/* ---- lines ---- */

static void end_line(struct screen *s) {
    if (s->drawn) fprintf(stderr, "\r\033[K");
    s->drawn = false;
    cli_progress_end(&s->progress);
}

static void print_time(char *out, size_t size, double seconds) {
    if (seconds < 90)
        snprintf(out, size, "%.0f s", seconds);
    else if (seconds < 5400)
        snprintf(out, size, "%.0f min", seconds / 60);
    else
        snprintf(out, size, "%.1f h", seconds / 3600);
}

static void on_note(void *ctx, const char *text) {
    struct screen *s = ctx;
    end_line(s);
    fprintf(stderr, "jinlin: %s\n", text);
    if (s->record.metrics) metrics_event(s->record.metrics, s->step, "note", text);
}

/* Of the record itself, which takes no more notes then. */
static void on_record_lost(void *ctx, const char *text) {
    end_line(ctx);
    fprintf(stderr, "jinlin: %s\n", text);
}

static bool on_tokenising(void *ctx, const struct data_progress *progress) {
    struct screen *s = ctx;
    if (progress->tokenizing)
        cli_progress_step(&s->progress, "tokenising: megabyte", (int64_t)(progress->done >> 20),
                          (int64_t)(progress->total >> 20));
    return !atomic_load(&stop_wanted);
}

static void on_begin(void *ctx, const struct learner *learner, int64_t steps_done) {
    struct screen *s = ctx;
    char class[CLASS_NAME_BYTES];
    end_line(s);
    s->step = steps_done;
    train_record_begin(&s->record, s->recipe, s->folder, s->backend, learner, steps_done);
    s->began = s->shown = clock_seconds();
    if (s->quiet) return;
    class_name(&learner_model(learner)->cls, class);
    printf("%s: %.2f M parameters are learned, %.2f M take part in a token; %.0f MB; %s\n",
           learner_model(learner)->family->name, 1e-6 * (double)learner_n_param(learner),
           1e-6 * (double)learner_n_active(learner), 1e-6 * (double)learner_bytes(learner), class);
    if (steps_done) printf("goes on after step %" PRId64 "\n", steps_done);
    fflush(stdout);
}

/* What a step by reward tells, in place of a loss. */
static void write_reward(const struct screen *s, const struct run_step *step, FILE *to) {
    const struct rl_report *r = step->rl;
    fprintf(to, "reward %.3f", r->reward);
    for (int i = 0; s->recipe->n_reward > 1 && i < s->recipe->n_reward; i++)
        fprintf(to, "%s%s %.3f", i ? ", " : " (", s->recipe->rewards[i].kind, r->parts[i]);
    fprintf(to, "%s, right %.0f %%, length %.0f", s->recipe->n_reward > 1 ? ")" : "",
            100 * r->right, r->length);
    if (r->truncated > 0) fprintf(to, ", cut %.0f %%", 100 * r->truncated);
    fprintf(to, ", alike %.0f %%, entropy %.3f", 100 * r->silent, r->entropy);
    if (s->recipe->grpo_kl > 0) fprintf(to, ", kl %.4f", r->kl);
    if (r->clipped > 0) fprintf(to, ", clipped %.2f %%", 100 * r->clipped);
    fprintf(to, ", norm %.3f, rate %.2e, difference %.1f of %" PRId64, step->result.norm,
            (double)step->rate, r->difference, r->n_checked);
    fprintf(to, ", drawn %.0f tokens/s, learned %.0f", (double)r->n_token / r->draw_seconds,
            (double)r->n_row / r->learn_seconds);
}

static void write_loss(const struct screen *s, const struct run_step *step, FILE *to) {
    double share = train_record_share(&s->record, step);
    fprintf(to, "loss %.4f", step->result.loss);
    if (step->result.mtp_loss > 0) fprintf(to, ", next but one %.4f", step->result.mtp_loss);
    fprintf(to, ", norm %.3f, rate %.2e, %.0f tokens/s", step->result.norm, (double)step->rate,
            (double)s->rows / s->busy);
    if (!isnan(share)) fprintf(to, ", %.0f %% of peak", 100 * share);
    if (s->record.load > 0) fprintf(to, ", load %.2f", s->record.load);
}

/* Into a line of `size` bytes, cut where it ends. */
static void write_step(const struct screen *s, const struct run_step *step, char *out,
                       size_t size) {
    char left[32];
    FILE *to = fmemopen(out, size, "w");
    double a_step = s->busy / (double)s->steps;
    *out = 0;
    if (!to) return;
    print_time(left, sizeof left, a_step * (double)(step->n_step - step->step));
    fprintf(to, "step %" PRId64 " of %" PRId64 " (%s): ", step->step, step->n_step, step->stage);
    if (step->rl)
        write_reward(s, step, to);
    else
        write_loss(s, step, to);
    fprintf(to, ", %s left", left);
    fclose(to);
}

/* What of a line fits in the terminal: one that is redrawn must not begin a second. */
static int screen_width(void) {
    struct winsize size = {0};
    ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
    return size.ws_col > 1 ? size.ws_col - 1 : 79;
}

/* In a terminal one line that is redrawn and stays every ten seconds; elsewhere a line every ten
 * seconds. The first and the last step are always told. */
static void on_step(void *ctx, const struct run_step *step) {
    struct screen *s = ctx;
    char line[512];
    double now = clock_seconds();
    s->busy += step->seconds;
    s->rows += step->result.n_row;
    s->steps++;
    s->step = step->step;
    train_record_step(&s->record, step);
    if (s->quiet) return;
    write_step(s, step, line, sizeof line);
    bool stays = s->steps == 1 || step->stage_step == step->stage_n_step || now - s->shown >= 10;
    if (stays) {
        end_line(s);
        printf("%s\n", line);
        fflush(stdout);
        s->shown = now;
    } else if (s->terminal) {
        fprintf(stderr, "\r%.*s\033[K", screen_width(), line);
        s->drawn = true;
    }
}

static void on_held_out(void *ctx, int64_t step, double loss, int64_t n_loss) {
    struct screen *s = ctx;
    end_line(s);
    if (s->record.metrics) metrics_held_out(s->record.metrics, step, loss, n_loss);
    if (s->quiet) return;
    printf("step %" PRId64 ": loss %.4f on %" PRId64 " held-out tokens\n", step, loss, n_loss);
    fflush(stdout);
}

static void on_sample(void *ctx, int64_t step, const char *prompt, const char *text) {
    struct screen *s = ctx;
    struct byte_buffer line = {0};
    struct shown shown = {0};
    end_line(s);
    if (s->record.metrics) metrics_sample(s->record.metrics, step, prompt, text);
    if (s->quiet) return;
    if (shown_push(&shown, prompt, strlen(prompt), &line) &&
        shown_push(&shown, text, strlen(text), &line) && shown_end(&shown, &line))
        printf("step %" PRId64 " says: %.*s\n", step, (int)line.len, line.data);
    fflush(stdout);
    buffer_free(&line);
}

/* A run that goes on from the checkpoint tells nothing of the steps before it again. */
static void on_saving(void *ctx) {
    struct screen *s = ctx;
    if (s->record.metrics) metrics_flush(s->record.metrics);
}

static void on_checkpoint(void *ctx, int64_t step, const char *folder) {
    struct screen *s = ctx;
    if (s->record.metrics) metrics_event(s->record.metrics, step, "checkpoint", folder);
}

static void on_exported(void *ctx, const char *stage, const char *path, double divergence) {
    struct screen *s = ctx;
    end_line(s);
    if (s->record.metrics) metrics_event(s->record.metrics, s->step, "export", path);
    if (divergence > 0)
        printf("%s: %s, loaded again, is %.2g nats from it\n", stage, path, divergence);
    else
        printf("%s is done: %s, loaded again, gives the same logits\n", stage, path);
    fflush(stdout);
}

static void open_record(struct screen *s) {
    char *path = train_record_path();
    if (path) s->record.metrics = metrics_create(path, on_record_lost, s);
    free(path);
}

static void close_record(struct screen *s, enum jl_status status, const struct jl_error *err) {
    if (!s->record.metrics) return;
    metrics_end(s->record.metrics,
                status == JL_OK              ? "done"
                : status == JL_ERR_CANCELLED ? "stopped"
                                             : "failed",
                status == JL_OK || status == JL_ERR_CANCELLED ? NULL : err->message);
    metrics_free(s->record.metrics);
}

enum jl_status train_screen_run(const struct recipe *recipe,
                                const struct train_screen_options *options, struct jl_error *err) {
    struct screen s = {.quiet = options->quiet,
                       .terminal = isatty(STDERR_FILENO),
                       .recipe = recipe,
                       .folder = options->folder};
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    const struct run_options run = {
        .folder = options->folder,
        .from = options->from,
        .weights = options->weights,
        .stop_after = options->stop_after,
        .cancel = &stop_wanted,
        .now = (int64_t)time(NULL),
        .watch = {.begin = on_begin,
                  .step = on_step,
                  .held_out = on_held_out,
                  .sample = on_sample,
                  .saving = on_saving,
                  .checkpoint = on_checkpoint,
                  .exported = on_exported,
                  .note = on_note,
                  .tokenising = on_tokenising,
                  .ctx = &s},
    };
    const struct backend_options cpu = {env_get(ENV_CPU), options->threads};
    enum jl_status status = backend_cpu_create(&cpu, &backend, err);
    if (status == JL_OK) {
        const struct pool_options others = {.n_threads = backend_threads(backend)};
        status = pool_create(&others, &pool, err);
    }
    if (status == JL_OK) {
        atomic_store(&stop_wanted, false);
        catch_signals();
        cli_progress_start(&s.progress);
        s.backend = backend;
        open_record(&s);
        status = run_recipe(backend, pool, recipe, &run, err);
        end_line(&s);
        close_record(&s, status, err);
    }
    pool_free(pool);
    backend_free(backend);
    return status;
}
