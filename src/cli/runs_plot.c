/* A chart in the terminal: cells of eight braille dots. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/runs.h"
#include "text/utf8.h"

#define ROWS 16
#define LABEL 9 // columns left of the axis
#define MOST_COLUMNS 240
#define DOTS_X 2
#define DOTS_Y 4
#define BRAILLE 0x2800u // U+2800 to U+28FF: a bit a dot

struct cell {
    uint8_t dots; // of the first series
    bool plus;    // the second one is here
    uint32_t mark;
};
struct plot {
    const struct runs_chart *chart;
    int columns;        // of cells
    struct cell *cells; // (ROWS, columns)
    FILE *out;
};

static void put(const struct plot *p, uint32_t code) {
    char bytes[UTF8_MAX];
    fwrite(bytes, 1, (size_t)utf8_encode(code, bytes), p->out);
}

/* x from the left, y from the top, in dots. */
static void set_dot(struct plot *p, int series, int x, int y) {
    static const uint8_t bits[DOTS_Y][DOTS_X] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    struct cell *cell = &p->cells[y / DOTS_Y * p->columns + x / DOTS_X];
    if (series == 0)
        cell->dots |= bits[y % DOTS_Y][x % DOTS_X];
    else
        cell->plus = true;
}

static int dot_x(const struct plot *p, double x) {
    return (int)lrint(runs_chart_x(p->chart, x) * (DOTS_X * p->columns - 1));
}
static int dot_y(const struct plot *p, double y) {
    return (int)lrint((1 - runs_chart_y(p->chart, y)) * (DOTS_Y * ROWS - 1));
}

static void draw_series(struct plot *p, int index) {
    static const uint32_t marks[RUNS_MOST_SERIES] = {0x25cf, 0x25cb}; // black and white circle
    const struct runs_series *s = &p->chart->series[index];
    for (size_t i = 0; i < s->n; i++) {
        const struct runs_point *to = &s->points[i], *from = i ? to - 1 : to;
        int x0 = dot_x(p, from->x), y0 = dot_y(p, from->y);
        int dx = dot_x(p, to->x) - x0, dy = dot_y(p, to->y) - y0;
        int n = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
        for (int k = 0; k <= n; k++)
            set_dot(p, index, x0 + (n ? (int)lrint((double)dx * k / n) : 0),
                    y0 + (n ? (int)lrint((double)dy * k / n) : 0));
    }
    for (size_t i = 0; i < s->n_mark; i++) {
        int x = dot_x(p, s->marks[i].x) / DOTS_X, y = dot_y(p, s->marks[i].y) / DOTS_Y;
        p->cells[y * p->columns + x].mark = marks[index];
    }
}

static uint32_t shown_as(const struct cell *cell) {
    if (cell->mark) return cell->mark;
    if (cell->plus) return cell->dots ? '*' : '+';
    return cell->dots ? BRAILLE + cell->dots : ' ';
}

static void print_rows(const struct plot *p) {
    const struct runs_chart *chart = p->chart;
    double ticks[RUNS_MOST_TICKS];
    int n = runs_ticks(chart->y0, chart->y1, chart->log, ROWS / 3, ticks);
    for (int row = 0; row < ROWS; row++) {
        char label[RUNS_TICK_BYTES] = "";
        for (int i = 0; i < n; i++)
            if (dot_y(p, ticks[i]) / DOTS_Y == row) runs_tick_text(ticks[i], label);
        fprintf(p->out, "%*s ", LABEL - 1, label);
        put(p, *label ? 0x2524 : 0x2502);
        int last = p->columns;
        while (last > 0 && shown_as(&p->cells[row * p->columns + last - 1]) == ' ')
            last--;
        for (int i = 0; i < last; i++)
            put(p, shown_as(&p->cells[row * p->columns + i]));
        fputc('\n', p->out);
    }
}

static void print_axis(const struct plot *p) {
    double ticks[RUNS_MOST_TICKS];
    char labels[MOST_COLUMNS + 1];
    int n = runs_ticks(p->chart->x0, p->chart->x1, false, p->columns / 12 + 1, ticks),
        free_from = 0;
    bool at[MOST_COLUMNS] = {false};
    memset(labels, ' ', sizeof labels);
    for (int i = 0; i < n; i++) {
        char text[RUNS_TICK_BYTES];
        int x = dot_x(p, ticks[i]) / DOTS_X;
        runs_tick_text(ticks[i], text);
        int len = (int)strlen(text), from = x - len / 2;
        if (from + len > p->columns) from = p->columns - len;
        if (from < 0) from = 0;
        if (from < free_from || len > p->columns || ticks[i] != floor(ticks[i])) continue;
        memcpy(labels + from, text, (size_t)len);
        free_from = from + len + 1;
        at[x] = true;
    }
    fprintf(p->out, "%*s", LABEL, "");
    put(p, 0x2514);
    for (int i = 0; i < p->columns; i++)
        put(p, at[i] ? 0x252c : 0x2500);
    while (free_from > 0 && labels[free_from - 1] == ' ')
        free_from--;
    fprintf(p->out, "\n%*s %.*s\n", LABEL, "", free_from, labels);
}

static void print_legend(const struct plot *p) {
    const struct runs_chart *chart = p->chart;
    bool marks = false;
    fprintf(p->out, "%*s %s%s", LABEL, "", chart->title, chart->log ? " (log)" : "");
    for (int i = 0; i < chart->n_series; i++) {
        marks = marks || chart->series[i].n_mark > 0;
        fputs(i ? "  " : ": ", p->out);
        if (chart->n_series > 1) fputs(i ? "+ " : "\xe2\xa0\x89 ", p->out);
        fputs(chart->series[i].name, p->out);
    }
    if (marks)
        fputs(chart->n_series > 1 ? "; \xe2\x97\x8f \xe2\x97\x8b held out"
                                  : "; \xe2\x97\x8f held out",
              p->out);
    fputc('\n', p->out);
}

enum jl_status runs_plot_print(const struct runs_chart *chart, int columns, FILE *out,
                               struct jl_error *err) {
    struct plot p = {.chart = chart, .columns = columns - LABEL - 2, .out = out};
    if (p.columns > MOST_COLUMNS) p.columns = MOST_COLUMNS;
    if (p.columns < 20) p.columns = 20;
    p.cells = calloc((size_t)(ROWS * p.columns), sizeof *p.cells);
    if (!p.cells) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a chart");
    for (int i = 0; i < chart->n_series; i++)
        draw_series(&p, i);
    print_legend(&p);
    print_rows(&p);
    print_axis(&p);
    free(p.cells);
    return JL_OK;
}
