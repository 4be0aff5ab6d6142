/* Charts as one SVG file that needs nothing beside it: a panel a metric. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runs.h"
#include "text/utf8.h"

#define WIDTH 900
#define PANEL 380 // height of one
#define LEFT 76
#define RIGHT 24
#define TOP 58
#define BOTTOM 54
#define PLOT_W (WIDTH - LEFT - RIGHT)
#define PLOT_H (PANEL - TOP - BOTTOM)
#define MOST_POINTS (2 * PLOT_W) // of a line; more cannot be seen
#define SMOOTH_FROM 64           // points; fewer are no noise to look through

static const char *const colors[RUNS_MOST_SERIES] = {"#b45309", "#1d4ed8"};

/* What XML cannot hold becomes U+FFFD. */
static void put_text(FILE *out, const char *text) {
    for (size_t len = strlen(text); len > 0;) {
        uint32_t code;
        int n = utf8_step(text, len, &code);
        if (code == '<' || code == '>' || code == '&' || code == '"')
            fprintf(out, "&#%d;", (int)code);
        else if (code < 0x20 || code == 0xfffe || code == 0xffff || code >= UTF8_CODE_END)
            fputs(UTF8_REPLACEMENT, out);
        else
            fwrite(text, 1, (size_t)n, out);
        text += n;
        len -= (size_t)n;
    }
}

struct panel {
    const struct runs_chart *chart;
    int top;
    FILE *out;
};

static double place_x(const struct panel *p, double x) {
    return LEFT + PLOT_W * runs_chart_x(p->chart, x);
}
static double place_y(const struct panel *p, double y) {
    return p->top + TOP + PLOT_H * (1 - runs_chart_y(p->chart, y));
}

/* ---- axes ---- */

static void write_axes(const struct panel *p) {
    double ticks[RUNS_MOST_TICKS];
    char text[RUNS_TICK_BYTES];
    int n = runs_ticks(p->chart->y0, p->chart->y1, p->chart->log, 6, ticks);
    for (int i = 0; i < n; i++) {
        double y = place_y(p, ticks[i]);
        runs_tick_text(ticks[i], text);
        fprintf(p->out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, y, LEFT + PLOT_W);
        fprintf(p->out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8,
                y + 4, text);
    }
    n = runs_ticks(p->chart->x0, p->chart->x1, false, 8, ticks);
    for (int i = 0; i < n; i++) {
        if (ticks[i] != floor(ticks[i])) continue; // there are no half steps
        double x = place_x(p, ticks[i]);
        runs_tick_text(ticks[i], text);
        fprintf(p->out, "<path class=\"axis\" d=\"M%.1f %dv5\"/>", x, p->top + TOP + PLOT_H);
        fprintf(p->out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x,
                p->top + TOP + PLOT_H + 20, text);
    }
    fprintf(p->out, "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n", LEFT, p->top + TOP,
            p->top + TOP + PLOT_H, LEFT + PLOT_W);
    fprintf(p->out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n",
            LEFT + PLOT_W / 2, p->top + PANEL - 12);
}

/* ---- lines ---- */

static void point(const struct panel *p, const struct runs_point *at, bool first) {
    fprintf(p->out, "%c%.1f %.1f", first ? 'M' : 'L', place_x(p, at->x), place_y(p, at->y));
}

/* Of more points than can be seen, the lowest and the highest of each stretch. */
static void write_points(const struct panel *p, const struct runs_point *points, size_t n) {
    size_t stretch = n > MOST_POINTS ? (2 * n + MOST_POINTS - 1) / MOST_POINTS : 1;
    for (size_t at = 0; at < n; at += stretch) {
        size_t end = at + stretch < n ? at + stretch : n, low = at, high = at;
        for (size_t i = at; i < end; i++) {
            if (points[i].y < points[low].y) low = i;
            if (points[i].y > points[high].y) high = i;
        }
        point(p, &points[low < high ? low : high], at == 0);
        if (low != high) point(p, &points[low < high ? high : low], false);
    }
}

static void write_path(const struct panel *p, const char *style, const struct runs_point *points,
                       size_t n) {
    fprintf(p->out, "<path class=\"line\" %s d=\"", style);
    write_points(p, points, n);
    fputs("\"/>\n", p->out);
}

/* A moving mean, the line to look at above the noise: over about the last 2 % of the points, and at
 * the beginning, where curves fall fast, over fewer. */
static void smooth(const struct runs_series *s, bool log_axis, struct runs_point *out) {
    double most = fmax(4, 0.02 * (double)s->n), mean = 0;
    for (size_t i = 0; i < s->n; i++) {
        double y = log_axis ? log(s->points[i].y) : s->points[i].y;
        mean += (y - mean) / fmin(most, 1 + (double)i / 8);
        out[i] = (struct runs_point){s->points[i].x, log_axis ? exp(mean) : mean};
    }
}

static void write_series(const struct panel *p, int index) {
    const struct runs_series *s = &p->chart->series[index];
    bool noisy =
        s->n >= SMOOTH_FROM && p->chart->metric != RUNS_RATE && p->chart->metric != RUNS_HELD_OUT;
    struct runs_point *mean = noisy ? calloc(s->n, sizeof *mean) : NULL;
    char style[64];
    snprintf(style, sizeof style, "stroke=\"%s\" opacity=\"%s\"", colors[index], mean ? ".3" : "1");
    if (s->n) write_path(p, style, s->points, s->n);
    snprintf(style, sizeof style, "stroke=\"%s\" stroke-width=\"2\"", colors[index]);
    if (mean) {
        smooth(s, p->chart->log, mean);
        write_path(p, style, mean, s->n);
    }
    free(mean);
    for (size_t i = 0; i < s->n_mark; i++)
        fprintf(p->out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#fff\" stroke=\"%s\"/>\n",
                place_x(p, s->marks[i].x), place_y(p, s->marks[i].y), colors[index]);
}

/* Under the title, from the left: a stroke and a name each. */
static void write_legend(const struct panel *p) {
    int x = LEFT, y = p->top + 44;
    bool marks = false;
    for (int i = 0; i < p->chart->n_series; i++) {
        const struct runs_series *s = &p->chart->series[i];
        if (s->n == 0) continue;
        fprintf(p->out,
                "<path stroke=\"%s\" stroke-width=\"2\" d=\"M%d %dh20\"/><text x=\"%d\" y=\"%d\">",
                colors[i], x, y - 4, x + 26, y);
        put_text(p->out, s->name);
        fputs("</text>\n", p->out);
        x += 50 + 7 * (int)strlen(s->name);
        marks = marks || s->n_mark > 0;
    }
    if (!marks) return;
    fprintf(p->out,
            "<circle cx=\"%d\" cy=\"%d\" r=\"4\" fill=\"#fff\" stroke=\"#374151\"/>"
            "<text x=\"%d\" y=\"%d\">held out</text>\n",
            x + 4, y - 4, x + 14, y);
}

static void write_panel(const struct panel *p) {
    fprintf(p->out, "<text class=\"title\" x=\"%d\" y=\"%d\">%s%s</text>\n", LEFT, p->top + 24,
            p->chart->title, p->chart->log ? " (log)" : "");
    write_legend(p);
    if (runs_chart_is_empty(p->chart)) {
        fprintf(p->out, "<text x=\"%d\" y=\"%d\">nothing has been recorded</text>\n", LEFT,
                p->top + TOP + 30);
        return;
    }
    write_axes(p);
    for (int i = 0; i < p->chart->n_series; i++)
        write_series(p, i);
}

void runs_svg_write(const struct runs_chart *charts, int n, FILE *out) {
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#374151\">\n"
            "<title>",
            WIDTH, n * PANEL, WIDTH, n * PANEL);
    for (int i = 0; i < n && charts[i].n_series; i++) {
        if (i) fputs(", ", out);
        put_text(out, charts[i].title);
    }
    for (int k = 0; n && k < charts[0].n_series; k++) {
        fputs(k ? " and " : " of run ", out);
        put_text(out, charts[0].series[k].name);
    }
    fputs("</title>\n<style>.grid{stroke:#e5e7eb}.axis{stroke:#6b7280;fill:none}"
          ".line{fill:none;stroke-linejoin:round}.title{font-size:16px;fill:#111827}</style>\n"
          "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
          out);
    for (int i = 0; i < n; i++)
        write_panel(&(struct panel){&charts[i], i * PANEL, out});
    fputs("</svg>\n", out);
}
