/* safetensors: good files, one malformed file a check, truncations and corruptions. */
#include "fixture.h"

#include "format/st.h"

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void reads_tensors(void **state) {
    (void)state;
    struct arena arena = {0};
    struct tensor_list list;
    struct jl_error err;
    struct bytes file =
        st_bytes("{\"__metadata__\":{\"format\":\"pt\"}," T("z", "BF16", "[2,3]", "[4,16]") "," T(
                     "b.scalar", "F32", "[]",
                     "[0,4]") "," T("a", "U8", "[1,1,1,2]",
                                    "[16,18]") "," T("\xc3\xa9", "I64", "[1]", "[18,26]") "}   ",
                 26);
    enum jl_status status = st_parse(file.data, file.len, "x.st", &arena, &list, &err);
    if (status != JL_OK) fail_msg("%s", err.message);
    const uint8_t *buffer = file.data + file.len - 26;
    const struct tensor_info *t = list.items;
    assert_int_equal(list.count, 4);
    assert_string_equal(t[0].name, "a");
    assert_int_equal(t[0].n_dim, 4);
    assert_int_equal(t[0].dim[3], 2);
    assert_int_equal(t[0].dtype, DTYPE_U8);
    assert_ptr_equal(t[0].data, buffer + 16);
    assert_string_equal(t[1].name, "b.scalar");
    assert_int_equal(t[1].n_dim, 1);
    assert_int_equal(t[1].dim[0], 1);
    assert_int_equal(t[1].bytes, 4);
    assert_string_equal(t[2].name, "z");
    assert_int_equal(t[2].dim[0], 2);
    assert_int_equal(t[2].dim[1], 3);
    assert_int_equal(t[2].bytes, 12);
    assert_ptr_equal(t[2].data, buffer + 4);
    assert_string_equal(t[3].name, "\xc3\xa9");
    assert_string_equal(t[3].file, "x.st");
    bytes_free(&file);
    arena_free(&arena);
}

static void reads_an_empty_file(void **state) {
    (void)state;
    struct arena arena = {0};
    struct tensor_list list;
    struct jl_error err;
    struct bytes file = st_bytes("{}", 0);
    assert_int_equal(st_parse(file.data, file.len, "x.st", &arena, &list, &err), JL_OK);
    assert_int_equal(list.count, 0);
    bytes_free(&file);
    arena_free(&arena);
}

struct bad_case {
    const char *name, *header;
    size_t n_data;
    enum jl_status status;
    const char *needles[4];
};

#define F JL_ERR_FORMAT
#define U JL_ERR_UNSUPPORTED
#define ONE(fields) "{\"w\":{" fields "}}"
#define DT "\"dtype\":\"F32\""
#define SH "\"shape\":[2]"
#define OF "\"data_offsets\":[0,8]"

static const struct bad_case cases[] = {
    {"no brace", " {}", 0, F, {"does not begin with '{'"}},
    {"empty header", "", 0, F, {"does not begin with '{'"}},
    {"array root", "[]", 0, F, {"does not begin with '{'"}},
    {"no json", "{\"a\":", 0, F, {"JSON error in line 1"}},
    {"text behind", "{} {}", 0, F, {"JSON error"}},
    {"same key",
     "{" T("w", "U8", "[1]", "[0,1]") "," T("w", "U8", "[1]", "[0,1]") "}",
     1,
     F,
     {"JSON error", "duplicate", "w"}},
    {"same field", ONE(DT "," DT "," SH "," OF), 8, F, {"at key 'w'", "duplicate", "dtype"}},
    {"bad utf8", "{\"\xff\":1}", 0, F, {"JSON error"}},
    {"nul in name", "{\"a\\u0000b\":1}", 0, F, {"JSON error"}},
    {"metadata kind", "{\"__metadata__\":[]}", 0, F, {"'__metadata__' must be an object"}},
    {"metadata value", "{\"__metadata__\":{\"n\":1}}", 0, F, {"'__metadata__'", "'n' does not"}},
    {"empty name", "{" T("", "U8", "[1]", "[0,1]") "}", 1, F, {"empty name"}},
    {"control in name", "{\"a\\nb\":{}}", 0, F, {"'a\\x0ab'", "control character"}},
    {"not an object", "{\"w\":7}", 0, F, {"tensor 'w'", "must be an object"}},
    {"unknown field", ONE(DT "," SH "," OF ",\"stride\":[1]"), 8, F, {"'w'", "'stride'"}},
    {"no dtype", ONE(SH "," OF), 8, F, {"tensor 'w'", "'dtype' is missing"}},
    {"dtype kind", ONE("\"dtype\":4," SH "," OF), 8, F, {"tensor 'w'", "'dtype'"}},
    {"dtype unknown",
     ONE("\"dtype\":\"F8_E5M2\"," SH ",\"data_offsets\":[0,2]"),
     2,
     U,
     {"tensor 'w'", "'F8_E5M2'", "not supported"}},
    {"dtype prefix", ONE("\"dtype\":\"F\"," SH "," OF), 8, U, {"tensor 'w'", "'F'"}},
    {"no shape", ONE(DT "," OF), 8, F, {"tensor 'w'", "'shape' is missing"}},
    {"shape kind", ONE(DT ",\"shape\":2," OF), 8, F, {"tensor 'w'", "'shape'"}},
    {"shape real", ONE(DT ",\"shape\":[2.0]," OF), 8, F, {"'w'", "'shape'", "integers"}},
    {"shape text", ONE(DT ",\"shape\":[\"2\"]," OF), 8, F, {"'w'", "'shape'", "integers"}},
    {"shape negative", ONE(DT ",\"shape\":[-2]," OF), 8, F, {"'w'", "'shape'", "non-negative"}},
    {"shape zero", ONE(DT ",\"shape\":[0],\"data_offsets\":[0,0]"), 0, U, {"'w'", "zero"}},
    {"shape deep",
     ONE("\"dtype\":\"U8\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,1]"),
     1,
     U,
     {"'w'", "5 dimensions", "at most 4"}},
    {"shape overflow",
     ONE(DT ",\"shape\":[4294967296,4294967296]," OF),
     8,
     F,
     {"'w'", "overflows"}},
    {"shape wrap", ONE(DT ",\"shape\":[4611686018427387905,2]," OF), 8, F, {"'w'", "overflows"}},
    {"shape beyond int64",
     ONE(DT ",\"shape\":[9223372036854775808]," OF),
     8,
     F,
     {"at key 'w.shape'", "9223372036854775808"}},
    {"no offsets", ONE(DT "," SH), 8, F, {"'w'", "'data_offsets'", "two integers"}},
    {"one offset", ONE(DT "," SH ",\"data_offsets\":[0]"), 8, F, {"'w'", "two integers"}},
    {"three offsets", ONE(DT "," SH ",\"data_offsets\":[0,8,8]"), 8, F, {"'w'", "two integers"}},
    {"real offsets", ONE(DT "," SH ",\"data_offsets\":[0,8.0]"), 8, F, {"'w'", "two integers"}},
    {"negative offset", ONE(DT "," SH ",\"data_offsets\":[-8,0]"), 8, F, {"'w'", "[-8, 0]"}},
    {"offsets swapped", ONE(DT "," SH ",\"data_offsets\":[8,0]"), 8, F, {"'w'", "out of order"}},
    {"offsets short",
     ONE(DT "," SH ",\"data_offsets\":[0,7]"),
     8,
     F,
     {"'w'", "span 7 bytes", "need 8"}},
    {"offsets extreme",
     ONE(DT "," SH ",\"data_offsets\":[0,9223372036854775807]"),
     8,
     F,
     {"'w'", "need 8"}},
    {"data cut", ONE(DT "," SH "," OF), 7, F, {"'w'", "ends at byte 8", "only 7", "cut short"}},
    {"far outside",
     ONE(DT "," SH ",\"data_offsets\":[9223372036854775799,9223372036854775807]"),
     8,
     F,
     {"'w'", "cut short"}},
    {"overlap",
     "{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[3,7]") "}",
     7,
     F,
     {"'a'", "'b'", "overlap"}},
    {"same place",
     "{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[0,4]") "}",
     4,
     F,
     {"'a'", "'b'", "overlap"}},
    {"gap",
     "{" T("a", "U8", "[4]", "[0,4]") "," T("b", "U8", "[4]", "[5,9]") "}",
     9,
     F,
     {"tensor 'b'", "1 bytes before it", "no gaps"}},
    {"gap in front", "{" T("a", "U8", "[4]", "[2,6]") "}", 6, F, {"tensor 'a'", "2 bytes"}},
    {"bytes behind", "{" T("a", "U8", "[4]", "[0,4]") "}", 7, F, {"3 bytes after the last"}},
    {"data without tensors", "{}", 5, F, {"5 bytes after the last"}},
};

static void refuses_malformed_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *needles[6] = {"bad.safetensors: "};
        struct arena arena = {0};
        struct tensor_list list;
        struct jl_error err = {0};
        struct bytes file = st_bytes(cases[i].header, cases[i].n_data);
        enum jl_status status =
            st_parse(file.data, file.len, "dir/bad.safetensors", &arena, &list, &err);
        for (size_t k = 0; k < 4; k++)
            needles[k + 1] = cases[i].needles[k];
        expect_error(cases[i].name, status, &err, cases[i].status, needles);
        bytes_free(&file);
        arena_free(&arena);
    }
}

static void checks_the_header_length(void **state) {
    (void)state;
    static const struct {
        uint64_t length;
        const char *needle;
    } lengths[] = {
        {100000001, "above the format's limit"},
        {UINT64_MAX, "18446744073709551615"},
        {100000000, "cut short"},
        {3, "cut short"},
        {0, "does not begin with '{'"},
    };
    struct bytes file = st_bytes("{}", 0);
    struct arena arena = {0};
    struct tensor_list list;
    struct jl_error err;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memcpy(file.data, &lengths[i].length, 8);
        enum jl_status status = st_parse(file.data, file.len, "f.st", &arena, &list, &err);
        expect_error("length", status, &err, F,
                     (const char *[]){"f.st: ", lengths[i].needle, NULL});
    }
    for (size_t size = 0; size < 8; size++) {
        enum jl_status status = st_parse(file.data, size, "f.st", &arena, &list, &err);
        expect_error("short", status, &err, F, (const char *[]){"f.st: ", "cut short", NULL});
    }
    bytes_free(&file);
    arena_free(&arena);
}

/* ---- sweeps ---- */

static enum jl_status try_parse(const uint8_t *data, size_t size, struct jl_error *err) {
    struct arena arena = {.block_size = 1024};
    struct tensor_list list;
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    enum jl_status status = st_parse(exact, size, "f.st", &arena, &list, err);
    volatile unsigned sum = 0;
    for (size_t i = 0; status == JL_OK && i < list.count; i++) {
        for (size_t k = 0; k < list.items[i].bytes; k++)
            sum += list.items[i].data[k];
    }
    (void)sum;
    arena_free(&arena);
    free(exact);
    return status;
}

static void survives_truncation_and_corruption(void **state) {
    (void)state;
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x20, 0x02};
    struct bytes file =
        st_bytes("{\"__metadata__\":{\"k\":\"v\"}," T("b", "F16", "[2,2]", "[4,12]") "," T(
                     "a", "F32", "[]", "[0,4]") "}",
                 12);
    struct jl_error err;
    for (size_t size = 0; size < file.len; size++) {
        if (try_parse(file.data, size, &err) != F) fail_msg("%zu bytes were accepted", size);
    }
    assert_int_equal(try_parse(file.data, file.len, &err), JL_OK);
    for (size_t at = 0; at < file.len; at++) {
        uint8_t old = file.data[at];
        for (size_t i = 0; i < sizeof flips; i++) {
            file.data[at] = old ^ flips[i];
            enum jl_status status = try_parse(file.data, file.len, &err);
            if (status == JL_OK) continue;
            expect_error("corrupt", status, &err, status, (const char *[]){"f.st: ", NULL});
        }
        file.data[at] = old;
    }
    bytes_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors),
        cmocka_unit_test(reads_an_empty_file),
        cmocka_unit_test(refuses_malformed_files),
        cmocka_unit_test(checks_the_header_length),
        cmocka_unit_test(survives_truncation_and_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
