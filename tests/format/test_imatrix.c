/* Importance matrices: both file forms, what is refused, and every truncation. */
#include "fixture.h"

#include "format/imatrix.h"

/* ---- drafts ---- */

static void matrix(struct draft *d, const char *name, uint64_t n_in, uint64_t n_matrix,
                   float first) {
    uint64_t dims[2] = {n_in, n_matrix};
    while (d->data.len % 32)
        add_zeros(&d->data, 1);
    draft_info(d, name, 2, dims, 0, d->data.len);
    for (uint64_t i = 0; i < n_in * n_matrix; i++)
        add_f32(&d->data, first + (float)i);
}

static struct bytes plain_gguf(void) {
    struct draft d = {0};
    draft_string(&d, "general.type", "imatrix");
    draft_key(&d, "imatrix.datasets", 9);
    add_u32(&d.keys, 8);
    add_u64(&d.keys, 2);
    add_str(&d.keys, "old.txt");
    add_str(&d.keys, "new.txt");
    draft_u32(&d, "imatrix.chunk_count", 7);
    draft_u32(&d, "imatrix.chunk_size", 512);
    matrix(&d, "b.weight.counts", 1, 3, 0); // experts, the first never chosen
    matrix(&d, "b.weight.in_sum2", 2, 3, 10);
    matrix(&d, "a.weight.in_sum2", 4, 1, 1);
    matrix(&d, "a.weight.in_sum", 4, 1, -5); // plain sums, which newer files carry: not read
    matrix(&d, "a.weight.counts", 1, 1, 2);
    return draft_finish(&d);
}

static void dat_entry(struct bytes *b, const char *name, uint32_t calls, uint32_t n, float first) {
    add_u32(b, (uint32_t)strlen(name));
    add_text(b, name);
    add_u32(b, calls);
    add_u32(b, n);
    for (uint32_t i = 0; i < n; i++)
        add_f32(b, first + (float)i);
}

static struct bytes plain_dat(bool tail) {
    struct bytes b = {0};
    add_u32(&b, 2);
    dat_entry(&b, "b.weight", 4, 6, 8);
    dat_entry(&b, "a.weight", 2, 4, 1);
    if (!tail) return b;
    add_u32(&b, 7);
    add_u32(&b, 8);
    add_text(&b, "text.txt");
    return b;
}

static enum jl_status parse(const struct bytes *b, struct arena *arena, struct imatrix *out,
                            struct jl_error *err) {
    return imatrix_parse(b->data, b->len, "i", arena, out, err);
}

/* ---- what is read ---- */

static void reads_gguf(void **state) {
    (void)state;
    struct bytes b = plain_gguf();
    struct arena arena = {0};
    struct imatrix im;
    struct jl_error err;
    float mean[4];
    assert_int_equal(parse(&b, &arena, &im, &err), JL_OK);
    bytes_free(&b);
    assert_int_equal(im.n, 2);
    assert_true(im.n_chunk == 7 && im.chunk_size == 512);
    assert_string_equal(im.dataset, "new.txt");
    const struct imatrix_entry *a = imatrix_find(&im, "a.weight"),
                               *e = imatrix_find(&im, "b.weight");
    assert_non_null(a);
    assert_non_null(e);
    assert_null(imatrix_find(&im, "a"));
    assert_true(imatrix_fits(a, 4, 1) && !imatrix_fits(a, 2, 1) && !imatrix_fits(a, 0, 1));
    assert_true(imatrix_fits(a, 2, 2)); // one count stands for both
    imatrix_means(a, 4, 0, mean);
    assert_true(mean[0] == 0.5f && mean[3] == 2);
    imatrix_means(a, 2, 1, mean);
    assert_true(mean[0] == 1.5f && mean[1] == 2);
    assert_true(imatrix_fits(e, 2, 3) && !imatrix_fits(e, 3, 2) && !imatrix_fits(e, 6, 1));
    imatrix_means(e, 2, 0, mean);
    assert_true(mean[0] == 1 && mean[1] == 1); // never seen: all alike
    imatrix_means(e, 2, 2, mean);
    assert_true(mean[0] == 7 && mean[1] == 7.5f);
    arena_free(&arena);
}

static void reads_dat(void **state) {
    (void)state;
    for (int tail = 0; tail < 2; tail++) {
        struct bytes b = plain_dat(tail);
        struct arena arena = {0};
        struct imatrix im;
        struct jl_error err;
        float mean[4];
        assert_int_equal(parse(&b, &arena, &im, &err), JL_OK);
        assert_int_equal(im.n, 2);
        assert_int_equal(im.n_chunk, tail ? 7 : 0);
        assert_string_equal(im.dataset, tail ? "text.txt" : "");
        const struct imatrix_entry *e = imatrix_find(&im, "b.weight");
        assert_true(imatrix_fits(e, 2, 3) && imatrix_fits(e, 6, 1));
        imatrix_means(e, 2, 2, mean);
        assert_true(mean[0] == 3 && mean[1] == 3.25f);
        bytes_free(&b);
        arena_free(&arena);
    }
}

static void writes_what_it_reads(void **state) {
    (void)state;
    struct bytes b = plain_gguf();
    struct arena arena = {0};
    struct imatrix im, back;
    struct jl_error err;
    struct folder folder;
    folder_make(&folder);
    assert_int_equal(parse(&b, &arena, &im, &err), JL_OK);
    const char *path = folder_file(&folder, "im.gguf");
    assert_int_equal(imatrix_write(path, &im, &err), JL_OK);
    assert_int_equal(imatrix_read(path, &arena, &back, &err), JL_OK);
    assert_true(back.n == im.n && back.n_chunk == 7 && back.chunk_size == 512);
    assert_string_equal(back.dataset, "new.txt");
    for (size_t i = 0; i < im.n; i++) {
        const struct imatrix_entry *x = &im.entries[i], *y = &back.entries[i];
        assert_string_equal(x->name, y->name);
        assert_true(x->n_value == y->n_value && x->n_count == y->n_count);
        assert_memory_equal(x->values, y->values, x->n_value * sizeof(float));
        assert_memory_equal(x->counts, y->counts, x->n_count * sizeof(float));
    }
    assert_int_equal(imatrix_read(folder_file(&folder, "none"), &arena, &back, &err), JL_ERR_IO);
    folder_remove(&folder);
    bytes_free(&b);
    arena_free(&arena);
}

/* ---- what is refused ---- */

static void expect_bad(const char *test, struct bytes b, const char *needle) {
    struct arena arena = {0};
    struct imatrix im;
    struct jl_error err;
    enum jl_status got = parse(&b, &arena, &im, &err);
    expect_error(test, got, &err, JL_ERR_FORMAT, (const char *const[]){"i: ", needle, NULL});
    bytes_free(&b);
    arena_free(&arena);
}

static struct draft typed(void) {
    struct draft d = {0};
    draft_string(&d, "general.type", "imatrix");
    return d;
}

static void refuses_gguf(void **state) {
    (void)state;
    struct draft d = {0};
    draft_string(&d, "general.architecture", "llama");
    expect_bad("a model", draft_finish(&d), "no importance matrix");
    d = typed();
    expect_bad("empty", draft_finish(&d), "no entry");
    d = typed();
    matrix(&d, "a.in_sum2", 2, 1, 0);
    expect_bad("no counts", draft_finish(&d), "no .counts");
    d = typed();
    matrix(&d, "a.in_sum2", 3, 1, 0);
    matrix(&d, "a.counts", 1, 2, 0);
    expect_bad("ragged", draft_finish(&d), "3 sums");
    d = typed();
    matrix(&d, "a.in_sum2", 2, 1, -1);
    matrix(&d, "a.counts", 1, 1, 1);
    expect_bad("negative", draft_finish(&d), "value 0");
    d = typed();
    matrix(&d, "a.in_sum2", 1, 1, 0);
    matrix(&d, "a.counts", 1, 1, __builtin_inff());
    expect_bad("infinite", draft_finish(&d), "a.counts");
    d = typed();
    uint64_t one = 1;
    draft_info(&d, "a.in_sum2", 1, &one, 1, 0);
    add_zeros(&d.data, 32);
    draft_info(&d, "a.counts", 1, &one, 0, 32);
    add_zeros(&d.data, 4);
    expect_bad("f16", draft_finish(&d), "must be F32");
}

static void refuses_dat(void **state) {
    (void)state;
    struct bytes b = {0};
    expect_bad("nothing", b, "ends before");
    add_u32(&b, 0);
    expect_bad("none", b, "number of entries is 0");
    b = (struct bytes){0};
    add_text(&b, "a text that is no matrix");
    expect_bad("text", b, "do not fit");
    b = (struct bytes){0};
    add_u32(&b, 1);
    dat_entry(&b, "a", 0, 4, 1);
    expect_bad("no calls", b, "number of calls is 0");
    b = (struct bytes){0};
    add_u32(&b, 1);
    dat_entry(&b, "a", 1, 4, __builtin_nanf(""));
    expect_bad("nan", b, "value 0 of 'a'");
    b = (struct bytes){0};
    add_u32(&b, 2);
    dat_entry(&b, "a", 1, 1, 1);
    dat_entry(&b, "a", 1, 1, 1);
    expect_bad("twice", b, "twice");
}

/* A part of a file is refused, but for a .dat file that ends where its tail begins. */
static void every_truncation(void **state) {
    (void)state;
    struct bytes whole[] = {plain_gguf(), plain_dat(true)}, bare = plain_dat(false);
    size_t tail_at = bare.len;
    for (int i = 0; i < 2; i++)
        for (size_t len = 0; len < whole[i].len; len++) {
            struct arena arena = {0};
            struct imatrix im;
            struct jl_error err;
            uint8_t *part = malloc(len ? len : 1); // exact, so that a sanitizer sees a read behind
            memcpy(part, whole[i].data, len);
            enum jl_status got = imatrix_parse(part, len, "i", &arena, &im, &err);
            assert_int_equal(got, i == 1 && len == tail_at ? JL_OK : JL_ERR_FORMAT);
            free(part);
            arena_free(&arena);
        }
    bytes_free(&whole[0]);
    bytes_free(&whole[1]);
    bytes_free(&bare);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_gguf),           cmocka_unit_test(reads_dat),
        cmocka_unit_test(writes_what_it_reads), cmocka_unit_test(refuses_gguf),
        cmocka_unit_test(refuses_dat),          cmocka_unit_test(every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
