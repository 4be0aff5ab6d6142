#include "cli/verse_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "skill/verse_tally.h"
#include "train/data/line.h"

#define MOST_BYTES ((size_t)1 << 32)
#define MOST_GROUPS 64

struct row {
    char *group; // heap; NULL: all of them
    struct verse_tally tally;
};

struct report {
    const struct verse_tables *tables;
    struct verse_known known;
    struct row rows[MOST_GROUPS + 1]; // the first is that of all
    int n_row;
};

/* ---- reading ---- */

static enum jl_status row_of(struct report *r, const char *group, struct row **out,
                             struct jl_error *err) {
    for (int i = 1; i < r->n_row; i++)
        if (!strcmp(r->rows[i].group, group)) return *out = &r->rows[i], JL_OK;
    if (r->n_row > MOST_GROUPS)
        return jl_fail(err, JL_ERR_LIMIT, "more than %d groups: judge fewer at a time",
                       MOST_GROUPS);
    *out = &r->rows[r->n_row];
    (*out)->group = strdup(group);
    if (!(*out)->group) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a report");
    r->n_row++;
    return JL_OK;
}

static enum jl_status add_answer(struct report *r, const json_t *line, struct jl_error *err) {
    const json_t *answer = json_object_get(line, "answer"),
                 *expect = json_object_get(line, "expect");
    const char *group = json_string_value(json_object_get(line, "group"));
    struct verse_wanted wanted;
    struct row *row = NULL;
    if (!json_is_string(answer) || !json_is_string(expect))
        return jl_fail(err, JL_ERR_FORMAT, "no line that `eval --out` has written");
    JL_TRY(verse_wanted_read(json_string_value(expect), json_string_length(expect), &wanted, err));
    JL_TRY(row_of(r, group ? group : "-", &row, err));
    struct verse_tally *both[] = {&r->rows[0].tally, &row->tally};
    for (int i = 0; i < 2; i++)
        if (!verse_tally_add(both[i], &r->tables->rhymes, &r->known, &wanted,
                             json_string_value(answer), json_string_length(answer)))
            return jl_fail(err, JL_ERR_MEMORY, "out of memory for a report");
    return JL_OK;
}

static enum jl_status read_line(struct report *r, const char *bytes, size_t n,
                                struct jl_error *err) {
    json_t *line;
    enum jl_status status = JL_OK;
    JL_TRY(data_line_json(bytes, n, &line, err));
    const char *check = json_string_value(json_object_get(line, "check"));
    if (check && (!strcmp(check, "verse") || !strcmp(check, "verse_form")))
        status = add_answer(r, line, err);
    json_decref(line);
    return status;
}

static enum jl_status read_lines(struct report *r, const char *path, struct jl_error *err) {
    struct jl_error inner = {0};
    char *text;
    size_t len, number = 0;
    JL_TRY(file_read(path, MOST_BYTES, &text, &len, err));
    enum jl_status status = JL_OK;
    for (const char *at = text, *end = text + len; status == JL_OK && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        number++;
        if (stop > at) status = read_line(r, at, (size_t)(stop - at), &inner);
        at = stop + 1;
    }
    free(text);
    if (status != JL_OK)
        return jl_fail(err, status, "%s, line %zu: %s", path, number, inner.message);
    if (!r->rows[0].tally.n_answer)
        return jl_fail(err, JL_ERR_FORMAT, "%s: no answer was judged as verse", path);
    return JL_OK;
}

/* ---- printing ---- */

static void print_share(FILE *out, int64_t n, int64_t of) {
    if (of)
        fprintf(out, " %6.1f%%", 100.0 * (double)n / (double)of);
    else
        fprintf(out, " %7s", "-");
}

static void print_row(FILE *out, const char *name, const struct verse_tally *t) {
    fprintf(out, "%-14s %7" PRId64, name, t->n_answer);
    print_share(out, t->n_form, t->n_answer);
    print_share(out, t->n_rhyme, t->n_ruled);
    print_share(out, t->n_tone, t->n_ruled);
    print_share(out, t->n_both, t->n_ruled);
    print_share(out, t->has_theme, t->n_theme);
    print_share(out, t->has_heads, t->n_heads);
    print_share(out, t->has_first, t->n_first);
    print_share(out, t->n_varied, t->n_answer);
    print_share(out, t->n_right, t->n_answer);
    print_share(out, (int64_t)t->answers.count, t->n_answer);
    print_share(out, (int64_t)t->lines.count, t->n_line);
    print_share(out, t->n_known, t->n_line);
    fputc('\n', out);
}

static void print_table(FILE *out, const struct report *r) {
    fprintf(out, "%-14s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s\n", "group", "answers",
            "form", "rhyme", "tone", "both", "theme", "heads", "first", "varied", "right", "unlike",
            "lines", "copied");
    for (int i = 1; i < r->n_row; i++)
        print_row(out, r->rows[i].group, &r->rows[i].tally);
    print_row(out, "all", &r->rows[0].tally);
    fprintf(out,
            "both: rhyme and tone. varied: at most an eighth of the characters stand further on "
            "again. unlike, lines: different answers, different lines. copied: "
            "lines that stand in the poems to learn from\n");
}

enum jl_status verse_report(const char *path, const struct verse_tables *tables, FILE *out,
                            struct jl_error *err) {
    struct arena arena = {0};
    struct report report = {.tables = tables, .n_row = 1};
    enum jl_status status = verse_known_lines(&tables->train.poems, &arena, &report.known, err);
    if (status == JL_OK) status = read_lines(&report, path, err);
    if (status == JL_OK) print_table(out, &report);
    for (int i = 0; i < report.n_row; i++) {
        free(report.rows[i].group);
        verse_tally_free(&report.rows[i].tally);
    }
    arena_free(&arena);
    return status;
}
