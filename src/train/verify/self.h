/* What the files of the verifiers share. */
#ifndef JL_TRAIN_VERIFY_SELF_H
#define JL_TRAIN_VERIFY_SELF_H

#include "train/verify/verify.h"

/* Whether digits at `at`, in a text that begins at `begin`, have a minus that is a sign. */
bool verify_minus_before(const char *begin, const char *at);

/* The next number from *at on, which goes behind it; one that is too long or not finite is NAN.
 * False: none is left. */
bool verify_next_number(const char *begin, const char **at, const char *end, double *out);

int verify_shown(const struct verify_expect *expect); // bytes of its text in a message

enum jl_status verify_prepare_fraction(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_fraction(const struct verify_expect *expect, const char *answer,
                                     size_t len, bool *right, struct jl_error *err);
enum jl_status verify_prepare_numbers(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_numbers(const struct verify_expect *expect, const char *answer,
                                    size_t len, bool *right, struct jl_error *err);
enum jl_status verify_prepare_list(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_list(const struct verify_expect *expect, const char *answer, size_t len,
                                 bool *right, struct jl_error *err);
enum jl_status verify_prepare_countdown(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_countdown(const struct verify_expect *expect, const char *answer,
                                      size_t len, bool *right, struct jl_error *err);
enum jl_status verify_prepare_verse(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_verse(const struct verify_expect *expect, const char *answer,
                                  size_t len, bool *right, struct jl_error *err);
enum jl_status verify_check_verse_form(const struct verify_expect *expect, const char *answer,
                                       size_t len, bool *right, struct jl_error *err);
enum jl_status verify_prepare_move(struct verify_expect *expect, struct jl_error *err);
enum jl_status verify_check_move(const struct verify_expect *expect, const char *answer, size_t len,
                                 bool *right, struct jl_error *err);

#endif
