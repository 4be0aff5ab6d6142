#include "skill/passages.h"

#include <ctype.h>
#include <string.h>

#include <xxhash.h>

#include "skill/tsv.h"
#include "text/utf8.h"

#define HELD 3              // percent of the documents
#define CLASSICAL_MOST 1200 // bytes of a passage: a Han character has three
#define TALES_MOST 1600
#define MOST_END 32  // bytes of a stop with the quotes behind it
#define LEAST_TALE 8 // bytes, with its title

/* ---- cutting ---- */

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

/* Whether the point at text[i] is that of St. John. */
static bool ends_title(const char *text, size_t i) {
    return (i >= 2 && (begins(text + i - 2, "St.") || begins(text + i - 2, "Mr.") ||
                       begins(text + i - 2, "Dr."))) ||
           (i >= 3 && begins(text + i - 3, "Mrs."));
}

/* Bytes of the end of a sentence at text[i], quotes behind it and all; 0: none ends there. */
static size_t sentence_end(const char *text, size_t i) {
    const char *at = text + i;
    static const char *const stops[] = {"。", "！", "？", ". ", "! ",  "? ",  ".’",  "!’",
                                        "?’", ".”", "!”", "?”", ".\n", "!\n", "?\n", "\n"};
    static const char *const quotes[] = {"”", "’", "』", "」", "）", " ", "\n"};
    for (size_t s = 0; s < sizeof stops / sizeof stops[0]; s++) {
        if (!begins(at, stops[s]) || ends_title(text, i)) continue;
        size_t n = (unsigned char)at[0] < 0x80 ? 1 : strlen(stops[s]);
        for (size_t k = 0; k < sizeof quotes / sizeof quotes[0];)
            if (n < MOST_END && begins(at + n, quotes[k]))
                n += strlen(quotes[k]), k = 0;
            else
                k++;
        return n;
    }
    return 0;
}

/* How many of the n bytes the next passage has. */
static size_t cut(const char *text, size_t n, size_t most) {
    size_t end = 0, last = 0;
    if (n <= most + most / 5) return n; // no small rest
    for (size_t i = 0; i < most;) {
        size_t stop = sentence_end(text, i);
        uint32_t code;
        i += stop ? stop : (size_t)utf8_step(text + i, n - i, &code);
        if (i > most) break;
        last = i;
        if (stop) end = i;
    }
    return end > most * 2 / 3 ? end : last;
}

static void trim(struct passage *passage) {
    while (passage->n && isspace((unsigned char)passage->text[passage->n - 1]))
        passage->n--;
}

/* The passages of a document; the lists have room. */
static void add_document(struct passages *out, const char *title, const char *text, size_t most) {
    bool held = XXH64(title, strlen(title), 0) % 100 < HELD;
    const char *first = title;
    for (size_t len = strlen(text), k; len; text += k, len -= k) {
        struct passage passage = {first, text, k = cut(text, len, most)};
        trim(&passage);
        if (held)
            out->held[out->n_held++] = passage;
        else
            out->train[out->n_train++] = passage;
        first = NULL;
    }
}

static enum jl_status make_room(struct passages *out, size_t n, struct arena *arena,
                                struct jl_error *err) {
    *out = (struct passages){.train = arena_calloc(arena, n + 1, sizeof *out->train),
                             .held = arena_calloc(arena, n + 1, sizeof *out->held)};
    return out->train && out->held ? JL_OK : jl_fail(err, JL_ERR_MEMORY, "out of memory for prose");
}

/* ---- classical books ---- */

/* 《后汉书·本纪·孝和孝殇帝纪》 of 后汉书/本纪/孝和孝殇帝纪. */
static const char *title_of(const char *path, struct arena *arena) {
    char *out = arena_alloc(arena, 2 * strlen(path) + 16), *at = out;
    if (!out) return NULL;
    at = stpcpy(at, "《");
    for (; *path; path++)
        if (*path == '/')
            at = stpcpy(at, "·");
        else
            *at++ = *path;
    strcpy(at, "》");
    return out;
}

enum jl_status passages_read_classical(const char *folder, struct arena *arena,
                                       struct passages *out, struct jl_error *err) {
    struct tsv table;
    bool more;
    JL_TRY(tsv_open(folder, "classical/classical.tsv", arena, &table, err));
    // a passage has two thirds of the most, but for the last of a document
    JL_TRY(make_room(
        out, (size_t)(table.end - table.at) / (CLASSICAL_MOST * 2 / 3 - 3) + tsv_count(&table),
        arena, err));
    for (;;) {
        JL_TRY(tsv_next(&table, 2, &more, err));
        if (!more) return JL_OK;
        for (char *at = table.field[1]; *at; at++)
            if (*at == ' ') *at = '\n'; // between paragraphs
        const char *title = title_of(table.field[0], arena);
        if (!title) return jl_fail(err, JL_ERR_MEMORY, "out of memory for prose");
        add_document(out, title, table.field[1], CLASSICAL_MOST);
    }
}

/* ---- tales ---- */

/* Lines that stand in capitals between blank ones, and chapters. */
static bool is_title(const char *line, size_t n, const char *next) {
    int letters = 0;
    if (begins(line, "CHAPTER ")) return true;
    for (size_t i = 0; i < n; i++) {
        if (islower((unsigned char)line[i])) return false;
        letters += isupper((unsigned char)line[i]) != 0;
    }
    return letters >= 4 && n && !isspace((unsigned char)line[0]) && *next == '\n';
}

/* THE GOLDEN BIRD to The Golden Bird. */
static void write_title(char *out, const char *line, size_t n) {
    static const char *const small[] = {"of ", "and ", "the ", "a ", "in ", "to ", "on ", "or "};
    bool chapter = begins(line, "CHAPTER "), word = true;
    size_t roman = chapter ? strcspn(line + 8, ".") + 8 : 0;
    for (size_t i = 0; i < n; i++) {
        bool keep = word || (chapter && i >= 8);
        out[i] = (char)(keep ? line[i] : tolower((unsigned char)line[i]));
        word = line[i] == ' ' || line[i] == '-' || line[i] == '\n';
    }
    out[n] = 0;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        for (char *at = out + roman; (at = strchr(at, ' ')); at++)
            if (!strncasecmp(at + 1, small[i], strlen(small[i])))
                at[1] = (char)tolower((unsigned char)at[1]);
}

/* Notes, rows of stars and what editors say. */
static bool is_note(const char *paragraph, size_t n) {
    while (n && isspace((unsigned char)*paragraph))
        paragraph++, n--;
    bool numbered = n > 2 && paragraph[0] == '(' && isdigit((unsigned char)paragraph[1]);
    return !n || *paragraph == '*' || numbered || memmem(paragraph, n, "[later", 6) != NULL;
}

/* A paragraph with its lines joined, but for those that are set in; marks of notes and of emphasis
 * left out. Returns the end of what was written. */
static char *write_paragraph(char *out, const char *text, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *at = text + i;
        bool number = n - i >= 3 && at[0] == '(' && isdigit((unsigned char)at[1]) && at[2] == ')';
        if (number)
            i += 2;
        else if (*at == '\n' && i + 2 < n && at[1] == ' ' && at[2] == ' ')
            *out++ = '\n';
        else if (*at == '\n' && i + 1 < n)
            *out++ = ' ';
        else if (*at == ' ' && (out[-1] == '\n' || out[-1] == ' '))
            continue;
        else if (begins(at, "--"))
            out = stpcpy(out, "—"), i++;
        else if (*at == '[')
            *out++ = '(';
        else if (*at != '_' && *at != '*' && *at != '\n')
            *out++ = *at;
    }
    return out;
}

/* Walks a book, which is changed: each title ends a document. */
static enum jl_status read_book(char *at, struct arena *arena, struct passages *out,
                                struct jl_error *err) {
    size_t size = strlen(at);
    char *text = arena_alloc(arena, 2 * size + 2), *title = NULL;
    if (!text) return jl_fail(err, JL_ERR_MEMORY, "out of memory for prose");
    *text++ = '\n'; // may be looked back at
    char *end = text;
    while (*at) {
        char *stop = strstr(at, "\n\n");
        size_t n = stop ? (size_t)(stop - at) : strlen(at);
        const char *next = stop ? stop + 1 : "\n";
        if (n && is_title(at, strcspn(at, "\n") < n ? 0 : n, next)) {
            *end = 0;
            if (title && end > text) add_document(out, title, text, TALES_MOST);
            text = end > text ? end + 1 : text;
            end = text;
            title = arena_alloc(arena, n + 1);
            if (!title) return jl_fail(err, JL_ERR_MEMORY, "out of memory for prose");
            write_title(title, at, n);
        } else if (!is_note(at, n)) {
            if (end > text) end = stpcpy(end, "\n\n");
            end = write_paragraph(end, at, n);
        }
        at += stop ? n + 2 : n;
        while (*at == '\n')
            at++;
    }
    *end = 0;
    if (title && end > text) add_document(out, title, text, TALES_MOST);
    return JL_OK;
}

enum jl_status passages_read_tales(const char *folder, struct arena *arena, struct passages *out,
                                   struct jl_error *err) {
    static const char *const names[] = {"tales/alice.txt", "tales/andersen.txt",
                                        "tales/blue_fairy_book.txt", "tales/grimm.txt"};
    enum { N = sizeof names / sizeof names[0] };
    char *books[N];
    size_t all = 0, size;
    for (int i = 0; i < N; i++) {
        JL_TRY(tsv_text(folder, names[i], arena, &books[i], &size, err));
        all += size;
    }
    JL_TRY(make_room(out, all / LEAST_TALE + 1, arena, err));
    for (int i = 0; i < N; i++)
        JL_TRY(read_book(books[i], arena, out, err));
    return JL_OK;
}
