/* Inside a run: what its parts share. */
#ifndef JL_TRAIN_RUN_SELF_H
#define JL_TRAIN_RUN_SELF_H

#include "session/chat_form.h"
#include "train/data/data.h"
#include "train/run/run.h"

struct run {
    struct backend *backend;
    struct pool *pool;
    const struct recipe *recipe; // &known
    struct recipe known;         // the caller's, with the steps that its epochs come to
    const struct run_options *options;
    char *start;     // the model that it began with
    int first_stage; // that this folder carries out
    int lock;
    struct learner *learner;
    struct tokenizer *tokenizer;
    struct chat_form form;
    struct end_tokens ends;
    struct rl *rl;               // in the place of data, where the recipe has [grpo]
    struct end_tokens text_ends; // of a text, where `ends` are those of a turn
    struct class_request cls;    // of its frozen model
    struct rl_report said;       // of the last step
    int64_t rl_cursor;           // tasks drawn
    int n_mute;                  // steps in a row that taught nothing
    bool was_flat, was_cut, was_gamed;
    double best_right, reward_at_best;
    struct data *data;
    int data_stage; // whose data are open; -1: none
    struct data_cursor cursor;
    struct data_batch *batches;      // (micro)
    struct learner_batch *micro;     // (micro)
    struct learner_row **micro_rows; // (micro)
    int64_t step, stage_step, done;  // of the run, of the stage, of this call
    int stage;
    struct jl_error *err;
};

enum jl_status run_no_memory(const struct run *run);
void run_note(const struct run *run, const char *text);

/* folder.c: the folder, which one run has at a time, and the model to begin with. */
enum jl_status run_make_folder(const struct run *run, const char *path);
enum jl_status run_lock_folder(struct run *run);
enum jl_status run_keep_recipe(const struct run *run);
enum jl_status run_find_start(struct run *run);
/* from.c: a run that was begun elsewhere and goes on here from the weights of a stage. */
enum jl_status run_find_from(struct run *run);

/* data.c: the data of a stage; the steps that its epochs come to. */
enum jl_status run_open_data(struct run *run, int stage);
void run_free_data(struct run *run);
struct learner_batch run_rows_of(const struct data_batch *from, struct learner_row *rows);
enum jl_status run_held_out(struct run *run);
enum jl_status run_find_steps(struct run *run);

/* by_reward.c: a run that learns by reward. */
#define RUN_RL_CURSOR 16 // bytes
enum jl_status run_open_rl(struct run *run);
enum jl_status run_find_rl_steps(struct run *run, int stage);
enum jl_status run_rl_step(struct run *run, struct run_step *report);
void run_show_answers(const struct run *run); // the best and the worst to one task, now and then
void run_rl_cursor_write(const struct run *run, uint8_t out[RUN_RL_CURSOR]);
enum jl_status run_rl_cursor_read(struct run *run, const uint8_t *bytes, size_t n);

/* write.c: what a stage leaves, and what the model says meanwhile. */
enum jl_status run_write_model(struct run *run, const char *path);
void run_sample(const struct run *run);

#endif
