/* Texts to read: passages of old books and tales, and poems with their title and author. */
#include <string.h>

#include "skill/passages.h"
#include "skill/skill.h"
#include "skill/verse_tables.h"
#include "text/u64map.h"
#include "text/utf8.h"

#define PROMPT_SHARE 4 // of a held-out text a quarter is given

struct tables {
    struct passages classical, tales;
    struct verse_tables verse;
    int *poems[2], n_poem[2]; // of common characters, by part
};

static const struct tables *tables_of(const struct skill_draw *draw) { return draw->tables; }

/* Numbers in a row walk all n once before any comes again: by a stride without a divisor of n. */
static int place(const struct skill_draw *draw, int n) {
    uint64_t mix = u64map_mix(draw->key.seed + 1), stride = mix % (uint64_t)n | 1;
    for (;; stride += 2) {
        uint64_t a = (uint64_t)n, b = stride;
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1) break;
    }
    return (int)((stride % (uint64_t)n * draw->key.position + (mix >> 40)) % (uint64_t)n);
}

/* What is given of a text that is scored ends with a character. */
static void finish(struct skill_task *task, enum skill_tongue tongue) {
    const struct byte_buffer *bytes = &task->text.bytes;
    task->tongue = tongue;
    task->check = "loss";
    while (task->n_prompt < bytes->len / PROMPT_SHARE) {
        uint32_t code;
        task->n_prompt +=
            (size_t)utf8_step(bytes->data + task->n_prompt, bytes->len - task->n_prompt, &code);
    }
}

static void make_passage(struct skill_draw *draw, struct skill_task *task,
                         const struct passages *passages, enum skill_tongue tongue) {
    bool held = draw->part == SKILL_HELD;
    int n = held ? passages->n_held : passages->n_train;
    draw->no_content = !n;
    if (!n) return;
    const struct passage *one = &(held ? passages->held : passages->train)[place(draw, n)];
    if (one->title) skill_put(&task->text, "%s\n\n", one->title);
    skill_put(&task->text, "%.*s", (int)one->n, one->text);
    finish(task, tongue);
}

static void make_classical(struct skill_draw *draw, struct skill_task *task) {
    make_passage(draw, task, &tables_of(draw)->classical, SKILL_ZH);
}

static void make_tale(struct skill_draw *draw, struct skill_task *task) {
    make_passage(draw, task, &tables_of(draw)->tales, SKILL_EN);
}

static void make_poem(struct skill_draw *draw, struct skill_task *task) {
    const struct tables *tables = tables_of(draw);
    bool held = draw->part == SKILL_HELD;
    draw->no_content = !tables->n_poem[held];
    if (draw->no_content) return;
    const struct verse_pool *pool = held ? &tables->verse.held : &tables->verse.train;
    const struct poem *poem =
        &pool->poems.poems[tables->poems[held][place(draw, tables->n_poem[held])]];
    skill_put(&task->text, "《%s》\n〔%s〕%s\n\n", poem->title, poem->dynasty, poem->author);
    poems_write(poem, &task->text.bytes, &task->text.no_memory);
    finish(task, SKILL_ZH);
}

/* ---- the row ---- */

#define MOST_LINES 48 // of a poem that is a text

static enum jl_status list_poems(struct tables *tables, struct arena *arena, struct jl_error *err) {
    for (int held = 0; held < 2; held++) {
        const struct verse_pool *pool = held ? &tables->verse.held : &tables->verse.train;
        tables->poems[held] = arena_calloc(arena, (size_t)pool->poems.n + 1, sizeof(int));
        if (!tables->poems[held]) return jl_fail(err, JL_ERR_MEMORY, "out of memory for poems");
        for (int i = 0; i < pool->poems.n; i++)
            if (pool->common[i] && pool->poems.poems[i].n_line <= MOST_LINES)
                tables->poems[held][tables->n_poem[held]++] = i;
    }
    return JL_OK;
}

static enum jl_status load(const char *folder, struct arena *arena, const void **tables,
                           struct jl_error *err) {
    struct tables *out = arena_calloc(arena, 1, sizeof *out);
    if (!out) return jl_fail(err, JL_ERR_MEMORY, "out of memory for prose");
    *tables = out;
    JL_TRY(passages_read_classical(folder, arena, &out->classical, err));
    JL_TRY(passages_read_tales(folder, arena, &out->tales, err));
    JL_TRY(verse_tables_read(folder, arena, &out->verse, err));
    return list_poems(out, arena, err);
}

static const struct skill_group groups[] = {
    {"classical", 30, make_classical},
    {"tale", 20, make_tale},
    {"poem", 50, make_poem},
    {NULL, 0, NULL},
};

const struct skill skill_text_reading = {
    "text", "texts to read: classical prose, tales, poems with their authors", load, groups};
