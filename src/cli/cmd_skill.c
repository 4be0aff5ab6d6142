/* skill: tasks to learn from and to be judged by. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/verse_report.h"
#include "skill/skill.h"

struct skill_command {
    const char *name, *part, *data, *group, *out, *judge;
    int n, seed, from;
    bool tasks;
    const struct skill *skill;
    struct skill_order order;
    const void *tables;
    struct arena arena, table_arena;
    struct skill_task task;
    struct byte_buffer line;
};

static void list_skills(void) {
    const struct skill *skill;
    for (size_t i = 0; (skill = skill_at(i)); i++) {
        printf("%-10s %s%s\n", skill->name, skill->about, skill->load ? " (--data)" : "");
        for (const struct skill_group *group = skill->groups; group->name; group++)
            printf("%s%s", group == skill->groups ? "           " : ", ", group->name);
        printf("\n");
    }
}

static enum jl_status check(struct skill_command *c, struct jl_error *err) {
    c->skill = skill_find(c->name);
    if (!c->skill)
        return jl_fail(err, JL_ERR_USAGE, "there is no skill '%s'; `jinlin skill` lists them",
                       c->name);
    if (c->group && !(c->order.group = skill_find_group(c->skill, c->group)))
        return jl_fail(err, JL_ERR_USAGE,
                       "%s has no group '%s'; `jinlin skill` lists the groups of every skill",
                       c->name, c->group);
    if (c->part && strcmp(c->part, "train") != 0 && strcmp(c->part, "held") != 0)
        return jl_fail(err, JL_ERR_USAGE, "--part is train or held, not '%s'", c->part);
    c->order.part = c->part && !strcmp(c->part, "held") ? SKILL_HELD : SKILL_TRAIN;
    c->order.seed = (uint64_t)c->seed;
    if (c->judge && c->skill != &skill_verse)
        return jl_fail(err, JL_ERR_USAGE, "--judge is for answers to verse");
    if (c->judge ? c->n || c->out : !c->n || !c->out)
        return jl_fail(err, JL_ERR_USAGE,
                       "say how many tasks and where to: --n N -o OUT.jsonl; with --judge neither");
    if (c->skill->load && !c->data)
        return jl_fail(err, JL_ERR_USAGE, "%s reads tables: --data DIR says where they are",
                       c->name);
    if (!c->skill->load && c->data)
        return jl_fail(err, JL_ERR_USAGE, "%s reads no tables: leave --data out", c->name);
    return c->skill->load ? c->skill->load(c->data, &c->table_arena, &c->tables, err) : JL_OK;
}

static enum jl_status write_lines(struct skill_command *c, FILE *out, struct jl_error *err) {
    if (c->tasks)
        fprintf(out, "{\"task\": \"%s\", \"defaults\": {\"max_tokens\": 1024}}\n", c->name);
    for (int i = 0; i < c->n; i++) {
        c->order.number = (uint32_t)c->from + (uint32_t)i;
        JL_TRY(skill_make(c->skill, c->tables, &c->order, &c->arena, &c->task, err));
        c->line.len = 0;
        JL_TRY(c->tasks ? skill_task_eval_line(&c->task, &c->line, err)
                        : skill_task_train_line(&c->task, &c->line, err));
        fwrite(c->line.data, 1, c->line.len, out); // a failure shows when the file is committed
    }
    return JL_OK;
}

static enum jl_status write_file(struct skill_command *c, struct jl_error *err) {
    struct file_writer writer;
    if (!strcmp(c->out, "-")) return write_lines(c, stdout, err);
    JL_TRY(file_writer_open(c->out, &writer, err));
    enum jl_status status = write_lines(c, writer.stream, err);
    if (status == JL_OK) return file_writer_commit(&writer, err);
    file_writer_abort(&writer);
    return status;
}

int cmd_skill(int argc, char **argv) {
    struct skill_command c = {0};
    bool done;
    const struct cli_option options[] = {
        {"--n", "-n", CLI_INT, &c.n, "N", "how many tasks", 1, 1 << 30},
        {"--seed", NULL, CLI_INT, &c.seed, "S", "of the draws (default 0)", 0, 0x7FFFFFFF},
        {"--from", NULL, CLI_INT, &c.from, "K", "the number of the first task (default 0)", 0,
         1 << 30},
        {"--part", NULL, CLI_TEXT, &c.part, "PART",
         "train (default), or held: what no training task can be", 0, 0},
        {"--group", NULL, CLI_TEXT, &c.group, "NAME", "tasks of one group only", 0, 0},
        {"--data", NULL, CLI_TEXT, &c.data, "DIR", "the tables of a skill that reads some", 0, 0},
        {"--tasks", NULL, CLI_FLAG, &c.tasks, NULL,
         "tasks for `jinlin eval`, not conversations to learn from", 0, 0},
        {"--judge", NULL, CLI_TEXT, &c.judge, "FILE",
         "verse: what the answers are like that `jinlin eval --out` wrote", 0, 0},
        {"--out", "-o", CLI_TEXT, &c.out, "FILE", "where to; `-` is standard output", 0, 0},
    };
    const struct cli_spec spec = {"skill",
                                  "[NAME --n N -o OUT.jsonl] [options]",
                                  "tasks of a skill: conversations to learn from, or tasks to be "
                                  "judged by; without a name, what there is",
                                  "jinlin skill sums --n 1000 --part held --tasks -o sums.jsonl",
                                  options,
                                  sizeof options / sizeof options[0],
                                  0,
                                  1};
    struct jl_error err = {0};
    enum jl_status status = cli_parse(&spec, argc, argv, &c.name, &done, &err);
    if (done) return 0;
    if (status == JL_OK && !c.name) {
        list_skills();
        return 0;
    }
    if (status == JL_OK) status = check(&c, &err);
    if (status == JL_OK)
        status = c.judge ? verse_report(c.judge, c.tables, stdout, &err) : write_file(&c, &err);
    buffer_free(&c.line);
    skill_task_free(&c.task);
    arena_free(&c.arena);
    arena_free(&c.table_arena);
    return cli_finish(&spec, status, &err);
}
