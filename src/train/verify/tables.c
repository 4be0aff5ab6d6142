/* verse, verse_form, idiom_move: judged by tables of the data folder. */
#include <stdlib.h>

#include "skill/verse_check.h"
#include "train/verify/self.h"

static enum jl_status check_tables(const struct verify_expect *expect, struct jl_error *err) {
    if (expect->tables) return JL_OK;
    return jl_fail(err, JL_ERR_USAGE, "the check reads tables: --data DIR says where they are");
}

/* ---- verse ---- */

enum jl_status verify_prepare_verse(struct verify_expect *expect, struct jl_error *err) {
    struct verse_wanted *wanted = malloc(sizeof *wanted);
    if (!wanted) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a verse");
    enum jl_status status = verse_wanted_read(expect->text, expect->len, wanted, err);
    if (status == JL_OK)
        expect->wanted = wanted;
    else
        free(wanted);
    return status;
}

static enum jl_status judge(const struct verify_expect *expect, const char *answer, size_t len,
                            struct verse_verdict *out, struct jl_error *err) {
    struct han_lines lines;
    JL_TRY(check_tables(expect, err));
    han_lines_read(answer, len, &lines);
    *out = verse_judge(&expect->tables->rhymes, expect->wanted, &lines);
    return JL_OK;
}

enum jl_status verify_check_verse(const struct verify_expect *expect, const char *answer,
                                  size_t len, bool *right, struct jl_error *err) {
    struct verse_verdict verdict;
    *right = false;
    JL_TRY(judge(expect, answer, len, &verdict, err));
    *right = verse_right(&verdict);
    return JL_OK;
}

enum jl_status verify_check_verse_form(const struct verify_expect *expect, const char *answer,
                                       size_t len, bool *right, struct jl_error *err) {
    struct verse_verdict verdict;
    *right = false;
    JL_TRY(judge(expect, answer, len, &verdict, err));
    *right = verdict.form;
    return JL_OK;
}

/* ---- idiom_move ---- */

enum jl_status verify_prepare_move(struct verify_expect *expect, struct jl_error *err) {
    struct idiom_wanted *wanted = malloc(sizeof *wanted);
    if (!wanted) return jl_fail(err, JL_ERR_MEMORY, "out of memory for a move");
    enum jl_status status = idiom_wanted_read(expect->text, expect->len, wanted, err);
    if (status == JL_OK)
        expect->wanted = wanted;
    else
        free(wanted);
    return status;
}

enum jl_status verify_check_move(const struct verify_expect *expect, const char *answer, size_t len,
                                 bool *right, struct jl_error *err) {
    const struct skill_tables *tables = expect->tables;
    *right = false;
    JL_TRY(check_tables(expect, err));
    *right = idiom_move_right(&tables->idioms, &tables->hanzi, expect->wanted, answer, len);
    return JL_OK;
}
