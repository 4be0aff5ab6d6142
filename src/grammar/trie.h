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

/* Tokens of more bytes are few, but each counter up to their length would need masks of its own:
 * they have a trie to themselves. */
#define TRIE_SHORT 32

struct grammar_vocab {
    struct trie tries[2]; // of short and of long tokens
    char *bytes;          // of all tokens, by id
    uint32_t *starts;     // (n_token + 1)
    int n_token;
    uint32_t longest; // bytes of the longest token
};

#endif
