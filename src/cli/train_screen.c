#include "cli/train_screen.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "cli/cli.h"

struct screen {
    bool quiet, drawn; // drawn: a line without its end stands on the terminal
    bool terminal;
    double began, shown; // seconds
    double busy;         // in steps of this call
    int64_t rows, steps; // of this call
    int64_t shown_step;
    struct cli_progress progress;
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
    s->began = s->shown = clock_seconds();
    if (s->quiet) return;
    class_name(&learner_model(learner)->cls, class);
    printf("%s: %.2f M parameters are learned, %.2f M take part in a token; %.0f MB; %s\n",
           learner_model(learner)->family->name, 1e-6 * (double)learner_n_param(learner),
           1e-6 * (double)learner_n_active(learner), 1e-6 * (double)learner_bytes(learner), class);
    if (steps_done) printf("goes on after step %" PRId64 "\n", steps_done);
    fflush(stdout);
}

static void print_step(struct screen *s, FILE *to, const struct run_step *step) {
    char left[32];
    double a_step = s->busy / (double)s->steps;
    print_time(left, sizeof left, a_step * (double)(step->n_step - step->step));
    fprintf(to, "step %" PRId64 " of %" PRId64 " (%s): loss %.4f", step->step, step->n_step,
            step->stage, step->result.loss);
    if (step->result.mtp_loss > 0) fprintf(to, ", next but one %.4f", step->result.mtp_loss);
    fprintf(to, ", norm %.3f, rate %.2e, %.0f tokens/s, %s left", step->result.norm,
            (double)step->rate, (double)s->rows / s->busy, left);
}

/* In a terminal one line that is redrawn and stays every ten seconds; elsewhere a line every ten
 * seconds. The first and the last step are always told. */
static void on_step(void *ctx, const struct run_step *step) {
    struct screen *s = ctx;
    double now = clock_seconds();
    s->busy += step->seconds;
    s->rows += step->result.n_row;
    s->steps++;
    if (s->quiet) return;
    bool stays = s->steps == 1 || step->stage_step == step->stage_n_step || now - s->shown >= 10;
    if (stays) {
        end_line(s);
        print_step(s, stdout, step);
        printf("\n");
        fflush(stdout);
        s->shown = now;
    } else if (s->terminal) {
        fprintf(stderr, "\r");
        print_step(s, stderr, step);
        fprintf(stderr, "\033[K");
        s->drawn = true;
    }
}

static void on_held_out(void *ctx, int64_t step, double loss, int64_t n_loss) {
    struct screen *s = ctx;
    end_line(s);
    if (s->quiet) return;
    printf("step %" PRId64 ": loss %.4f on %" PRId64 " held-out tokens\n", step, loss, n_loss);
    fflush(stdout);
}

static void on_exported(void *ctx, const char *stage, const char *path, double divergence) {
    struct screen *s = ctx;
    end_line(s);
    if (divergence > 0)
        printf("%s: %s, loaded again, is %.2g nats from it\n", stage, path, divergence);
    else
        printf("%s is done: %s, loaded again, gives the same logits\n", stage, path);
    fflush(stdout);
}

enum jl_status train_screen_run(const struct recipe *recipe,
                                const struct train_screen_options *options, struct jl_error *err) {
    struct screen s = {.quiet = options->quiet, .terminal = isatty(STDERR_FILENO)};
    struct backend *backend = NULL;
    struct pool *pool = NULL;
    const struct run_options run = {
        .folder = options->folder,
        .stop_after = options->stop_after,
        .cancel = &stop_wanted,
        .now = (int64_t)time(NULL),
        .watch = {.begin = on_begin,
                  .step = on_step,
                  .held_out = on_held_out,
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
        status = run_recipe(backend, pool, recipe, &run, err);
        end_line(&s);
    }
    pool_free(pool);
    backend_free(backend);
    return status;
}
