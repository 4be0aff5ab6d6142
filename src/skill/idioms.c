#include "skill/idioms.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "skill/han.h"
#include "skill/tsv.h"

#define CODE_BYTES (IDIOM_CHARS * sizeof(uint32_t))

/* ---- reading ---- */

/* Keys of an order: the number of the idiom breaks ties, so that the frequent one comes first. */
struct rank {
    uint64_t high, low;
    int idiom;
};

static int by_rank(const void *a, const void *b) {
    const struct rank *x = a, *y = b;
    if (x->high != y->high) return x->high < y->high ? -1 : 1;
    if (x->low != y->low) return x->low < y->low ? -1 : 1;
    return x->idiom - y->idiom;
}

enum order { BY_CODE, BY_CHAR, BY_SOUND };

static struct rank rank_of(const struct idioms *book, int i, enum order order) {
    const struct idiom *one = &book->idioms[i];
    const uint32_t *code = one->code;
    switch (order) {
    case BY_CODE:
        return (struct rank){(uint64_t)code[0] << 32 | code[1], (uint64_t)code[2] << 32 | code[3],
                             i};
    case BY_CHAR: return (struct rank){code[0], 0, i};
    case BY_SOUND: break;
    }
    return (struct rank){(uint64_t)one->sound_first, 0, i}; // unknown sounds come last
}

static int *order_of(const struct idioms *book, struct arena *arena, enum order order) {
    size_t n = (size_t)book->n;
    int *out = arena_calloc(arena, n, sizeof *out);
    struct rank *ranks = arena_calloc(arena, n, sizeof *ranks);
    if (!out || !ranks) return NULL;
    for (size_t i = 0; i < n; i++)
        ranks[i] = rank_of(book, (int)i, order);
    qsort(ranks, n, sizeof *ranks, by_rank);
    for (size_t i = 0; i < n; i++)
        out[i] = ranks[i].idiom;
    return out;
}

static bool is_idiom_text(const char *text, uint32_t code[IDIOM_CHARS]) {
    if (han_decode(text, strlen(text), code, IDIOM_CHARS) != IDIOM_CHARS) return false;
    for (int i = 0; i < IDIOM_CHARS; i++)
        if (!han_is(code[i])) return false;
    return true;
}

enum jl_status idioms_read(const char *folder, const struct hanzi *hanzi, struct arena *arena,
                           struct idioms *out, struct jl_error *err) {
    struct tsv table;
    bool more;
    *out = (struct idioms){0};
    JL_TRY(tsv_open(folder, "idiom/chengyu.tsv", arena, &table, err));
    out->idioms = arena_calloc(arena, tsv_count(&table), sizeof *out->idioms);
    if (!out->idioms) return jl_fail(err, JL_ERR_MEMORY, "out of memory for idioms");
    for (;;) {
        JL_TRY(tsv_next(&table, 2, &more, err));
        if (!more) break;
        struct idiom *one = &out->idioms[out->n];
        if (!is_idiom_text(table.field[0], one->code)) continue; // longer sayings
        one->text = table.field[0];
        one->sound_first = hanzi_sound(hanzi, one->code[0]);
        one->sound_last = hanzi_sound(hanzi, one->code[IDIOM_CHARS - 1]);
        out->n++;
    }
    out->by_code = order_of(out, arena, BY_CODE);
    out->by_char = order_of(out, arena, BY_CHAR);
    out->by_sound = order_of(out, arena, BY_SOUND);
    if (!out->by_code || !out->by_char || !out->by_sound)
        return jl_fail(err, JL_ERR_MEMORY, "out of memory for idioms");
    return JL_OK;
}

/* ---- looking up ---- */

/* The first place of an order whose key is not below (high, low). */
static int lower_bound(const struct idioms *book, const int *list, enum order order, uint64_t high,
                       uint64_t low) {
    int begin = 0, end = book->n;
    while (begin < end) {
        int middle = begin + (end - begin) / 2;
        struct rank rank = rank_of(book, list[middle], order);
        if (rank.high < high || (rank.high == high && rank.low < low))
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

int idioms_find(const struct idioms *book, const uint32_t code[IDIOM_CHARS]) {
    int at = lower_bound(book, book->by_code, BY_CODE, (uint64_t)code[0] << 32 | code[1],
                         (uint64_t)code[2] << 32 | code[3]);
    if (at == book->n || memcmp(book->idioms[book->by_code[at]].code, code, CODE_BYTES)) return -1;
    return book->by_code[at];
}

struct idiom_moves idioms_moves(const struct idioms *book, const struct idiom *after, bool sound) {
    const int *list = sound ? book->by_sound : book->by_char;
    enum order order = sound ? BY_SOUND : BY_CHAR;
    if (sound && after->sound_last < 0) return (struct idiom_moves){NULL, 0};
    uint64_t key = sound ? (uint64_t)after->sound_last : after->code[IDIOM_CHARS - 1];
    int begin = lower_bound(book, list, order, key, 0),
        end = lower_bound(book, list, order, key + 1, 0);
    return (struct idiom_moves){list + begin, end - begin};
}

/* ---- a move ---- */

static bool read_idiom(const json_t *value, uint32_t out[IDIOM_CHARS]) {
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value) &&
           is_idiom_text(json_string_value(value), out);
}

static enum jl_status read_wanted(const json_t *root, struct idiom_wanted *out,
                                  struct jl_error *err) {
    const json_t *used = json_object_get(root, "used"), *sound = json_object_get(root, "sound"),
                 *n = json_object_get(root, "n"), *item;
    size_t i;
    if (!read_idiom(json_object_get(root, "after"), out->after))
        return jl_fail(err, JL_ERR_FORMAT, "\"after\" of a move must be four Han characters");
    if (used && (!json_is_array(used) || json_array_size(used) > IDIOM_MOST_USED))
        return jl_fail(err, JL_ERR_FORMAT, "\"used\" of a move must be a list of at most %d idioms",
                       IDIOM_MOST_USED);
    json_array_foreach(
        used, i,
        item) if (!read_idiom(item,
                              out->used
                                  [out->n_used++])) return jl_fail(err, JL_ERR_FORMAT,
                                                                   "\"used\" of a move has what is "
                                                                   "not four Han characters");
    if (sound && !json_is_boolean(sound))
        return jl_fail(err, JL_ERR_FORMAT, "\"sound\" of a move must be true or false");
    if (n && (!json_is_integer(n) || json_integer_value(n) < 1 ||
              json_integer_value(n) > IDIOM_MOST_CHAIN))
        return jl_fail(err, JL_ERR_FORMAT, "\"n\" of a move must be 1 to %d", IDIOM_MOST_CHAIN);
    out->sound = json_is_true(sound);
    out->n = n ? (int)json_integer_value(n) : 1;
    if (json_object_size(root) !=
        1 + (size_t)(used != NULL) + (size_t)(sound != NULL) + (size_t)(n != NULL))
        return jl_fail(err, JL_ERR_FORMAT,
                       "a move has \"after\", may have \"used\", \"sound\" and \"n\", and no "
                       "other key");
    return JL_OK;
}

enum jl_status idiom_wanted_read(const char *json, size_t len, struct idiom_wanted *out,
                                 struct jl_error *err) {
    json_t *root;
    json_error_t what;
    *out = (struct idiom_wanted){0};
    enum jl_status status = jl_json_load(json, len, JSON_REJECT_DUPLICATES, &root, &what);
    if (status != JL_OK) return jl_fail(err, status, "what a move should be: %s", what.text);
    status = read_wanted(root, out, err);
    json_decref(root);
    return status;
}

/* Whether the number-th of `lines` may follow `after`. */
static bool follows(const struct idioms *book, const struct hanzi *hanzi,
                    const struct idiom_wanted *wanted, const struct han_lines *lines, int number,
                    const uint32_t *after) {
    const uint32_t *code = lines->code[number];
    if (lines->n_char[number] != IDIOM_CHARS || idioms_find(book, code) < 0) return false;
    uint32_t last = after[IDIOM_CHARS - 1];
    int sound = hanzi_sound(hanzi, last);
    bool begins =
        code[0] == last || (wanted->sound && sound >= 0 && hanzi_sound(hanzi, code[0]) == sound);
    bool fresh = memcmp(code, wanted->after, CODE_BYTES) != 0;
    for (int i = 0; fresh && i < wanted->n_used; i++)
        fresh = memcmp(code, wanted->used[i], CODE_BYTES) != 0;
    for (int i = 0; fresh && i < number; i++)
        fresh = memcmp(code, lines->code[i], CODE_BYTES) != 0;
    return begins && fresh;
}

bool idiom_move_right(const struct idioms *book, const struct hanzi *hanzi,
                      const struct idiom_wanted *wanted, const char *answer, size_t len) {
    struct han_lines lines;
    han_lines_read(answer, len, &lines);
    if (!lines.whole || lines.n_line != wanted->n) return false;
    for (int i = 0; i < wanted->n; i++)
        if (!follows(book, hanzi, wanted, &lines, i, i ? lines.code[i - 1] : wanted->after))
            return false;
    return true;
}
