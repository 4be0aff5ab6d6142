/* A model file that lies: one of a good model's files is cut at every byte of its beginning, and
 * each of these bytes is changed in several ways; or it is replaced by others, one after the other.
 * Whatever comes of it, it is an error that names the file or folder, or a model that answers with
 * finite numbers, soon; and no more is asked of the heap than the file's size can justify.
 *
 *     hostile MODEL FILE BYTES STRIDE        MODEL is FILE or the folder it lies in
 *     hostile MODEL FILE VARIANTS            by each of a file of struct variant
 *     hostile MODEL                          as it is: its logits' hash, or the error and its code
 */
#include <errno.h>
#include <jinlin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_ALLOCATION ((size_t)16 << 20)  // of one request, beside what the file justifies
#define JUSTIFIED 64                        // bytes of memory a byte of the file
#define TEMPLATE_MEMORY ((size_t)512 << 20) // of all that one makes
#define SECONDS 5.0                         // of the CPU, for what takes milliseconds

static size_t largest, limit = SIZE_MAX; // one allocation; above the limit it is refused

#ifdef HOSTILE_SANITIZED // whose heap is its own
#define limit_is_ours false
#else
#define limit_is_ours true
#pragma GCC visibility push(default)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool too_large(size_t size) {
    if (size > largest) largest = size;
    if (size > limit) errno = ENOMEM;
    return size > limit;
}

void *malloc(size_t size) { return too_large(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) {
    return too_large(size && n > SIZE_MAX / size ? SIZE_MAX : n * size) ? NULL
                                                                        : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) { return too_large(size) ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) {
    return too_large(size) ? NULL : __libc_memalign(alignment, size);
}
#pragma GCC visibility pop
#endif

#define TALK                                                                                       \
    "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello there\"},"                          \
    "{\"role\": \"assistant\", \"content\": \"Hello\"}]}"

struct good {
    const char *model, *path;
    unsigned char *bytes;
    size_t size;
};

/* One of many files; its bytes follow. A poisoned weight that leaves the logits finite must leave
 * them as they are: it was not looked at. */
enum variant_kind { REPLACE, PATCH, POISON };
struct variant {
    uint64_t at; // of a patch
    uint32_t size, kind;
};

static long n_error, n_run, n_wrong;
static uint32_t good_hash, hash; // of the last logits

static void complain(const char *what, size_t at, const struct jl_error *err) {
    fprintf(stderr, "hostile: %s at %zu: %s: %s\n", what, at, jl_status_name(err->status),
            err->message);
    n_wrong++;
}

/* A template may fail as it likes, within its own bounds. */
static enum jl_status run_template(const jl_model *model, struct jl_error *err) {
    int32_t *ids = NULL, n;
    size_t before = limit;
    limit = TEMPLATE_MEMORY;
    enum jl_status status = jl_chat_prompt(model, TALK, sizeof TALK - 1, &ids, &n, err);
    limit = before;
    jl_free(ids);
    return status;
}

/* A few tokens through the model. */
static enum jl_status run(const char *path, const jl_model *model, struct jl_error *err) {
    const struct jl_engine_options options = {.n_threads = 1,
                                              .n_ctx = jl_model_info(model).n_ctx < 8 ? 0 : 8,
                                              .n_batch = 8,
                                              .memory = (size_t)1 << 30};
    const int32_t ids[2] = {0, jl_model_info(model).n_vocab - 1};
    jl_engine *engine = NULL;
    jl_session *session = NULL;
    int32_t *encoded = NULL, n;
    enum jl_status status = jl_engine_create(model, &options, &engine, err);
    if (status == JL_OK) status = jl_session_create(engine, &session, err);
    if (status == JL_OK) status = jl_session_sync(session, ids, 2, NULL, NULL, err);
    hash = 0x811c9dc5U;
    for (int32_t i = 0; status == JL_OK && i < jl_model_info(model).n_vocab; i++) {
        uint32_t bits;
        memcpy(&bits, &jl_session_logits(session)[i], sizeof bits);
        hash = (hash ^ bits) * 0x01000193U;
        if (!isfinite(jl_session_logits(session)[i])) {
            *err = (struct jl_error){JL_OK, "logits that are not finite"};
            status = JL_STATUS_COUNT;
        }
    }
    if (status == JL_OK && jl_model_info(model).has_tokenizer)
        status = jl_encode(model, "Hello there", 11, JL_ENCODE_BOS, &encoded, &n, err);
    if (status == JL_OK && !jl_model_info(model).has_tokenizer &&
        (jl_encode(model, "x", 1, 0, &encoded, &n, err) == JL_OK || !strstr(err->message, path)))
        status = JL_STATUS_COUNT; // why there is none must be known
    if (status == JL_OK && jl_model_info(model).has_template) status = run_template(model, err);
    jl_free(encoded);
    jl_session_free(session);
    jl_engine_free(engine);
    return status;
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void try_model(const struct good *good, const char *what, size_t at) {
    double start = cpu_seconds();
    struct jl_error err = {0};
    jl_model *model = NULL;
    limit = MOST_ALLOCATION + JUSTIFIED * good->size;
    enum jl_status status = jl_model_open(good->model, NULL, &model, &err);
    bool opened = status == JL_OK;
    if (!opened && (!*err.message || !strstr(err.message, good->model)))
        complain("an error without the model's name", at, &err);
    if (opened) status = run(good->model, model, &err);
    if (status == JL_STATUS_COUNT) complain(what, at, &err);
    if (status == JL_ERR_NONFINITE && !strstr(err.message, "layer"))
        complain("a value that is not finite, but not where", at, &err);
    if (status == JL_ERR_MEMORY) complain("more memory than the file justifies", at, &err);
    if (status == JL_OK)
        n_run++;
    else
        n_error++;
    jl_model_free(model);
    limit = SIZE_MAX;
    if (cpu_seconds() - start > SECONDS * (limit_is_ours ? 1 : 40)) complain("slow", at, &err);
}

static void write_file(const struct good *good, const unsigned char *bytes, size_t size) {
    FILE *file = fopen(good->path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(good->path);
        exit(2);
    }
}

static void change_byte(const struct good *good, size_t at, unsigned char byte) {
    FILE *file = fopen(good->path, "r+b");
    if (!file || fseek(file, (long)at, SEEK_SET) || fputc(byte, file) < 0 || fclose(file)) {
        perror(good->path);
        exit(2);
    }
}

/* The file is whole again at the end. */
static void try_byte(const struct good *good, size_t at) {
    static const unsigned char flips[] = {0x01, 0x80, 0xff, 0x20};
    if (truncate(good->path, (off_t)at) != 0) exit(2);
    try_model(good, "cut", at);
    write_file(good, good->bytes, good->size);
    for (size_t i = 0; i < sizeof flips; i++) {
        change_byte(good, at, good->bytes[at] ^ flips[i]);
        try_model(good, "changed", at);
    }
    change_byte(good, at, good->bytes[at]);
}

static void patch(const struct good *good, const void *bytes, const struct variant *variant) {
    FILE *file = fopen(good->path, "r+b");
    if (!file || fseek(file, (long)variant->at, SEEK_SET) ||
        fwrite(bytes, 1, variant->size, file) != variant->size || fclose(file)) {
        perror(good->path);
        exit(2);
    }
}

/* A replacement's own size justifies what it asks for. */
static void try_variant(const struct good *good, const struct variant *variant,
                        unsigned char *bytes, size_t number) {
    long run_before = n_run;
    if (variant->kind == REPLACE) {
        write_file(good, bytes, variant->size);
        try_model(&(struct good){good->model, good->path, bytes, variant->size}, "variant", number);
        return;
    }
    patch(good, bytes, variant);
    try_model(good, "variant", number);
    patch(good, good->bytes + variant->at, variant);
    if (variant->kind == POISON && n_run > run_before && hash != good_hash)
        complain("a poisoned weight changed finite logits, variant", number,
                 &(struct jl_error){JL_OK, ""});
}

static bool try_variants(const struct good *good, const char *path) {
    FILE *file = fopen(path, "rb");
    struct variant variant;
    bool fine = file;
    for (size_t number = 0; fine && n_wrong < 20 && fread(&variant, sizeof variant, 1, file) == 1;
         number++) {
        unsigned char *bytes = malloc(variant.size ? variant.size : 1);
        fine = bytes && fread(bytes, 1, variant.size, file) == variant.size &&
               (variant.kind == REPLACE || variant.at + variant.size <= good->size);
        if (fine) try_variant(good, &variant, bytes, number);
        free(bytes);
    }
    if (file) fclose(file);
    return fine;
}

/* The exit code is the status's. */
static int try_once(const char *path) {
    static const int codes[] = {
#define X(id, code, name) code,
        JL_STATUS_LIST(X)
#undef X
            1};
    struct jl_error err = {0};
    jl_model *model = NULL;
    int32_t *ids = NULL, n;
    limit = MOST_ALLOCATION;
    enum jl_status status = jl_model_open(path, NULL, &model, &err);
    if (status == JL_OK) status = run(path, model, &err);
    if (status == JL_OK) {
        printf("logits %08x", hash);
        if (!jl_model_info(model).has_tokenizer &&
            jl_encode(model, "x", 1, 0, &ids, &n, &err) != JL_OK)
            printf(", no tokenizer: %s", err.message);
        printf("\n");
    } else {
        fprintf(stderr, "hostile: %s: %s\n", jl_status_name(status), err.message);
    }
    jl_free(ids);
    jl_model_free(model);
    return codes[status];
}

int main(int argc, char **argv) {
    if (argc == 2) return try_once(argv[1]);
    if (argc != 4 && argc != 5) return 2;
    struct good good = {.model = argv[1], .path = argv[2]};
    size_t n = strtoul(argv[3], NULL, 10), stride = argc == 5 ? strtoul(argv[4], NULL, 10) : 1;
    FILE *file = fopen(good.path, "rb");
    good.bytes = malloc(1 << 24);
    if (!file || !good.bytes || !stride) return 2;
    good.size = fread(good.bytes, 1, 1 << 24, file);
    fclose(file);
    try_model(&good, "good", 0);
    if (n_run != 1) {
        fprintf(stderr, "hostile: the good model does not run\n");
        return 1;
    }
    good_hash = hash;
    largest = 0;
    if (argc == 4 && !try_variants(&good, argv[3])) return 2;
    for (size_t at = 0; argc == 5 && at < n && at < good.size && n_wrong < 20; at += stride)
        try_byte(&good, at);
    write_file(&good, good.bytes, good.size);
    printf("%s: %ld errors, %ld models that ran; largest allocation %zu\n", good.path, n_error,
           n_run, largest);
    free(good.bytes);
    return n_wrong ? 1 : 0;
}
