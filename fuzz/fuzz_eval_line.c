/* A line of a file of tasks: parsed or refused with a message, with and without defaults. What was
 * taken has what its kind needs, and verifiers judge the line itself as an answer. */
#include "fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/eval/line.h"

static const char defaults[] = "{\"task\":\"t\",\"defaults\":{\"check\":\"number\",\"group\":\"g\","
                               "\"tolerance\":0.5,\"stop\":[\"a\"],\"choices\":[\"a\",\"b\"],"
                               "\"max_tokens\":3,\"score\":\"bytes\",\"tools\":[{}]}}";

/* A schema may ask for what is not checked, or be nested too deeply. */
static bool is_refusal(enum jl_status status) {
    return status == JL_ERR_FORMAT || status == JL_ERR_UNSUPPORTED || status == JL_ERR_LIMIT;
}

static void check_choice(const struct eval_line *line) {
    if (line->n_choice < 2 || line->right < 0 || line->right >= line->n_choice) abort();
    for (int i = 0; i < line->n_choice; i++)
        if (!line->choices[i].len) abort();
}

static void check_answer(struct eval_line *line, const char *bytes, size_t n) {
    static const struct skill_tables empty;
    struct jl_error err = {0};
    bool right;
    enum jl_status status = line->verifier->check(&line->expect, bytes, n, &right, &err);
    if (line->verifier->tables) {
        if (status != JL_ERR_USAGE) abort();
        line->expect.tables = &empty;
        status = line->verifier->check(&line->expect, bytes, n, &right, &err);
        if (status != JL_OK) abort();
        status =
            line->verifier->check(&line->expect, line->expect.text, line->expect.len, &right, &err);
    }
    if (status != JL_OK && status != JL_ERR_LIMIT) abort();
    if (line->max_tokens < 1 || line->n_stop > EVAL_MOST_STOPS) abort();
    if (strcmp(line->check, "number") != 0 || !isfinite(line->expect.number)) return;
    // What is expected can itself be looked at.
    status =
        line->verifier->check(&line->expect, line->expect.text, line->expect.len, &right, &err);
    if (status != JL_OK) abort();
}

static void try_line(const char *bytes, size_t n, json_t *with) {
    struct eval_line line;
    struct jl_error err = {0};
    enum jl_status status = eval_line_parse(bytes, n, with, &line, &err);
    if (status != JL_OK) {
        if (!is_refusal(status) || !err.message[0] || line.root) abort();
        return;
    }
    if (!line.prompt == !line.messages || (line.prompt && !line.n_prompt)) abort();
    if (line.kind == EVAL_CHOICE) check_choice(&line);
    if (line.kind == EVAL_ANSWER) check_answer(&line, bytes, n);
    if (line.kind == EVAL_LOSS && !line.expect.len) abort();
    eval_line_free(&line);
}

/* The bytes as an answer to what each verifier may expect, and as what is expected. */
static void judge(const char *bytes, size_t n) {
    static const char *const expected[] = {"3/4",
                                           "334 3",
                                           "ant, bee",
                                           "8 2 1 3 = 24",
                                           "1 1 1 1 = 24",
                                           "{\"items\":{\"$ref\":\"#\"},\"uniqueItems\":true,"
                                           "\"properties\":{\"a\":{\"not\":{\"multipleOf\":0.1}}},"
                                           "\"patternProperties\":{\"b\":{\"maxLength\":2}},"
                                           "\"additionalProperties\":{\"$ref\":\"#\"}}"};
    const struct verifier *verifier;
    for (size_t i = 0; (verifier = verify_at(i)); i++)
        for (size_t k = 0; k <= sizeof expected / sizeof expected[0]; k++) {
            bool own = k == sizeof expected / sizeof expected[0], right;
            struct verify_expect expect = {.text = own ? bytes : expected[k],
                                           .len = own ? n : strlen(expected[k])};
            struct jl_error err = {0};
            enum jl_status status = verify_prepare(verifier, &expect, &err);
            if (status == JL_OK) {
                status = verifier->check(&expect, bytes, n, &right, &err);
                if (status != JL_OK && status != JL_ERR_LIMIT) abort();
            } else if (!is_refusal(status) || !err.message[0]) {
                abort();
            }
            verify_free(&expect);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *bytes = (const char *)data;
    struct eval_head head, with;
    struct jl_error err = {0};
    bool is_head;
    double number;
    if (eval_head_parse(bytes, size, &is_head, &head, &err) == JL_OK) eval_head_free(&head);
    if (eval_head_parse(defaults, sizeof defaults - 1, &is_head, &with, &err) != JL_OK) abort();
    try_line(bytes, size, NULL);
    try_line(bytes, size, with.defaults);
    eval_head_free(&with);
    if (verify_last_number(bytes, size, &number) && size == 0) abort();
    judge(bytes, size);
    return 0;
}
