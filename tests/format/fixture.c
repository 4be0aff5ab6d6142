#include "fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

void add_raw(struct bytes *b, const void *data, size_t n) {
    if (b->len + n > b->cap) {
        b->cap = (b->len + n) * 2;
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    if (n) memcpy(b->data + b->len, data, n);
    b->len += n;
}

void add_u8(struct bytes *b, unsigned value) { add_raw(b, &(uint8_t){(uint8_t)value}, 1); }
void add_u16(struct bytes *b, unsigned value) { add_raw(b, &(uint16_t){(uint16_t)value}, 2); }
void add_u32(struct bytes *b, uint32_t value) { add_raw(b, &value, 4); }
void add_u64(struct bytes *b, uint64_t value) { add_raw(b, &value, 8); }
void add_f32(struct bytes *b, float value) { add_raw(b, &value, 4); }
void add_text(struct bytes *b, const char *text) { add_raw(b, text, strlen(text)); }

void add_zeros(struct bytes *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        add_u8(b, 0);
}

void add_str(struct bytes *b, const char *text) {
    add_u64(b, strlen(text));
    add_text(b, text);
}

void bytes_free(struct bytes *b) {
    free(b->data);
    *b = (struct bytes){0};
}

/* ---- GGUF ---- */

void draft_key(struct draft *d, const char *key, uint32_t type) {
    add_str(&d->keys, key);
    add_u32(&d->keys, type);
    d->n_key++;
}

void draft_u32(struct draft *d, const char *key, uint32_t value) {
    draft_key(d, key, 4);
    add_u32(&d->keys, value);
}

void draft_u16(struct draft *d, const char *key, unsigned value) {
    draft_key(d, key, 2);
    add_u16(&d->keys, value);
}

void draft_string(struct draft *d, const char *key, const char *text) {
    draft_key(d, key, 8);
    add_str(&d->keys, text);
}

void draft_info(struct draft *d, const char *name, uint32_t n_dim, const uint64_t *dims,
                uint32_t type, uint64_t offset) {
    add_str(&d->infos, name);
    add_u32(&d->infos, n_dim);
    for (uint32_t i = 0; i < n_dim; i++)
        add_u64(&d->infos, dims[i]);
    add_u32(&d->infos, type);
    add_u64(&d->infos, offset);
    d->n_tensor++;
}

void draft_vector(struct draft *d, const char *name, unsigned n, float first) {
    uint32_t alignment = d->alignment ? d->alignment : 32;
    while (d->data.len % alignment)
        add_u8(&d->data, 0);
    draft_info(d, name, 1, &(uint64_t){n}, 0, d->data.len);
    for (unsigned i = 0; i < n; i++)
        add_f32(&d->data, first + (float)i);
}

struct bytes draft_finish(struct draft *d) {
    uint32_t alignment = d->alignment ? d->alignment : 32;
    struct bytes file = {0};
    add_text(&file, d->magic ? d->magic : "GGUF");
    add_u32(&file, d->version ? d->version : 3);
    add_u64(&file, d->n_tensor);
    add_u64(&file, d->n_key);
    add_raw(&file, d->keys.data, d->keys.len);
    add_raw(&file, d->infos.data, d->infos.len);
    while (file.len % alignment)
        add_u8(&file, 0);
    add_raw(&file, d->data.data, d->data.len);
    bytes_free(&d->keys);
    bytes_free(&d->infos);
    bytes_free(&d->data);
    return file;
}

static void sample_scalars(struct draft *d) {
    struct bytes *k = &d->keys;
    draft_string(d, "general.architecture", "tiny");
    draft_key(d, "v.u8", 0);
    add_u8(k, 200);
    draft_key(d, "v.i8", 1);
    add_u8(k, (unsigned)-100);
    draft_key(d, "v.u16", 2);
    add_u16(k, 60000);
    draft_key(d, "v.i16", 3);
    add_u16(k, (unsigned)-30000);
    draft_key(d, "v.u32", 4);
    add_u32(k, 4000000000u);
    draft_key(d, "v.i32", 5);
    add_u32(k, (uint32_t)-2000000000);
    draft_key(d, "v.f32", 6);
    add_f32(k, 0.25f);
    draft_key(d, "v.bool", 7);
    add_u8(k, 1);
    draft_key(d, "v.u64", 10);
    add_u64(k, 5);
    draft_key(d, "v.u64_large", 10);
    add_u64(k, UINT64_MAX);
    draft_key(d, "v.i64", 11);
    add_u64(k, (uint64_t)INT64_MIN);
    draft_key(d, "v.f64", 12);
    add_raw(k, &(double){1.0 / 3}, 8);
    draft_string(d, "v.empty", "");
}

static void sample_arrays(struct draft *d) {
    struct bytes *k = &d->keys;
    draft_key(d, "a.strings", 9);
    add_u32(k, 8);
    add_u64(k, 3);
    add_str(k, "one");
    add_str(k, "");
    add_str(k, "three");
    draft_key(d, "a.i32", 9);
    add_u32(k, 5);
    add_u64(k, 3);
    add_u32(k, 7);
    add_u32(k, (uint32_t)-8);
    add_u32(k, 9);
    draft_key(d, "a.bools", 9);
    add_u32(k, 7);
    add_u64(k, 2);
    add_u8(k, 0);
    add_u8(k, 1);
    draft_key(d, "a.none", 9);
    add_u32(k, 6);
    add_u64(k, 0);
}

struct bytes sample_gguf(uint32_t version) {
    struct draft d = {.version = version};
    sample_scalars(&d);
    sample_arrays(&d);
    draft_vector(&d, "z.norm", 5, 1.0f);
    add_zeros(&d.data, 12); // 20 bytes so far, up to 32
    draft_info(&d, "a.q8", 2, (uint64_t[]){64, 2}, 8, 32);
    for (unsigned i = 0; i < 4 * 34; i++)
        add_u8(&d.data, i);
    add_zeros(&d.data, 192 - (32 + 136));
    draft_info(&d, "m.four", 4, (uint64_t[]){4, 3, 2, 1}, 1, 192);
    add_zeros(&d.data, 48);
    add_text(&d.data, "trailing");
    return draft_finish(&d);
}

/* ---- safetensors ---- */

struct bytes st_bytes(const char *header, size_t n_data) {
    struct bytes file = {0};
    add_str(&file, header);
    for (size_t i = 0; i < n_data; i++)
        add_u8(&file, (unsigned)i);
    return file;
}

/* ---- folders ---- */

void folder_make(struct folder *folder) {
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/jl-format-XXXXXX",
             base && *base ? base : P_tmpdir);
    assert_non_null(mkdtemp(folder->path));
}

void folder_remove(struct folder *folder) {
    DIR *dir = opendir(folder->path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        assert_int_equal(remove(folder_file(folder, entry->d_name)), 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(folder->path), 0);
}

const char *folder_file(const struct folder *folder, const char *name) {
    static char paths[4][1024];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", folder->path, name);
    return paths[turn];
}

void write_bytes(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(n ? fwrite(data, 1, n, f) : 0, n);
    assert_int_equal(fclose(f), 0);
}

void write_text(const char *path, const char *text) { write_bytes(path, text, strlen(text)); }

/* ---- expectations ---- */

void expect_error(const char *test, enum jl_status got, const struct jl_error *err,
                  enum jl_status want, const char *const *needles) {
    if (got != want) {
        fail_msg("%s: status %s, expected %s (message: %s)", test, jl_status_name(got),
                 jl_status_name(want), got == JL_OK ? "" : err->message);
    }
    assert_int_equal(err->status, want);
    for (size_t i = 0; needles[i]; i++) {
        if (!strstr(err->message, needles[i])) {
            fail_msg("%s: no \"%s\" in: %s", test, needles[i], err->message);
        }
    }
    for (const char *c = err->message; *c; c++) {
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) {
            fail_msg("%s: the message holds byte 0x%02x: %s", test, (unsigned char)*c,
                     err->message);
        }
    }
}

const char *shared_path(const char *name) {
    static char path[1024];
    struct stat st;
    snprintf(path, sizeof path, "%s/../shared/%s", JL_SOURCE_ROOT, name);
    if (stat(path, &st) == 0) return path;
    print_message("SKIPPED: ../shared/%s is absent\n", name);
    return NULL;
}
