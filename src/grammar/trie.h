/* The inside of a vocabulary: the nodes of its trie in preorder. */
#ifndef JL_GRAMMAR_TRIE_H
#define JL_GRAMMAR_TRIE_H

#include "grammar/vocab.h"

struct trie_node {
    uint32_t next;  // the first node that is not below this one
    uint32_t token; // its tokens are ids[token, token of the node behind it)
    uint16_t depth; // bytes, this one's included
    uint8_t byte;
};

struct trie {
    struct trie_node *nodes; // (n_node + 1)
    uint32_t n_node;
    int32_t *ids; // tokens, sorted by bytes
};

/* Tokens by length, up to so many bytes a trie: where a counter nears its bound masks differ from
 * count to count, but for tokens that are shorter than what is left they do not. */
#define TRIE_COUNT 4
static const uint16_t trie_most[TRIE_COUNT] = {8, 16, 32, GRAMMAR_MAX_TOKEN};

struct grammar_vocab {
    struct trie tries[TRIE_COUNT];
    char *bytes;      // of all tokens, by id
    uint32_t *starts; // (n_token + 1)
    int n_token;
    uint32_t longest; // bytes of the longest token
};

#endif
