/* Prints schemas at random with documents that their grammars allow, one JSON object a line:
 * {"schema": ..., "text": "..."}. For validators in other languages.
 *
 *     print_documents SEED SCHEMAS DOCUMENTS */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "random_json.h"

enum { TOKENS = 400 };

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: print_documents SEED SCHEMAS DOCUMENTS\n");
        return 2;
    }
    struct grammar_vocab *v = random_json_vocab();
    int n_schema = atoi(argv[2]), n_document = atoi(argv[3]);
    for (int i = 0; i < n_schema; i++) {
        uint64_t seed = strtoull(argv[1], NULL, 10) + (uint64_t)i;
        struct jl_error err;
        json_t *schema = random_schema(&seed);
        char *text = json_dumps(schema, JSON_COMPACT);
        struct grammar *g = try_compile(i % 2 ? SCHEMA : SCHEMA_LINES, text, &err);
        struct grammar_matcher *m = NULL;
        if (g && grammar_matcher_new(g, v, NULL, &m, &err) != JL_OK) return 1;
        for (int k = 0; k < n_document && m; k++) {
            size_t len;
            char *document = random_document(m, v, &seed, TOKENS, &len);
            json_t *line = document ? json_pack("{s:O,s:o}", "schema", schema, "text",
                                                json_stringn(document, len))
                                    : NULL;
            if (line) json_dumpf(line, stdout, JSON_COMPACT);
            if (line) putchar('\n');
            json_decref(line);
            free(document);
        }
        grammar_matcher_free(m);
        grammar_free(g);
        free(text);
        json_decref(schema);
    }
    grammar_vocab_free(v);
    return 0;
}
