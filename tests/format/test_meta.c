/* The metadata tree: lookup, marks, iteration, the list of unread values. */
#include "fixture.h"

#include "format/config.h"
#include "format/meta.h"

static struct meta *parse(struct arena *arena, const char *json) {
    struct meta *root;
    struct jl_error err;
    enum jl_status status = config_parse(json, strlen(json), "test.json", arena, &root, &err);
    if (status != JL_OK) fail_msg("%s", err.message);
    return root;
}

struct collected {
    char text[1024];
};

static void collect(void *ctx, const char *path) {
    struct collected *c = ctx;
    strcat(c->text, path);
    strcat(c->text, " ");
}

static void expect_unread(const struct meta *root, const char *want) {
    struct collected c = {""};
    assert_int_equal(meta_unread(root, collect, &c), JL_OK);
    assert_string_equal(c.text, want);
}

static void finds_values(void **state) {
    (void)state;
    struct arena arena = {0};
    struct meta *root = parse(&arena, "{\"b\":1,\"a\":{\"x\":true,\"y\":{\"z\":2.5}},\"c\":null,"
                                      "\"a.x\":\"literal\",\"bb\":-7}");
    assert_int_equal(meta_find(root, "b")->as.i, 1);
    assert_int_equal(meta_find(root, "bb")->as.i, -7);
    assert_int_equal(meta_find(root, "c")->kind, META_NULL);
    assert_null(meta_find(root, ""));
    assert_null(meta_find(root, "bbb"));
    assert_null(meta_find(root, "zz"));
    assert_null(meta_find(NULL, "b"));
    assert_null(meta_find(meta_find(root, "b"), "b"));
    assert_string_equal(meta_find_path(root, "a.x")->as.s.text, "literal");
    assert_int_equal(meta_find_path(root, "a.y")->kind, META_OBJECT);
    assert_true(meta_find_path(root, "a.y.z")->as.f == 2.5);
    assert_null(meta_find_path(root, "a.y.q"));
    assert_null(meta_find_path(root, "a."));
    assert_null(meta_find_path(root, ".a"));
    assert_null(meta_find_path(NULL, "a.b"));
    arena_free(&arena);
}

static void lists_unread_values(void **state) {
    (void)state;
    struct arena arena = {0};
    struct meta *root = parse(&arena, "{\"b\":1,\"a\":{\"x\":true,\"y\":{\"z\":2.5}},\"c\":[1,2],"
                                      "\"a-b\":0,\"empty\":{},\"n\":null}");
    expect_unread(root, "a-b a.x a.y.z b c empty n ");
    meta_find_path(root, "a.y.z");
    meta_find(root, "c");
    meta_find(root, "empty");
    expect_unread(root, "a-b a.x b n ");
    meta_find(root, "a"); // a look at the object is no look at what it holds
    expect_unread(root, "a-b a.x b n ");
    meta_find_path(root, "a.x");
    meta_find(root, "a-b");
    meta_find(root, "b");
    meta_find(root, "n");
    expect_unread(root, "");
    assert_int_equal(meta_unread(NULL, collect, NULL), JL_OK);
    arena_free(&arena);
}

static void iterates_json_arrays(void **state) {
    (void)state;
    struct arena arena = {0};
    struct meta *root = parse(&arena, "{\"a\":[1,\"two\",{\"k\":3}],\"e\":[],\"n\":4}");
    struct meta *array = meta_find(root, "a"), item;
    assert_int_equal(meta_count(array), 3);
    struct meta_iter iter = {.array = array};
    assert_true(meta_iter_next(&iter, &item));
    assert_int_equal(item.as.i, 1);
    assert_true(meta_iter_next(&iter, &item));
    assert_string_equal(item.as.s.text, "two");
    assert_true(meta_iter_next(&iter, &item));
    assert_int_equal(meta_find(&item, "k")->as.i, 3);
    assert_false(meta_iter_next(&iter, &item));
    assert_false(meta_iter_next(&iter, &item));
    assert_int_equal(meta_count(meta_find(root, "e")), 0);
    assert_int_equal(meta_count(meta_find(root, "n")), 0);
    assert_int_equal(meta_count(NULL), 0);
    iter = (struct meta_iter){.array = meta_find(root, "n")};
    assert_false(meta_iter_next(&iter, &item));
    arena_free(&arena);
}

/* Every key of a large object is found, and none of its near misses. */
static void finds_in_large_objects(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    struct arena arena = {0};
    struct bytes json = {0};
    char text[64];
    add_text(&json, "{");
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "%s\"key.%d\":%d", i ? "," : "", (i * 7) % COUNT, i);
        add_text(&json, text);
    }
    add_text(&json, "}");
    add_u8(&json, 0);
    struct meta *root = parse(&arena, (const char *)json.data);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "key.%d", (i * 7) % COUNT);
        const struct meta *found = meta_find(root, text);
        assert_non_null(found);
        assert_int_equal(found->as.i, i);
        strcat(text, "x");
        assert_null(meta_find(root, text));
    }
    bytes_free(&json);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_values),
        cmocka_unit_test(lists_unread_values),
        cmocka_unit_test(iterates_json_arrays),
        cmocka_unit_test(finds_in_large_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
