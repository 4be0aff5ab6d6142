/* GGUF files that are well formed: values, tensors, versions, alignment. Then every truncation and
 * every single-byte corruption of one: refused or read, never a crash (run it under sanitizers). */
#include "fixture.h"

#include "format/gguf.h"

static struct gguf parse(const struct bytes *file, struct arena *arena) {
    struct gguf gguf;
    struct jl_error err;
    if (gguf_parse(file->data, file->len, "x.gguf", arena, &gguf, &err) != JL_OK) {
        fail_msg("%s", err.message);
    }
    return gguf;
}

static int64_t int_of(struct meta *root, const char *key) {
    const struct meta *value = meta_find(root, key);
    assert_non_null(value);
    assert_int_equal(value->kind, META_INT);
    return value->as.i;
}

static double float_of(struct meta *root, const char *key) {
    const struct meta *value = meta_find(root, key);
    assert_non_null(value);
    assert_int_equal(value->kind, META_FLOAT);
    return value->as.f;
}

static void reads_scalars(void **state) {
    (void)state;
    struct arena arena = {0};
    for (uint32_t version = 2; version <= 3; version++) {
        struct bytes file = sample_gguf(version);
        struct gguf gguf = parse(&file, &arena);
        struct meta *m = gguf.meta;
        assert_int_equal(gguf.version, version);
        assert_string_equal(meta_find(m, "general.architecture")->as.s.text, "tiny");
        assert_int_equal(meta_find(m, "general.architecture")->as.s.len, 4);
        assert_int_equal(int_of(m, "v.u8"), 200);
        assert_int_equal(int_of(m, "v.i8"), -100);
        assert_int_equal(int_of(m, "v.u16"), 60000);
        assert_int_equal(int_of(m, "v.i16"), -30000);
        assert_int_equal(int_of(m, "v.u32"), 4000000000);
        assert_int_equal(int_of(m, "v.i32"), -2000000000);
        assert_int_equal(int_of(m, "v.u64"), 5);
        assert_true(int_of(m, "v.i64") == INT64_MIN);
        assert_int_equal(meta_find(m, "v.u64_large")->kind, META_UINT);
        assert_true(meta_find(m, "v.u64_large")->as.u == UINT64_MAX);
        assert_true(float_of(m, "v.f32") == 0.25);
        assert_true(float_of(m, "v.f64") == 1.0 / 3);
        assert_int_equal(meta_find(m, "v.bool")->kind, META_BOOL);
        assert_true(meta_find(m, "v.bool")->as.b);
        assert_int_equal(meta_find(m, "v.empty")->as.s.len, 0);
        bytes_free(&file);
    }
    arena_free(&arena);
}

static void reads_arrays(void **state) {
    (void)state;
    static const char *const words[] = {"one", "", "three"};
    static const int64_t numbers[] = {7, -8, 9};
    struct arena arena = {0};
    struct bytes file = sample_gguf(3);
    struct gguf gguf = parse(&file, &arena);
    struct meta item;
    const struct meta *strings = meta_find(gguf.meta, "a.strings");
    struct meta_iter iter = {.array = strings};
    assert_int_equal(strings->kind, META_PACKED);
    assert_int_equal(meta_count(strings), 3);
    assert_true(strings->as.packed.data > file.data); // not a copy
    assert_true(strings->as.packed.data < file.data + file.len);
    assert_int_equal(strings->as.packed.bytes, 3 * 8 + 8);
    for (int i = 0; i < 3; i++) {
        assert_true(meta_iter_next(&iter, &item));
        assert_int_equal(item.kind, META_STRING);
        assert_int_equal(item.as.s.len, strlen(words[i]));
        assert_memory_equal(item.as.s.text, words[i], item.as.s.len);
    }
    assert_false(meta_iter_next(&iter, &item));
    iter = (struct meta_iter){.array = meta_find(gguf.meta, "a.i32")};
    for (int i = 0; i < 3; i++) {
        assert_true(meta_iter_next(&iter, &item));
        assert_int_equal(item.as.i, numbers[i]);
    }
    assert_false(meta_iter_next(&iter, &item));
    iter = (struct meta_iter){.array = meta_find(gguf.meta, "a.bools")};
    assert_true(meta_iter_next(&iter, &item) && item.kind == META_BOOL && !item.as.b);
    assert_true(meta_iter_next(&iter, &item) && item.as.b);
    iter = (struct meta_iter){.array = meta_find(gguf.meta, "a.none")};
    assert_int_equal(meta_count(iter.array), 0);
    assert_false(meta_iter_next(&iter, &item));
    bytes_free(&file);
    arena_free(&arena);
}

static void reads_tensors(void **state) {
    (void)state;
    struct arena arena = {0};
    struct bytes file = sample_gguf(3);
    struct gguf gguf = parse(&file, &arena);
    const struct tensor_info *t = gguf.tensors.items;
    float x[5];
    assert_int_equal(gguf.tensors.count, 3); // sorted by name, not as in the file
    assert_string_equal(t[0].name, "a.q8");
    assert_string_equal(t[1].name, "m.four");
    assert_string_equal(t[2].name, "z.norm");
    assert_int_equal(t[0].dtype, DTYPE_Q8_0);
    assert_int_equal(t[0].n_dim, 2);
    assert_int_equal(t[0].dim[0], 2); // outermost first
    assert_int_equal(t[0].dim[1], 64);
    assert_int_equal(t[0].bytes, 4 * 34);
    for (unsigned i = 0; i < 4 * 34; i++)
        assert_int_equal(t[0].data[i], i);
    assert_int_equal(t[1].dtype, DTYPE_F16);
    assert_int_equal(t[1].n_dim, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(t[1].dim[i], i + 1);
    assert_int_equal(t[1].bytes, 48);
    assert_int_equal(t[2].n_dim, 1);
    assert_int_equal(t[2].bytes, 20);
    assert_string_equal(t[2].file, "x.gguf");
    memcpy(x, t[2].data, sizeof x);
    for (int i = 0; i < 5; i++)
        assert_true(x[i] == 1.0f + (float)i);
    bytes_free(&file);
    arena_free(&arena);
}

static void honours_alignment(void **state) {
    (void)state;
    static const uint32_t alignments[] = {8, 16, 32, 64, 4096, 65536};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        struct arena arena = {0};
        struct draft d = {.alignment = alignments[i]};
        draft_u32(&d, "general.alignment", alignments[i]);
        draft_vector(&d, "a", 3, 1.0f);
        draft_vector(&d, "b", 3, 10.0f);
        struct bytes file = draft_finish(&d);
        struct gguf gguf = parse(&file, &arena);
        float x;
        memcpy(&x, gguf.tensors.items[1].data, sizeof x);
        assert_true(x == 10.0f);
        assert_int_equal((size_t)(gguf.tensors.items[1].data - file.data) % alignments[i], 0);
        bytes_free(&file);
        arena_free(&arena);
    }
}

static void reads_an_empty_model(void **state) {
    (void)state;
    struct arena arena = {0};
    struct draft d = {0};
    struct bytes file = draft_finish(&d);
    struct gguf gguf;
    struct jl_error err;
    /* Without tensors the file may end right behind the header. */
    assert_int_equal(gguf_parse(file.data, 24, "x", &arena, &gguf, &err), JL_OK);
    assert_int_equal(gguf.tensors.count, 0);
    assert_int_equal(gguf.meta->kind, META_OBJECT);
    assert_null(meta_find(gguf.meta, "a"));
    bytes_free(&file);
    arena_free(&arena);
}

static void names_tensor_types(void **state) {
    (void)state;
    assert_string_equal(gguf_tensor_type_name(2), "Q4_0");
    assert_string_equal(gguf_tensor_type_name(4), "unknown");
    assert_string_equal(gguf_tensor_type_name(UINT32_MAX), "unknown");
    for (enum dtype t = 0; t < DTYPE_COUNT; t++) {
        if (dtype_row(t)->gguf < 0) continue;
        assert_string_equal(gguf_tensor_type_name((uint32_t)dtype_row(t)->gguf), dtype_name(t));
    }
}

/* ---- sweeps ---- */

/* Reads everything that a successful parse promises, so that a sanitizer sees a wrong promise. */
static unsigned touch(const struct gguf *gguf) {
    unsigned sum = 0;
    for (size_t i = 0; i < gguf->meta->as.list.count; i++) {
        struct meta_iter iter = {.array = &gguf->meta->as.list.items[i]};
        struct meta item;
        while (meta_iter_next(&iter, &item)) {
            if (item.kind != META_STRING) continue;
            for (size_t k = 0; k < item.as.s.len; k++)
                sum += (unsigned char)item.as.s.text[k];
        }
    }
    for (size_t i = 0; i < gguf->tensors.count; i++) {
        const struct tensor_info *t = &gguf->tensors.items[i];
        for (size_t k = 0; k < t->bytes; k++)
            sum += t->data[k];
    }
    return sum;
}

/* The bytes are copied to a block of their exact size: one byte too far is seen. */
static enum jl_status try_parse(const uint8_t *data, size_t size, struct jl_error *err) {
    struct arena arena = {.block_size = 1024};
    struct gguf gguf;
    uint8_t *exact = malloc(size ? size : 1);
    assert_non_null(exact);
    memcpy(exact, data, size);
    enum jl_status status = gguf_parse(exact, size, "x.gguf", &arena, &gguf, err);
    if (status == JL_OK) {
        volatile unsigned sink = touch(&gguf);
        (void)sink;
    }
    arena_free(&arena);
    free(exact);
    return status;
}

static void refuses_every_truncation(void **state) {
    (void)state;
    struct bytes file = sample_gguf(3);
    struct jl_error err;
    size_t needed = file.len - strlen("trailing");
    for (size_t size = 0; size < needed; size++) {
        enum jl_status status = try_parse(file.data, size, &err);
        if (status != JL_ERR_FORMAT || !strstr(err.message, "cut short")) {
            fail_msg("%zu bytes: %s", size, status == JL_OK ? "accepted" : err.message);
        }
    }
    for (size_t size = needed; size <= file.len; size++) {
        assert_int_equal(try_parse(file.data, size, &err), JL_OK);
    }
    bytes_free(&file);
}

static void survives_every_corruption(void **state) {
    (void)state;
    static const uint8_t flips[] = {0x01, 0x80, 0xff, 0x20, 0x07};
    struct bytes file = sample_gguf(2);
    struct jl_error err;
    for (size_t at = 0; at < file.len; at++) {
        uint8_t old = file.data[at];
        for (size_t i = 0; i < sizeof flips; i++) {
            file.data[at] = old ^ flips[i];
            enum jl_status status = try_parse(file.data, file.len, &err);
            if (status != JL_OK) {
                expect_error("corrupt", status, &err, status, (const char *[]){"x.gguf: ", NULL});
            }
        }
        file.data[at] = 0;
        try_parse(file.data, file.len, &err);
        file.data[at] = old;
    }
    bytes_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_scalars),
        cmocka_unit_test(reads_arrays),
        cmocka_unit_test(reads_tensors),
        cmocka_unit_test(honours_alignment),
        cmocka_unit_test(reads_an_empty_model),
        cmocka_unit_test(names_tensor_types),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(survives_every_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
