/* Names of models, paths in repositories, addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/name.h"

static struct arena arena = {.block_size = 4096};

static void same(const char *got, const char *wanted) {
    if (wanted)
        assert_string_equal(got, wanted);
    else
        assert_null(got);
}

static void names_are_taken_apart(void **state) {
    static const struct {
        const char *text;
        enum hub_source source;
        bool given;
        const char *repo, *revision, *pick, *endpoint;
    } cases[] = {
        {"Qwen/Qwen3-0.6B", HUB_HF, false, "Qwen/Qwen3-0.6B", NULL, NULL, NULL},
        {"hf:a/b", HUB_HF, true, "a/b", NULL, NULL, NULL},
        {"ms:a_1/b.c", HUB_MS, true, "a_1/b.c", NULL, NULL, NULL},
        {"a/b@v1.0", HUB_HF, false, "a/b", "v1.0", NULL, NULL},
        {"a/b@refs/pr/3:Q8_0", HUB_HF, false, "a/b", "refs/pr/3", "Q8_0", NULL},
        {"a/b:Q4_K_M", HUB_HF, false, "a/b", NULL, "Q4_K_M", NULL},
        {"ms:a/b:x/y z@1.gguf", HUB_MS, true, "a/b", NULL, "x/y z@1.gguf", NULL},
        {"https://huggingface.co/a/b", HUB_HF, true, "a/b", NULL, NULL, "https://huggingface.co"},
        {"HTTPS://HuggingFace.co/a/b/tree/main", HUB_HF, true, "a/b", "main", NULL,
         "https://huggingface.co"},
        {"https://hf-mirror.com/a/b/resolve/v1/s/m%20x.gguf?download=true", HUB_HF, true, "a/b",
         "v1", "s/m x.gguf", "https://hf-mirror.com"},
        {"https://huggingface.co/a/b/blob/main/m.gguf", HUB_HF, true, "a/b", "main", "m.gguf",
         "https://huggingface.co"},
        {"https://www.modelscope.cn/models/a/b/files", HUB_MS, true, "a/b", NULL, NULL,
         "https://www.modelscope.cn"},
        {"http://127.0.0.1:81/a/b", HUB_HF, true, "a/b", NULL, NULL, "http://127.0.0.1:81"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_name name;
        struct jl_error err = {0};
        if (hub_name_parse(cases[i].text, "http://127.0.0.1:81/", NULL, &arena, &name, &err))
            fail_msg("%s: %s", cases[i].text, err.message);
        assert_int_equal(name.source, cases[i].source);
        assert_int_equal(name.source_given, cases[i].given);
        same(name.repo, cases[i].repo);
        same(name.revision, cases[i].revision);
        same(name.pick, cases[i].pick);
        same(name.endpoint, cases[i].endpoint);
        assert_null(name.url);
    }
}

static void addresses_of_files(void **state) {
    struct hub_name name;
    (void)state;
    const char *url = "https://example.org:8443/x/m%2D1.gguf?key=1/2";
    assert_int_equal(hub_name_parse(url, NULL, NULL, &arena, &name, NULL), JL_OK);
    assert_int_equal(name.source, HUB_URL);
    assert_string_equal(name.url, url);
    assert_string_equal(name.pick, "m-1.gguf");
    assert_null(name.repo);
    /* the default port is no other origin, http is */
    assert_int_equal(
        hub_name_parse("https://huggingface.co:443/a/b", NULL, NULL, &arena, &name, NULL), JL_OK);
    assert_int_equal(name.source, HUB_HF);
    assert_int_equal(hub_name_parse("http://huggingface.co/a/b", NULL, NULL, &arena, &name, NULL),
                     JL_ERR_USAGE);
}

static void what_is_no_name(void **state) {
    static const char *const bad[] = {
        "",
        "a",
        "/",
        "a/",
        "/b",
        "a/b/c",
        "../b",
        "a/..",
        ".a/b",
        "a/b..c",
        "-a/b",
        "a b/c",
        "a\\b/c",
        "hf:",
        "xx:a/b",
        "a/b@",
        "a/b:",
        "a/b@v 1",
        "a/b@..",
        "a/b@../x",
        "a/b@-x",
        "a/b@v@w",
        "a/b:../x",
        "a/b:/x",
        "a/b:x\\y",
        "a/b:x\ny",
        "a/b:x/",
        "a/b:.",
        "\xc3\xa9/b",
        "a/b:\xff",
        "https://",
        "https://huggingface.co",
        "https://huggingface.co/a",
        "https://x.org/m.bin",
        "https://x.org/.gguf",
        "https://x.org/a%2F..%2Fm.gguf%00",
        "https://u:p@x.org/m.gguf",
        "https://x.org:0/m.gguf",
        "https://x.org:99999/m.gguf",
        "https://x_/\\/m.gguf",
        "https://x.org/m%zz.gguf",
        "ftp://x.org/m.gguf",
        "https://huggingface.co/a/b/resolve/main/../c",
        "https://huggingface.co/a/b/resolve/main/%2e%2e/c.gguf",
        "https://[::1/m.gguf",
        "https://x y/m.gguf",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hub_name name;
        struct jl_error err = {0};
        if (hub_name_parse(bad[i], NULL, NULL, &arena, &name, &err) != JL_ERR_USAGE)
            fail_msg("'%s' is a name", bad[i]);
        assert_true(strlen(err.message) > 10);
    }
}

static void paths(void **state) {
    static const char *const good[] = {"a",    "a/b.gguf", ".gitattributes",
                                       "a..b", "...",      "\xe9\x87\x91 x"};
    static const char *const bad[] = {
        "",      "/",    "/a",    "a/",    "a//b", ".",        "..",   "../a",         "a/..",
        "a/./b", "a\\b", "a\x7f", "a\x01", "a\tb", "\xc2\x85", "\xff", "\xed\xa0\x80", "\xc0\xaf"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!hub_path_ok(good[i])) fail_msg("'%s' is refused", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (hub_path_ok(bad[i])) fail_msg("'%s' is accepted", bad[i]);
    assert_string_equal(hub_path_base("a/b/c"), "c");
    assert_string_equal(hub_path_base("c"), "c");
}

static void origins(void **state) {
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"https://x.org", "https://X.org:443/a?b", true},
        {"https://x.org", "http://x.org", false},
        {"https://x.org", "https://x.org.evil", false},
        {"http://x.org:80", "http://x.org/", true},
        {"https://x.org", "https://y.x.org", false},
        {"https://x.org:1", "https://x.org:2", false},
        {"http://[::1]:5/a", "http://[::1]:5", true},
        {"http://[::1]:5/a", "http://[::1]", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hub_url a, b;
        assert_int_equal(hub_url_parse(cases[i].a, "a", &arena, &a, NULL), JL_OK);
        assert_int_equal(hub_url_parse(cases[i].b, "b", &arena, &b, NULL), JL_OK);
        assert_int_equal(hub_url_same_origin(&a, &b), cases[i].same);
    }
    assert_string_equal(hub_url_escape("a b/\xe9?#%", true, &arena), "a%20b/%E9%3F%23%25");
    assert_string_equal(hub_url_escape("a/b", false, &arena), "a%2Fb");
    assert_string_equal(hub_url_unescape("a%20b%2fc", 9, &arena), "a b/c");
    assert_null(hub_url_unescape("%0", 2, &arena));
    assert_null(hub_url_unescape("%00", 3, &arena));
}

static int release(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_taken_apart),
        cmocka_unit_test(addresses_of_files),
        cmocka_unit_test(what_is_no_name),
        cmocka_unit_test(paths),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests_name("hub/name", tests, NULL, release);
}
