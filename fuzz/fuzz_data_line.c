/* A line of a training source: parsed or refused with a message. What was taken for good is good
 * when it is written out and read again. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "text/json_print.h"
#include "text/utf8.h"
#include "train/data/line.h"

static size_t count_learns(const struct data_line *line) {
    size_t i, n = 0;
    json_t *message;
    json_array_foreach(line->messages, i, message) { n += data_line_learns(message); }
    return n;
}

static void check_again(const struct data_line *line) {
    struct byte_buffer text = {0};
    struct data_line again;
    struct jl_error err;
    if (json_print_value(line->root, NULL, &text, &err) != JL_OK) abort();
    if (data_line_parse(text.data, text.len, &again, &err) != JL_OK) abort();
    if (again.form != line->form || !json_equal(again.root, line->root)) abort();
    data_line_free(&again);
    buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct data_line line;
    struct jl_error err = {0};
    enum jl_status status = data_line_parse((const char *)data, size, &line, &err);
    if (status != JL_OK) {
        if (status != JL_ERR_FORMAT || !err.message[0] || line.root) abort();
        return 0;
    }
    if (line.form == DATA_LINE_BLANK) return line.root ? abort(), 0 : 0;
    if (line.form == DATA_LINE_TEXT &&
        (line.len == 0 || utf8_valid_length(line.text, line.len) != line.len))
        abort();
    if (line.form == DATA_LINE_CHAT && count_learns(&line) == 0) abort();
    check_again(&line);
    data_line_free(&line);
    return 0;
}
