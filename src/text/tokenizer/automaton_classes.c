/* PCRE2 is asked which characters a set holds: the same library that would match the pattern gives
 * the table, so that both mean the same whatever its version of Unicode. */
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer/automaton_build.h"
#include "text/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PLANE 0x10000u
#define SURROGATES 0xD800u
#define BEHIND_SURROGATES 0xE000u

/* All characters of the basic plane in their order, and what is known of them. */
struct plane {
    char *text;
    size_t len;
    uint64_t *sets; // by code: one bit a set
};

static void free_plane(struct plane *plane) {
    free(plane->text);
    free(plane->sets);
}

static bool make_plane(struct plane *plane) {
    plane->text = malloc((size_t)PLANE * 3);
    plane->sets = calloc(PLANE, sizeof *plane->sets);
    if (!plane->text || !plane->sets) return false;
    for (uint32_t code = 0; code < PLANE; code++) {
        if (code >= SURROGATES && code < BEHIND_SURROGATES) continue;
        plane->len += (size_t)utf8_encode(code, plane->text + plane->len);
    }
    return true;
}

/* The code whose character begins at byte `at` of the plane's text. */
static uint32_t code_at(const struct plane *plane, size_t at) {
    uint32_t code;
    if (at == plane->len) return PLANE;
    utf8_step(plane->text + at, plane->len - at, &code);
    return code;
}

/* Every run of characters that the set holds. PCRE2_ERROR_NOMATCH when all went well. */
static int mark_runs(const pcre2_code *code, pcre2_match_data *match, struct plane *plane,
                     uint64_t bit) {
    for (size_t from = 0;;) {
        int rc = pcre2_match(code, (PCRE2_SPTR)plane->text, plane->len, from, PCRE2_NO_UTF_CHECK,
                             match, NULL);
        if (rc < 0) return rc;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
        uint32_t stop = code_at(plane, at[1]);
        for (uint32_t c = code_at(plane, at[0]); c < stop; c++)
            plane->sets[c] |= bit;
        from = at[1];
    }
}

static bool mark_set(const struct automaton_set *set, uint64_t bit, struct plane *plane) {
    char *run = malloc(set->len + 2);
    int error, rc = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
    if (!run) return false;
    if (set->caseless) options |= PCRE2_CASELESS;
    memcpy(run, set->text, set->len);
    memcpy(run + set->len, "++", 2);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    pcre2_code *code = NULL;
    if (context) {
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
        code = pcre2_compile((PCRE2_SPTR)run, set->len + 2, options, &error, &at, context);
    }
    if (code && match) {
        (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); // without it only slower
        rc = mark_runs(code, match, plane, bit);
    }
    pcre2_code_free(code);
    pcre2_match_data_free(match);
    pcre2_compile_context_free(context);
    free(run);
    return rc == PCRE2_ERROR_NOMATCH;
}

/* The class of characters that are in just these sets; AUTOMATON_MAX_CLASSES: one too many. */
static int class_of(struct automaton_classes *classes, uint64_t sets) {
    int c = 0;
    while (c < classes->n && classes->sets[c] != sets)
        c++;
    if (c == classes->n && c < AUTOMATON_MAX_CLASSES) classes->sets[classes->n++] = sets;
    return c;
}

static bool add_block(struct automaton_classes *classes, const uint64_t *sets, uint16_t *page) {
    uint8_t block[AUTOMATON_BLOCK];
    int c = 0, i = 0;
    for (int k = 0; k < AUTOMATON_BLOCK; k++) {
        if (k == 0 || sets[k] != sets[k - 1]) c = class_of(classes, sets[k]);
        if (c == AUTOMATON_MAX_CLASSES) return false;
        block[k] = (uint8_t)c;
    }
    while (i < classes->n_block && memcmp(classes->blocks[i], block, sizeof block) != 0)
        i++;
    if (i == classes->n_block) memcpy(classes->blocks[classes->n_block++], block, sizeof block);
    *page = (uint16_t)i;
    return true;
}

static bool mark_all(const struct automaton_program *program, struct plane *plane) {
    if (!make_plane(plane)) return false;
    for (int i = 0; i < program->n_set; i++) {
        if (!mark_set(&program->sets[i], (uint64_t)1 << i, plane)) return false;
    }
    return true;
}

bool automaton_classify(const struct automaton_program *program,
                        struct automaton_classes *classes) {
    struct plane plane = {0};
    bool ok = mark_all(program, &plane), few = ok;
    classes->n = classes->n_block = 0;
    for (int i = 0; few && i < AUTOMATON_PAGES; i++)
        few = add_block(classes, plane.sets + i * AUTOMATON_BLOCK, &classes->pages[i]);
    if (!few) classes->n = 0;
    free_plane(&plane);
    return ok;
}
