/* Lists of files as the hubs send them, and as they should not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hub/listing.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
#define GIT "0123456789abcdef0123456789abcdef01234567"

static struct arena arena = {.block_size = 4096};

static enum jl_status tree(const char *text, struct hub_listing *out) {
    struct jl_error err = {0};
    enum jl_status status = hub_listing_hf_tree(text, strlen(text), "hub", &arena, out, &err);
    assert_int_equal(status != JL_OK, err.message[0] != 0);
    return status;
}

static void hugging_face(void **state) {
    struct hub_listing list = {0};
    struct jl_error err;
    (void)state;
    const char *revision = "{\"sha\": \"" GIT "\", \"siblings\": []}";
    assert_int_equal(
        hub_listing_hf_revision(revision, strlen(revision), "hub", &arena, &list, &err), JL_OK);
    assert_string_equal(list.commit, GIT);
    assert_int_equal(tree("[{\"type\":\"file\",\"path\":\"m.gguf\",\"size\":134,\"oid\":\"" GIT
                          "\","
                          "\"lfs\":{\"oid\":\"sha256:" SHA "\",\"size\":5000000000}},"
                          "{\"type\":\"directory\",\"path\":\"../no\",\"size\":0}]",
                          &list),
                     JL_OK);
    assert_int_equal(tree("[{\"type\":\"file\",\"path\":\"a\",\"size\":0,\"oid\":\"" GIT
                          "\",\"x\":[{}]},"
                          "{\"type\":\"file\",\"path\":\"b\",\"size\":1,\"oid\":\"short\"}]",
                          &list),
                     JL_OK);
    assert_int_equal(hub_listing_finish(&list, "hub", &err), JL_OK);
    assert_int_equal(list.n, 3);
    assert_string_equal(list.files[0].path, "a");
    assert_int_equal(list.files[0].hash.kind, HUB_HASH_GIT);
    assert_int_equal(list.files[1].hash.kind, HUB_HASH_NONE);
    assert_int_equal(list.files[2].size, 5000000000);
    assert_int_equal(list.files[2].hash.kind, HUB_HASH_SHA256);
    assert_int_equal(strcasecmp(list.files[2].hash.hex, SHA), 0);
    assert_int_equal(tree("[{\"type\":\"file\",\"path\":\"a\",\"size\":0}]", &list), JL_OK);
    assert_int_equal(hub_listing_finish(&list, "hub", &err), JL_ERR_FORMAT); // twice
}

static void modelscope(void **state) {
    struct hub_listing list = {0};
    struct jl_error err;
    (void)state;
    const char *text =
        "{\"Code\":200,\"Success\":true,\"Data\":{\"LatestCommitter\":{\"Id\":\"" GIT "\"},"
        "\"Files\":[{\"Path\":\"d\",\"Type\":\"tree\",\"Size\":0},{\"Path\":\"d/m\",\"Type\":"
        "\"blob\",\"Size\":7,\"Sha256\":\"" SHA "\",\"Revision\":\"" GIT "\"},{\"Path\":\"n\","
        "\"Type\":\"blob\",\"Size\":1,\"Sha256\":\"\",\"Revision\":\"master\"}]}}";
    assert_int_equal(hub_listing_ms(text, strlen(text), "hub", &arena, &list, &err), JL_OK);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.commit, GIT);
    assert_string_equal(list.files[0].revision, GIT);
    assert_null(list.files[1].revision);
    assert_int_equal(list.files[1].hash.kind, HUB_HASH_NONE);
    const char *refused =
        "{\"Code\":10010205001,\"Success\":false,\"Message\":\"not for\\u001b you\"}";
    assert_int_equal(hub_listing_ms(refused, strlen(refused), "hub", &arena, &list, &err),
                     JL_ERR_IO);
    assert_non_null(strstr(err.message, "not for? you"));
}

static void what_is_no_list(void **state) {
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[null]",
        "nonsense",
        "[{\"type\":\"file\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":-1}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":\"1\"}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1e3}]",
        "[{\"type\":\"file\",\"path\":7,\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":99999999999999999999}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"size\":2}]",
        "[{\"type\":\"file\",\"path\":\"../a\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"/a\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\\\\b\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\\u0000\",\"size\":1}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"" GIT "\",\"size\":1}}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"size\":1}}]",
        "[{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"lfs\":{\"oid\":\"" SHA "\"}}]",
    };
    static const char *const bad_ms[] = {
        "[]",
        "{}",
        "{\"Data\":{}}",
        "{\"Data\":{\"Files\":{}}}",
        "{\"Data\":{\"Files\":[7]}}",
        "{\"Data\":{\"Files\":[{\"Path\":\"a\",\"Type\":\"blob\"}]}}",
        "{\"Data\":{\"Files\":[{\"Path\":\"a\",\"Size\":1,\"Sha256\":\"12\"}]}}",
        "{\"Data\":{\"Files\":[{\"Path\":\"../a\",\"Size\":1}]}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hub_listing list = {0};
        if (tree(bad[i], &list) != JL_ERR_FORMAT) fail_msg("accepted: %s", bad[i]);
    }
    for (size_t i = 0; i < sizeof bad_ms / sizeof bad_ms[0]; i++) {
        struct hub_listing list = {0};
        if (hub_listing_ms(bad_ms[i], strlen(bad_ms[i]), "hub", &arena, &list, NULL) !=
            JL_ERR_FORMAT)
            fail_msg("accepted: %s", bad_ms[i]);
    }
    static const char *const bad_sha[] = {"{}", "[]", "{\"sha\":7}", "{\"sha\":\"main\"}",
                                          "{\"sha\":\"../../x\"}"};
    for (size_t i = 0; i < sizeof bad_sha / sizeof bad_sha[0]; i++) {
        struct hub_listing list = {0};
        assert_int_equal(
            hub_listing_hf_revision(bad_sha[i], strlen(bad_sha[i]), "hub", &arena, &list, NULL),
            JL_ERR_FORMAT);
    }
}

static void next_pages(void **state) {
    (void)state;
    assert_string_equal(hub_link_next("<https://x/a?c=1>; rel=\"next\"", &arena), "/a?c=1");
    assert_string_equal(hub_link_next("</b>; rel=\"prev\", </a?c=1>; rel=\"next\"", &arena),
                        "/a?c=1");
    assert_string_equal(hub_link_next("</a>;rel=next", &arena), "/a");
    static const char *const none[] = {"",
                                       "<",
                                       "<a",
                                       "<>; rel=\"next\"",
                                       "</a>; rel=\"prev\"",
                                       "<a>; rel=\"next\"",
                                       "<https://x>; rel=\"next\"",
                                       "rel=\"next\""};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_null(hub_link_next(none[i], &arena));
}

/* Known answers: of SHA-256 (FIPS 180), and what `git hash-object` prints for a file of "hello\n".
 */
static void hashes(void **state) {
    struct hub_digest digest;
    struct hub_hash hash;
    (void)state;
    hub_digest_start(&digest, HUB_HASH_SHA256, 3);
    hub_digest_add(&digest, "a", 1);
    hub_digest_add(&digest, "bc", 2);
    hub_digest_end(&digest, &hash);
    assert_string_equal(hash.hex,
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hub_digest_start(&digest, HUB_HASH_GIT, 6);
    hub_digest_add(&digest, "hello\n", 6);
    hub_digest_end(&digest, &hash);
    assert_string_equal(hash.hex, "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_false(hub_hash_read(GIT "x", HUB_HASH_GIT, &hash));
    assert_false(hub_hash_read("g123456789abcdef0123456789abcdef01234567", HUB_HASH_GIT, &hash));
    assert_false(hub_hash_read(GIT, HUB_HASH_SHA256, &hash));
}

static int release(void **state) {
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hugging_face),    cmocka_unit_test(modelscope),
        cmocka_unit_test(what_is_no_list), cmocka_unit_test(next_pages),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests_name("hub/listing", tests, NULL, release);
}
