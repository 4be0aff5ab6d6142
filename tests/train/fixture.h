/* What the tests of the data room share: a tokenizer of bytes, marks and a few words, templates of
 * tests/train/templates, and documents as text. */
#ifndef JL_TESTS_TRAIN_FIXTURE_H
#define JL_TESTS_TRAIN_FIXTURE_H

#include "train/data/chat.h"
#include "train/data/data.h"
#include "train/data/doc.h"

struct data_fixture {
    struct tokenizer *tokenizer;
    struct chat_form form;
    struct data_model model;
};

enum data_fixture_kind {
    DATA_FIXTURE_PLAIN,  // adds BOS
    DATA_FIXTURE_PREFIX, // and a space before each stretch of text
    DATA_FIXTURE_NO_EOS,
    DATA_FIXTURE_OTHER, // as PLAIN, with one score changed
};

/* `name` of a template, NULL: none. Fails the test if it cannot. */
void data_fixture_open(struct data_fixture *f, enum data_fixture_kind kind, const char *name);
void data_fixture_close(struct data_fixture *f);
struct data_fixture data_fixture_of(const char *tokenizer, const char *pre,
                                    const char *template_path);

/* The text of an example, what is in the loss in [ ]. Static, valid until the next call. */
const char *data_fixture_show(const struct tokenizer *t, const struct data_example *example);
/* The examples of a document, one after another, parted by " | ". */
const char *data_fixture_show_doc(const struct tokenizer *t, const struct data_doc *doc);

/* A line to its document. */
enum jl_status data_fixture_line(const struct data_fixture *f, const char *line,
                                 struct data_doc *doc, struct jl_error *err);

/* `n` texts of different lengths, English and Chinese, each beginning with its number; heap. */
char *data_fixture_texts(int n, const char *tag);

struct data *data_fixture_data(const struct data_fixture *f, const struct data_spec *spec,
                               int threads);

#endif
