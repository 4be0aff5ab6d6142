/* Runs as text: the table of all, the summary of one, its steps as CSV. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "cli/chat/shown.h"
#include "cli/runs.h"

#define LAST_EVENTS 8
#define LAST_SAMPLES 3

/* On one line: what comes from outside could command the terminal. At most `most` bytes of it. */
static void print_shown(const char *text, size_t most) {
    struct byte_buffer line = {0};
    struct shown shown = {0};
    if (shown_push(&shown, text, strlen(text), &line) && shown_end(&shown, &line)) {
        for (size_t i = 0; i < line.len; i++)
            if (line.data[i] == '\n') line.data[i] = ' ';
        bool cut = line.len > most;
        size_t n = cut ? most : line.len;
        while (cut && n > 0 && ((unsigned char)line.data[n] & 0xc0) == 0x80)
            n--;
        printf("%.*s%s", (int)n, line.len ? line.data : "", cut ? " ..." : "");
    }
    buffer_free(&line);
}

static void time_text(double time, char out[32]) {
    time_t t = (time_t)time;
    struct tm local;
    *out = 0;
    if (time > 0 && localtime_r(&t, &local)) strftime(out, 32, "%Y-%m-%d %H:%M", &local);
}

/* "-" for what is not there. */
static const char *number_text(char *out, size_t size, const char *form, double x) {
    if (!isfinite(x)) return "-";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, size, form, x);
#pragma GCC diagnostic pop
    return out;
}

void runs_print_table(const struct metrics_summary *runs, size_t n) {
    printf("%4s  %-20s  %-8s  %15s  %8s  %8s  %9s  %s\n", "ID", "NAME", "STATE", "STEP", "LOSS",
           "HELD OUT", "TOKENS/S", "WHEN");
    for (size_t i = 0; i < n; i++) {
        const struct metrics_summary *r = &runs[i];
        char step[48], when[32], loss[24], held[24], speed[24];
        snprintf(step, sizeof step, "%" PRId64 "/%" PRId64, r->step, r->n_step);
        time_text(r->changed, when);
        printf("%4" PRId64 "  ", r->id);
        print_shown(r->name, 40);
        printf("%*s  %-8s  %15s  %8s  %8s  %9s  %s\n",
               strlen(r->name) < 20 ? (int)(20 - strlen(r->name)) : 0, "", r->state, step,
               number_text(loss, sizeof loss, "%.4f", r->loss),
               number_text(held, sizeof held, "%.4f", r->held_out),
               number_text(speed, sizeof speed, "%.0f", r->speed), when);
    }
}

static void span_text(double seconds, char out[32]) {
    if (seconds < 90)
        snprintf(out, 32, "%.1f s", seconds);
    else if (seconds < 5400)
        snprintf(out, 32, "%.1f min", seconds / 60);
    else
        snprintf(out, 32, "%.1f h", seconds / 3600);
}

void runs_print_summary(const struct metrics_summary *r) {
    char started[32], changed[32], span[32], loss[24], held[24], speed[24], share[24];
    time_text(r->started, started);
    time_text(r->changed, changed);
    span_text(r->seconds, span);
    printf("run %" PRId64 " ", r->id);
    print_shown(r->name, 200);
    printf(": %s, step %" PRId64 " of %" PRId64 "\n  folder    ", r->state, r->step, r->n_step);
    print_shown(r->folder, 4096);
    printf("\n  model     %s, %.2f M parameters are learned, %.2f M take part in a token; %s\n",
           r->family, 1e-6 * (double)r->n_param, 1e-6 * (double)r->n_active, r->class);
    printf("  machine   ");
    print_shown(r->cpu, 100);
    printf("; %" PRId64 " thread%s, %s", r->threads, r->threads == 1 ? "" : "s", r->level);
    if (r->peak > 0) printf(", peak %.0f GFLOP/s (%s)", 1e-9 * r->peak, r->peak_form);
    printf("; jinlin %s\n", r->version);
    printf("  time      %s to %s; %s in steps, %" PRId64 " tokens\n", started, changed, span,
           r->tokens);
    printf("  last      loss %s, held out %s, %s tokens/s",
           number_text(loss, sizeof loss, "%.4f", r->loss),
           number_text(held, sizeof held, "%.4f", r->held_out),
           number_text(speed, sizeof speed, "%.0f", r->speed));
    if (isfinite(r->share))
        printf(", %s %% of peak", number_text(share, sizeof share, "%.0f", 100 * r->share));
    printf("\n");
    if (!*r->error) return;
    printf("  error     ");
    print_shown(r->error, 2000);
    printf("\n");
}

void runs_print_last(const struct runs_data *data) {
    size_t first = data->n_event > LAST_EVENTS ? data->n_event - LAST_EVENTS : 0;
    if (data->n_event) printf("\nevents\n");
    for (size_t i = first; i < data->n_event; i++) {
        const struct metrics_said *e = &data->events[i];
        char when[32];
        time_text(e->time, when);
        printf("  %s  step %" PRId64 "  %s  ", when, e->step, e->kind);
        print_shown(e->text, 400);
        printf("\n");
    }
    first = data->n_sample > LAST_SAMPLES ? data->n_sample - LAST_SAMPLES : 0;
    if (data->n_sample) printf("\nsamples\n");
    for (size_t i = first; i < data->n_sample; i++) {
        const struct metrics_said *s = &data->samples[i];
        printf("  step %" PRId64 "  ", s->step);
        print_shown(s->prompt, 400);
        printf("|");
        print_shown(s->text, 2000);
        printf("\n");
    }
}

/* ---- CSV (RFC 4180) ---- */

static void put_field(FILE *out, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void put_number(FILE *out, double x) {
    fputc(',', out);
    if (isfinite(x)) fprintf(out, "%.9g", x);
}

void runs_csv_write(const struct runs_data *data, FILE *out) {
    size_t held = 0;
    fputs("step,stage,loss,mtp_loss,norm,rate,rows,seconds,tokens_per_second,share_of_peak,"
          "expert_load,held_out,reward,deviation,right,alike,length,cut,entropy,kl,clipped,"
          "difference,drawn_per_second,learned_per_second\n",
          out);
    for (size_t i = 0; i < data->n_step; i++) {
        const struct metrics_step *s = &data->steps[i];
        while (held < data->n_held && data->held[held].step < s->step)
            held++;
        bool has = held < data->n_held && data->held[held].step == s->step;
        fprintf(out, "%" PRId64 ",", s->step);
        put_field(out, s->stage);
        put_number(out, s->loss);
        put_number(out, s->mtp_loss);
        put_number(out, s->norm);
        put_number(out, s->rate);
        fprintf(out, ",%" PRId64, s->rows);
        put_number(out, s->seconds);
        put_number(out, (double)s->rows / s->seconds);
        put_number(out, s->share);
        put_number(out, s->load);
        put_number(out, has ? data->held[held].loss : (double)NAN);
        const double by[] = {s->by.reward,  s->by.deviation,  s->by.right,   s->by.alike,
                             s->by.length,  s->by.cut,        s->by.entropy, s->by.kl,
                             s->by.clipped, s->by.difference, s->by.drawn,   s->by.learned};
        for (size_t k = 0; k < sizeof by / sizeof by[0]; k++)
            put_number(out, by[k]);
        fputc('\n', out);
    }
}
