/* JSON configuration: values, and errors that name file, key and fault. */
#include "fixture.h"

#include "format/config.h"
#include "format/st.h"

static void reads_values(void **state) {
    (void)state;
    static const char text[] =
        " {\"s\":\"a\\u00e9\\ud83d\\ude00\",\"i\":9223372036854775807,\"n\":-9223372036854775808,"
        "\"f\":1e-05,\"g\":10000.0,\"t\":true,\"u\":false,\"z\":null,\"o\":{},\"l\":[]}\n";
    struct arena arena = {0};
    struct jl_error err;
    struct meta *root;
    assert_int_equal(config_parse(text, strlen(text), "c", &arena, &root, &err), JL_OK);
    assert_string_equal(meta_find(root, "s")->as.s.text, "a\xc3\xa9\xf0\x9f\x98\x80");
    assert_int_equal(meta_find(root, "s")->as.s.len, 7);
    assert_true(meta_find(root, "i")->as.i == INT64_MAX);
    assert_true(meta_find(root, "n")->as.i == INT64_MIN);
    assert_int_equal(meta_find(root, "f")->kind, META_FLOAT);
    assert_true(meta_find(root, "f")->as.f == 1e-05);
    assert_int_equal(meta_find(root, "g")->kind, META_FLOAT);
    assert_true(meta_find(root, "t")->as.b);
    assert_false(meta_find(root, "u")->as.b);
    assert_int_equal(meta_find(root, "z")->kind, META_NULL);
    assert_int_equal(meta_find(root, "o")->kind, META_OBJECT);
    assert_int_equal(meta_find(root, "l")->kind, META_ARRAY);
    arena_free(&arena);
}

struct bad_case {
    const char *name, *text;
    enum jl_status status;
    const char *needles[4];
};

#define F JL_ERR_FORMAT

static const struct bad_case cases[] = {
    {"empty", "", F, {"JSON error"}},
    {"array", "[1]", F, {"must be an object"}},
    {"cut", "{\"a\":1", F, {"JSON error in line 1"}},
    {"behind", "{\"a\":1} x", F, {"JSON error"}},
    {"large",
     "{\n\"r\":{\"factor\":99999999999999999999}}",
     F,
     {"line 2", "at key 'r.factor'", "too big integer", "99999999999999999999"}},
    {"small", "{\"eos\":[1,-9223372036854775809]}", F, {"at key 'eos'", "too big negative"}},
    {"after nested",
     "{\"a\":[{\"b\":[1,2]},{\"c\":1}],\"d\":{\"e\":\"}\\\"{\"},\"x\":1e999}",
     F,
     {"at key 'x'", "real number overflow"}},
    {"infinity", "{\"limit\":Infinity}", F, {"at key 'limit'", "Infinity"}},
    {"minus infinity", "{\"limit\":-Infinity}", F, {"at key 'limit'"}},
    {"nan", "{\"limit\":NaN}", F, {"at key 'limit'", "NaN"}},
    {"twice", "{\"a\":1,\"b\":{\"c\":2,\"c\":3}}", F, {"at key 'b'", "duplicate", "c"}},
    {"single quotes", "{'a':1}", F, {"JSON error"}},
    {"comment", "{\"a\":1,//x\n}", F, {"JSON error"}},
    {"comma", "{\"a\":1,}", F, {"JSON error"}},
    {"leading zero", "{\"a\":01}", F, {"JSON error"}},
    {"nul escape", "{\"a\":\"\\u0000\"}", F, {"at key 'a'"}},
    {"lone surrogate", "{\"a\":\"\\ud800\"}", F, {"at key 'a'"}},
    {"bad utf8", "{\"a\":\"\xc3(\"}", F, {"at key 'a'"}},
    {"mark", "\xef\xbb\xbf{}", F, {"JSON error"}},
    {"control", "{\"a\":\"\x1b[2J\"}", F, {"at key 'a'", "control character 0x1b"}},
};

static void refuses_bad_text(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *needles[6] = {"config.json: "};
        struct arena arena = {0};
        struct meta *root;
        struct jl_error err = {0};
        enum jl_status status = config_parse(cases[i].text, strlen(cases[i].text),
                                             "dir/config.json", &arena, &root, &err);
        assert_null(root);
        for (size_t k = 0; k < 4; k++)
            needles[k + 1] = cases[i].needles[k];
        expect_error(cases[i].name, status, &err, cases[i].status, needles);
        arena_free(&arena);
    }
}

static struct bytes nested(int depth) {
    struct bytes text = {0};
    add_text(&text, "{\"deep\":");
    for (int i = 0; i < depth - 1; i++)
        add_text(&text, "[");
    add_text(&text, "1");
    for (int i = 0; i < depth - 1; i++)
        add_text(&text, "]");
    add_text(&text, "}");
    return text;
}

static void limits_depth(void **state) {
    (void)state;
    static const int depths[] = {CONFIG_MAX_DEPTH, CONFIG_MAX_DEPTH + 1, 2000, 200000};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        struct arena arena = {0};
        struct meta *root;
        struct jl_error err;
        struct bytes text = nested(depths[i]);
        enum jl_status status =
            config_parse((const char *)text.data, text.len, "config.json", &arena, &root, &err);
        if (depths[i] <= CONFIG_MAX_DEPTH)
            assert_int_equal(status, JL_OK);
        else
            assert_true(status == JL_ERR_LIMIT || status == JL_ERR_FORMAT);
        bytes_free(&text);
        arena_free(&arena);
    }
}

static void limits_size(void **state) {
    (void)state;
    struct folder folder;
    struct arena arena = {0};
    struct meta *root;
    struct jl_error err;
    folder_make(&folder);
    char *text = malloc(CONFIG_MAX_BYTES + 1);
    assert_non_null(text);
    memset(text, ' ', CONFIG_MAX_BYTES + 1);
    memcpy(text, "{}", 2);
    const char *path = folder_file(&folder, "config.json");
    write_bytes(path, text, CONFIG_MAX_BYTES);
    assert_int_equal(config_read(path, &arena, &root, &err), JL_OK);
    write_bytes(path, text, CONFIG_MAX_BYTES + 1);
    enum jl_status status = config_read(path, &arena, &root, &err);
    expect_error("size", status, &err, JL_ERR_LIMIT, (const char *[]){"config.json", NULL});
    free(text);
    arena_free(&arena);
    folder_remove(&folder);
}

/* ---- the index of shards ---- */

static void reads_an_index(void **state) {
    (void)state;
    static const char text[] =
        "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"c\":\"2.safetensors\","
        "\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}}";
    struct arena arena = {0};
    struct st_index index;
    struct jl_error err;
    assert_int_equal(st_index_parse(text, strlen(text), "i", &arena, &index, &err), JL_OK);
    assert_int_equal(index.n_shard, 2);
    assert_string_equal(index.shards[0], "1.safetensors");
    assert_string_equal(index.shards[1], "2.safetensors");
    assert_int_equal(index.n_entry, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(index.entries[i].tensor, ((const char *[]){"a", "b", "c"})[i]);
        assert_int_equal(index.entries[i].shard, ((size_t[]){1, 0, 1})[i]);
    }
    arena_free(&arena);
}

static const struct bad_case bad_indexes[] = {
    {"no map", "{}", F, {"'weight_map' is missing"}},
    {"map kind", "{\"weight_map\":[]}", F, {"'weight_map'", "not an object"}},
    {"empty map", "{\"weight_map\":{}}", F, {"'weight_map' is empty"}},
    {"value kind", "{\"weight_map\":{\"w\":3}}", F, {"'weight_map'", "'w' must name a file"}},
    {"twice",
     "{\"weight_map\":{\"w\":\"a.safetensors\",\"w\":\"a.safetensors\"}}",
     F,
     {"at key 'weight_map'", "duplicate"}},
    {"parent", "{\"weight_map\":{\"w\":\"../a.safetensors\"}}", F, {"'w'", "plain name"}},
    {"absolute", "{\"weight_map\":{\"w\":\"/etc/a.safetensors\"}}", F, {"'w'", "plain name"}},
    {"inside", "{\"weight_map\":{\"w\":\"sub/a.safetensors\"}}", F, {"'w'", "plain name"}},
    {"backslash", "{\"weight_map\":{\"w\":\"..\\\\a.safetensors\"}}", F, {"'w'", "plain name"}},
    {"dots", "{\"weight_map\":{\"w\":\"...safetensors\"}}", F, {"'w'", "plain name"}},
    {"suffix", "{\"weight_map\":{\"w\":\"pytorch_model.bin\"}}", F, {"'pytorch_model.bin'"}},
    {"only suffix", "{\"weight_map\":{\"w\":\".safetensors\"}}", F, {"'w'", "plain name"}},
    {"empty name", "{\"weight_map\":{\"w\":\"\"}}", F, {"'w'", "plain name"}},
    {"control", "{\"weight_map\":{\"w\":\"a\\n.safetensors\"}}", F, {"'w'", "plain name"}},
};

static void refuses_bad_indexes(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_indexes / sizeof *bad_indexes; i++) {
        const char *needles[6] = {"x.index.json: "};
        struct arena arena = {0};
        struct st_index index;
        struct jl_error err = {0};
        const struct bad_case *c = &bad_indexes[i];
        enum jl_status status =
            st_index_parse(c->text, strlen(c->text), "dir/x.index.json", &arena, &index, &err);
        for (size_t k = 0; k < 4; k++)
            needles[k + 1] = c->needles[k];
        expect_error(c->name, status, &err, c->status, needles);
        arena_free(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),   cmocka_unit_test(refuses_bad_text),
        cmocka_unit_test(limits_depth),   cmocka_unit_test(limits_size),
        cmocka_unit_test(reads_an_index), cmocka_unit_test(refuses_bad_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
