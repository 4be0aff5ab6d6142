/* Settings of sampling as texts: the first byte says which, the rest is the text. What is taken is
 * in its range and is taken again from its own description. */
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/sample_params.h"

static void check_value(enum sample_param param, const char *text) {
    struct sample_params params = sample_params_default(), again = params;
    struct jl_error err;
    char number[64], described[1000];
    if (sample_params_read(&params, param, text, &err) != JL_OK) return;
    if (sample_params_check(&params, 0, &err) != JL_OK) abort();
    snprintf(number, sizeof number, "%.17g", sample_params_get(&params, param));
    if (sample_params_read(&again, param, number, &err) != JL_OK) abort();
    if (sample_params_get(&params, param) != sample_params_get(&again, param)) abort();
    for (size_t size = 1; size < sizeof described; size += 37)
        sample_params_describe(&params, described, size);
}

static void check_biases(const char *text) {
    struct sample_params params = sample_params_default();
    struct sample_bias *list = NULL;
    struct jl_error err;
    enum jl_status status = sample_bias_read(text, &list, &params.n_bias, &err);
    params.bias = list;
    if (status == JL_OK && params.n_bias < 1) abort();
    if (sample_params_check(&params, 0, &err) != JL_OK) abort();
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    char *text = malloc(size);
    enum sample_param param;
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] % (SAMPLE_PARAM_COUNT + 1) < SAMPLE_PARAM_COUNT)
        check_value((enum sample_param)(data[0] % (SAMPLE_PARAM_COUNT + 1)), text);
    else
        check_biases(text);
    sample_param_find(text, &param);
    free(text);
    return 0;
}
