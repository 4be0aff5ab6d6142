/* One malformed GGUF file a check: the status, and that the message names file, field and fault. */
#include "fixture.h"

#include "format/gguf.h"

struct bad_case {
    const char *name;
    void (*make)(struct draft *d); // spoils an empty draft
    enum jl_status status;
    const char *needles[4];
};

/* ---- header ---- */

static void bad_magic(struct draft *d) { d->magic = "GGXF"; }
static void old_magic(struct draft *d) { d->magic = "tjgg"; }
static void binary_magic(struct draft *d) {
    d->magic = "\x7f"
               "EL\x1b";
}
static void swapped_magic(struct draft *d) { d->magic = "FUGG"; }
static void version_1(struct draft *d) { d->version = 1; }
static void version_4(struct draft *d) { d->version = 4; }
static void version_big_endian(struct draft *d) { d->version = 0x03000000; }
static void many_tensors(struct draft *d) { d->n_tensor = 1000; }
static void most_tensors(struct draft *d) { d->n_tensor = UINT64_MAX; }
static void many_keys(struct draft *d) { d->n_key = 1000; }
static void most_keys(struct draft *d) { d->n_key = UINT64_MAX / 14; }

static void keys_above_limit(struct draft *d) {
    d->n_key = GGUF_MAX_KEYS + 1;
    add_zeros(&d->data, (GGUF_MAX_KEYS + 10) * 14);
}

static void tensors_above_limit(struct draft *d) {
    d->n_tensor = GGUF_MAX_TENSORS + 1;
    add_zeros(&d->data, (GGUF_MAX_TENSORS + 10) * 33);
}

/* ---- keys ---- */

static void key_empty(struct draft *d) { draft_u32(d, "", 1); }
static void key_twice(struct draft *d) {
    draft_u32(d, "a.b", 1);
    draft_u32(d, "c", 1);
    draft_u32(d, "a.b", 2);
}
static void key_control(struct draft *d) { draft_u32(d, "a\x1b[31m", 1); }
static void key_not_ascii(struct draft *d) { draft_u32(d, "caf\xc3\xa9", 1); }

static void key_with_nul(struct draft *d) {
    add_u64(&d->keys, 3);
    add_raw(&d->keys, "a\0b", 3);
    add_u32(&d->keys, 4);
    add_u32(&d->keys, 1);
    d->n_key++;
}

static void key_long(struct draft *d) {
    add_u64(&d->keys, 65536);
    for (int i = 0; i < 65536; i++)
        add_u8(&d->keys, 'k');
    add_u32(&d->keys, 4);
    add_u32(&d->keys, 1);
    d->n_key++;
}

static void key_length_huge(struct draft *d) {
    add_u64(&d->keys, UINT64_MAX);
    add_zeros(&d->keys, 64);
    d->n_key++;
}

/* ---- values ---- */

static void value_type(struct draft *d) {
    draft_key(d, "k.odd", 13);
    add_u32(&d->keys, 0);
}
static void value_bool(struct draft *d) {
    draft_key(d, "k.flag", 7);
    add_u8(&d->keys, 2);
}
static void value_cut(struct draft *d) {
    draft_key(d, "k.last", 12);
    d->alignment = 1;
}
static void string_long(struct draft *d) {
    draft_key(d, "k.text", 8);
    add_u64(&d->keys, UINT64_MAX - 3);
    add_text(&d->keys, "abc");
}
static void array_start(struct draft *d, const char *key, uint32_t type, uint64_t count) {
    draft_key(d, key, 9);
    add_u32(&d->keys, type);
    add_u64(&d->keys, count);
}
static void array_nested(struct draft *d) {
    array_start(d, "k.nest", 9, 1);
    add_zeros(&d->keys, 16);
}
static void array_type(struct draft *d) {
    array_start(d, "k.list", 77, 1);
    add_zeros(&d->keys, 16);
}
static void array_long(struct draft *d) {
    array_start(d, "k.list", 4, 100);
    add_zeros(&d->keys, 16);
}
static void array_overflow(struct draft *d) {
    array_start(d, "k.list", 10, UINT64_MAX / 8 + 2);
    add_zeros(&d->keys, 16);
}
static void array_bool(struct draft *d) {
    array_start(d, "k.flags", 7, 3);
    add_u8(&d->keys, 1);
    add_u8(&d->keys, 0);
    add_u8(&d->keys, 255);
}
static void array_string_count(struct draft *d) {
    array_start(d, "k.words", 8, UINT64_MAX / 8);
    add_zeros(&d->keys, 16);
}
static void array_string_cut(struct draft *d) {
    array_start(d, "k.words", 8, 2);
    add_str(&d->keys, "fine");
    add_u64(&d->keys, 1000);
    add_text(&d->keys, "short");
}
static void array_string_huge(struct draft *d) {
    array_start(d, "k.words", 8, 2);
    add_str(&d->keys, "fine");
    add_u64(&d->keys, UINT64_MAX);
    add_text(&d->keys, "short");
}

/* ---- alignment ---- */

static void alignment_odd(struct draft *d) { draft_u32(d, "general.alignment", 48); }
static void alignment_small(struct draft *d) { draft_u32(d, "general.alignment", 4); }
static void alignment_zero(struct draft *d) { draft_u32(d, "general.alignment", 0); }
static void alignment_large(struct draft *d) { draft_u32(d, "general.alignment", 131072); }
static void alignment_text(struct draft *d) { draft_string(d, "general.alignment", "32"); }

/* ---- tensors ---- */

#define DIMS(...) ((uint64_t[]){__VA_ARGS__})

static void name_empty(struct draft *d) { draft_vector(d, "", 4, 0); }
static void name_control(struct draft *d) { draft_vector(d, "w\n1", 4, 0); }
static void name_twice(struct draft *d) {
    draft_vector(d, "blk.0.w", 4, 0);
    draft_vector(d, "x", 4, 0);
    draft_vector(d, "blk.0.w", 4, 0);
}
static void name_long(struct draft *d) {
    char name[258];
    memset(name, 'n', 257);
    name[257] = '\0';
    draft_vector(d, name, 4, 0);
}
static void dims_none(struct draft *d) {
    draft_info(d, "w.dims", 0, NULL, 0, 0);
    add_zeros(&d->data, 64);
}
static void dims_five(struct draft *d) {
    draft_info(d, "w.dims", 5, DIMS(1, 1, 1, 1, 1), 0, 0);
    add_zeros(&d->data, 64);
}
static void dims_many(struct draft *d) {
    draft_info(d, "w.dims", 0, NULL, 0, 0);
    memset(d->infos.data + d->infos.len - 16, 0xff, 4);
    add_zeros(&d->data, 64);
}
static void dim_zero(struct draft *d) {
    draft_info(d, "w.dims", 2, DIMS(4, 0), 0, 0);
    add_zeros(&d->data, 64);
}
static void dim_huge(struct draft *d) {
    draft_info(d, "w.dims", 2, DIMS(4, (uint64_t)1 << 63), 0, 0);
    add_zeros(&d->data, 64);
}
static void dims_overflow(struct draft *d) {
    draft_info(d, "w.dims", 4, DIMS(1 << 16, 1 << 16, 1 << 16, 1 << 16), 0, 0);
    add_zeros(&d->data, 64);
}
/* The product wraps to a small number. */
static void dims_wrap(struct draft *d) {
    draft_info(d, "w.dims", 2, DIMS(4, ((uint64_t)1 << 60) + 1), 0, 0);
    add_zeros(&d->data, 64);
}
static void row_overflow(struct draft *d) {
    draft_info(d, "w.dims", 1, DIMS(INT64_MAX), 28, 0);
    add_zeros(&d->data, 64);
}
static void row_block(struct draft *d) {
    draft_info(d, "w.row", 2, DIMS(48, 2), 8, 0);
    add_zeros(&d->data, 256);
}
static void row_superblock(struct draft *d) {
    draft_info(d, "w.row", 1, DIMS(128), 12, 0);
    add_zeros(&d->data, 256);
}
static void type_known_elsewhere(struct draft *d) {
    draft_info(d, "w.quant", 1, DIMS(256), 34, 0);
    add_zeros(&d->data, 64);
}
static void type_unknown(struct draft *d) {
    draft_info(d, "w.quant", 1, DIMS(32), 4711, 0);
    add_zeros(&d->data, 64);
}
static void offset_odd(struct draft *d) {
    draft_info(d, "w.at", 1, DIMS(4), 0, 40);
    add_zeros(&d->data, 256);
}
static void offset_outside(struct draft *d) {
    draft_info(d, "w.at", 1, DIMS(4), 0, 256);
    add_zeros(&d->data, 256);
}
static void offset_huge(struct draft *d) {
    draft_info(d, "w.at", 1, DIMS(4), 0, UINT64_MAX - 31);
    add_zeros(&d->data, 256);
}
static void data_cut(struct draft *d) {
    draft_info(d, "w.at", 1, DIMS(65), 0, 0);
    add_zeros(&d->data, 256);
}
static void data_absent(struct draft *d) { draft_info(d, "w.at", 1, DIMS(4), 0, 0); }
static void overlap_same(struct draft *d) {
    draft_info(d, "w.one", 1, DIMS(4), 0, 32);
    draft_info(d, "w.two", 1, DIMS(4), 0, 32);
    add_zeros(&d->data, 256);
}
static void overlap_part(struct draft *d) {
    draft_info(d, "w.two", 1, DIMS(4), 0, 64);
    draft_info(d, "w.one", 1, DIMS(17), 0, 0);
    add_zeros(&d->data, 256);
}

#define F JL_ERR_FORMAT
#define U JL_ERR_UNSUPPORTED
#define L JL_ERR_LIMIT

static const struct bad_case cases[] = {
    {"bad_magic", bad_magic, F, {"not a GGUF file", "'GGXF'"}},
    {"old_magic", old_magic, F, {"not a GGUF file", "'tjgg'"}},
    {"binary_magic", binary_magic, F, {"'\\x7fEL\\x1b'"}},
    {"swapped_magic", swapped_magic, U, {"big-endian"}},
    {"version_1", version_1, U, {"version 1 is not supported"}},
    {"version_4", version_4, U, {"version 4 is not supported"}},
    {"version_big_endian", version_big_endian, U, {"big-endian", "0x03000000"}},
    {"many_tensors", many_tensors, F, {"tensor count 1000", "cut short"}},
    {"most_tensors", most_tensors, F, {"tensor count 18446744073709551615", "cut short"}},
    {"many_keys", many_keys, F, {"key count 1000", "cut short"}},
    {"most_keys", most_keys, F, {"key count", "cut short"}},
    {"keys_above_limit", keys_above_limit, L, {"key count 1048577", "limit of 1048576"}},
    {"tensors_above_limit", tensors_above_limit, L, {"tensor count 1048577", "limit"}},
    {"key_empty", key_empty, F, {"key number 0 is empty"}},
    {"key_twice", key_twice, F, {"key 'a.b'", "occurs twice"}},
    {"key_control", key_control, F, {"key number 0", "'a\\x1b[31m'", "printable"}},
    {"key_not_ascii", key_not_ascii, F, {"'caf\\xc3\\xa9'", "printable ASCII"}},
    {"key_with_nul", key_with_nul, F, {"'a\\x00b'", "printable ASCII"}},
    {"key_long", key_long, F, {"key number 0", "65536", "at most 65535"}},
    {"key_length_huge", key_length_huge, F, {"key number 0", "18446744073709551615"}},
    {"value_type", value_type, F, {"key 'k.odd'", "unknown value type 13"}},
    {"value_bool", value_bool, F, {"key 'k.flag'", "0 or 1", "found 2"}},
    {"value_cut", value_cut, F, {"value of key 'k.last'", "cut short"}},
    {"string_long", string_long, F, {"value of key 'k.text'", "cut short"}},
    {"array_nested", array_nested, F, {"key 'k.nest'", "arrays of arrays"}},
    {"array_type", array_type, F, {"key 'k.list'", "element type 77"}},
    {"array_long", array_long, F, {"key 'k.list'", "100 elements of type uint32"}},
    {"array_overflow", array_overflow, F, {"key 'k.list'", "2305843009213693953", "uint64"}},
    {"array_bool", array_bool, F, {"key 'k.flags'", "0 or 1", "found 255"}},
    {"array_string_count", array_string_count, F, {"key 'k.words'", "of type string"}},
    {"array_string_cut", array_string_cut, F, {"key 'k.words'", "string 1 of 2", "cut short"}},
    {"array_string_huge", array_string_huge, F, {"key 'k.words'", "string 1 of 2"}},
    {"alignment_odd", alignment_odd, F, {"'general.alignment'", "48", "power of two"}},
    {"alignment_small", alignment_small, F, {"'general.alignment'", "4 is not"}},
    {"alignment_zero", alignment_zero, F, {"'general.alignment'", "0 is not"}},
    {"alignment_large", alignment_large, F, {"'general.alignment'", "131072", "65536"}},
    {"alignment_text", alignment_text, F, {"'general.alignment'", "integer"}},
    {"name_empty", name_empty, F, {"name of tensor number 0 is empty"}},
    {"name_control", name_control, F, {"name of tensor number 0", "'w\\x0a1'"}},
    {"name_twice", name_twice, F, {"tensor 'blk.0.w'", "occurs twice"}},
    {"name_long", name_long, F, {"name of tensor number 0", "257", "at most 256"}},
    {"dims_none", dims_none, F, {"tensor 'w.dims'", "0 dimensions"}},
    {"dims_five", dims_five, F, {"tensor 'w.dims'", "5 dimensions"}},
    {"dims_many", dims_many, F, {"tensor 'w.dims'", "4294967295 dimensions"}},
    {"dim_zero", dim_zero, F, {"tensor 'w.dims'", "dimension is zero"}},
    {"dim_huge", dim_huge, F, {"tensor 'w.dims'", "overflows"}},
    {"dims_overflow", dims_overflow, F, {"tensor 'w.dims'", "overflows"}},
    {"dims_wrap", dims_wrap, F, {"tensor 'w.dims'", "overflows"}},
    {"row_overflow", row_overflow, F, {"tensor 'w.dims'", "overflows"}},
    {"row_block", row_block, F, {"tensor 'w.row'", "48 elements", "Q8_0", "multiple of 32"}},
    {"row_superblock", row_superblock, F, {"tensor 'w.row'", "Q4_K", "multiple of 256"}},
    {"type_known_elsewhere", type_known_elsewhere, U, {"tensor 'w.quant'", "type 34 (TQ1_0)"}},
    {"type_unknown", type_unknown, U, {"tensor 'w.quant'", "type 4711", "not supported"}},
    {"offset_odd", offset_odd, F, {"tensor 'w.at'", "offset 40", "alignment 32"}},
    {"offset_outside", offset_outside, F, {"tensor 'w.at'", "offset 256", "cut short"}},
    {"offset_huge", offset_huge, F, {"tensor 'w.at'", "cut short"}},
    {"data_cut", data_cut, F, {"tensor 'w.at'", "260 bytes", "only 256"}},
    {"data_absent", data_absent, F, {"tensor 'w.at'", "only 0"}},
    {"overlap_same", overlap_same, F, {"'w.one'", "'w.two'", "overlap"}},
    {"overlap_part", overlap_part, F, {"'w.one'", "'w.two'", "overlap"}},
};

static void refuses_malformed_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *needles[6] = {"bad.gguf: "};
        struct arena arena = {0};
        struct jl_error err = {0};
        struct gguf gguf;
        struct draft d = {0};
        cases[i].make(&d);
        struct bytes file = draft_finish(&d);
        enum jl_status status =
            gguf_parse(file.data, file.len, "folder/bad.gguf", &arena, &gguf, &err);
        for (size_t k = 0; k < 4; k++)
            needles[k + 1] = cases[i].needles[k];
        expect_error(cases[i].name, status, &err, cases[i].status, needles);
        bytes_free(&file);
        arena_free(&arena);
    }
}

/* A message must not lose its fault to a long path or a long name. */
static void keeps_the_fault_in_long_messages(void **state) {
    (void)state;
    char path[3000], name[201];
    memset(path, 'p', sizeof path);
    memcpy(path + sizeof path - 11, "/last.gguf", 11);
    memset(name, '\xee', sizeof name);
    name[200] = '\0';
    struct arena arena = {0};
    struct jl_error err;
    struct gguf gguf;
    struct draft d = {0};
    draft_u32(&d, name, 1);
    struct bytes file = draft_finish(&d);
    enum jl_status status = gguf_parse(file.data, file.len, path, &arena, &gguf, &err);
    expect_error("long", status, &err, JL_ERR_FORMAT,
                 (const char *[]){"/last.gguf: key number 0", "...'", "printable ASCII", NULL});
    bytes_free(&file);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_malformed_files),
        cmocka_unit_test(keeps_the_fault_in_long_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
