/* A data folder of a few lines, written by hand into the scratch folder. */
#ifndef JL_TESTS_SKILL_FIXTURE_H
#define JL_TESTS_SKILL_FIXTURE_H

const char *fixture_data(void);   // its path
const char *fixture_shared(void); // the real one beside the tree; NULL, and a message, without it

#endif
