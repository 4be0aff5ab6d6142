/* The table of dialects and how a row is found. Order matters: the first row that fits is taken. */
#include <string.h>

#include "text/dialect.h"
#include "text/dialect/format.h"
#include "text/dialect/match.h"

#define NO_THOUGHT .think = {"", "", "", "", ""}
#define NO_ANSWER .answer_open = "", .answer_close = ""
#define THINK_LINES .think = {"<think>", "</think>", "\n", "\n", "\n\n"}
#define THINK_TIGHT .think = {"<think>", "</think>", "", "", ""}
#define DEEPSEEK_STOPS .stops = {"<｜end▁of▁sentence｜>", "<|EOT|>"}
#define LLAMA_STOPS .stops = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"}
// For unknown templates: every token that is known to end turns somewhere.
#define ALL_STOPS                                                                                  \
    .stops = {"<|im_end|>",                                                                        \
              "<|eot_id|>",                                                                        \
              "<|eom_id|>",                                                                        \
              "<end_of_turn>",                                                                     \
              "<|end|>",                                                                           \
              "<｜end▁of▁sentence｜>",                                                             \
              "<|END_OF_TURN_TOKEN|>",                                                             \
              "<|endoftext|>"}
#define CHATML_STOPS .stops = {"<|im_end|>", "<|endoftext|>"}

static const struct dialect table[] = {
    {
        .name = "deepseek-v4",
        THINK_TIGHT,
        NO_ANSWER,
        DEEPSEEK_STOPS,
        .thoughts = DIALECT_THOUGHTS_TOOLS,
        .calls = &format_dsml4,
        .template_has = {"｜DSML｜", "tool_calls>"},
        .template_lacks = {"function_calls>"},
    },
    {
        .name = "deepseek-v3.2",
        THINK_TIGHT,
        NO_ANSWER,
        DEEPSEEK_STOPS,
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_dsml,
        .template_has = {"｜DSML｜"},
        .token = "｜DSML｜",
    },
    {
        .name = "deepseek-v3.1",
        THINK_TIGHT,
        NO_ANSWER,
        DEEPSEEK_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_deepseek_v31,
        .template_has = {"<｜tool▁calls▁begin｜>"},
        .template_lacks = {"```json"},
    },
    {
        .name = "deepseek-r1",
        THINK_LINES,
        NO_ANSWER,
        DEEPSEEK_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_deepseek_r1,
        .template_has = {"<｜Assistant｜>"},
        .token = "<｜tool▁calls▁begin｜>",
    },
    {
        .name = "minimax-m2",
        THINK_LINES,
        NO_ANSWER,
        .stops = {"[e~["},
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_minimax,
        .template_has = {"<minimax:tool_call>"},
        .token = "<minimax:tool_call>",
    },
    {
        .name = "kimi-k2-thinking",
        THINK_TIGHT,
        NO_ANSWER,
        .stops = {"<|im_end|>", "[EOS]"},
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_kimi,
        .template_has = {"<|tool_calls_section_begin|>", "<think>"},
    },
    {
        .name = "kimi-k2",
        NO_THOUGHT,
        NO_ANSWER,
        .stops = {"<|im_end|>", "[EOS]"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_kimi,
        .template_has = {"<|tool_calls_section_begin|>"},
        .token = "<|tool_calls_section_begin|>",
    },
    {
        .name = "glm-4.7",
        THINK_TIGHT,
        NO_ANSWER,
        .stops = {"<|user|>", "<|observation|>", "<|endoftext|>"},
        .thoughts = DIALECT_THOUGHTS_ALL,
        .calls = &format_glm47,
        .template_has = {"<arg_key>", "clear_thinking"},
    },
    {
        .name = "glm-4.5",
        .think = {"<think>", "</think>", "", "", "\n"},
        NO_ANSWER,
        .stops = {"<|user|>", "<|observation|>", "<|endoftext|>"},
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_glm45,
        .template_has = {"<arg_key>"},
        .token = "<arg_key>",
    },
    {
        .name = "qwen-xml",
        THINK_LINES,
        NO_ANSWER,
        CHATML_STOPS,
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_qwen_xml,
        .template_has = {"<function=", "<parameter="},
    },
    {
        .name = "hermes", // and Qwen 2.5, Qwen 3, QwQ
        THINK_LINES,
        NO_ANSWER,
        CHATML_STOPS,
        .thoughts = DIALECT_THOUGHTS_LOOP,
        .calls = &format_hermes,
        .template_has = {"<tool_call>"},
        .token = "<tool_call>",
    },
    {
        .name = "hunyuan",
        .think = {"<think>", "</think>", "\n", "\n", "\n"},
        .answer_open = "<answer>\n",
        .answer_close = "\n</answer>",
        .stops = {"<|eos|>", "<|endoftext|>"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_hunyuan,
        .template_has = {"<tool_calls>"},
    },
    {
        .name = "mistral-v13",
        .think = {"[THINK]", "[/THINK]", "", "", ""},
        NO_ANSWER,
        .stops = {"</s>"},
        .thoughts = DIALECT_THOUGHTS_ALL,
        .calls = &format_mistral_args,
        .template_has = {"[TOOL_CALLS]", "[ARGS]"},
        .template_lacks = {"[CALL_ID]"},
    },
    {
        .name = "mistral-v11",
        .think = {"[THINK]", "[/THINK]", "", "", ""},
        NO_ANSWER,
        .stops = {"</s>"},
        .thoughts = DIALECT_THOUGHTS_ALL,
        .calls = &format_mistral_id,
        .template_has = {"[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"},
    },
    {
        .name = "mistral",
        NO_THOUGHT,
        NO_ANSWER,
        .stops = {"</s>"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_mistral_list,
        .template_has = {"[TOOL_CALLS]"},
        .token = "[TOOL_CALLS]",
    },
    {
        .name = "llama3-thinking", // models tuned from Llama 3 to think
        THINK_LINES,
        NO_ANSWER,
        LLAMA_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_llama,
        .template_has = {"<|start_header_id|>", "</think>"},
    },
    {
        .name = "llama3",
        NO_THOUGHT,
        NO_ANSWER,
        LLAMA_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .calls = &format_llama,
        .template_has = {"<|start_header_id|>"},
        .token = "<|python_tag|>",
    },
    {
        .name = "gemma",
        NO_THOUGHT,
        NO_ANSWER,
        .stops = {"<end_of_turn>"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .template_has = {"<start_of_turn>"},
        .token = "<start_of_turn>",
    },
    {
        .name = "chatml",
        THINK_LINES, // QwQ and other thinkers without tools write chat markup and <think>
        NO_ANSWER,
        CHATML_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .template_has = {"<|im_start|>"},
        .token = "<|im_start|>",
    },
    {
        .name = "phi",
        NO_THOUGHT,
        NO_ANSWER,
        .stops = {"<|end|>", "<|endoftext|>"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .template_has = {"<|assistant|>", "<|end|>"},
    },
    {
        .name = "command-r",
        NO_THOUGHT,
        NO_ANSWER,
        .stops = {"<|END_OF_TURN_TOKEN|>"},
        .thoughts = DIALECT_THOUGHTS_DROP,
        .template_has = {"<|END_OF_TURN_TOKEN|>"},
        .token = "<|END_OF_TURN_TOKEN|>",
    },
    {
        .name = "plain-thinking", // an unknown template that speaks of thoughts
        THINK_LINES,
        NO_ANSWER,
        ALL_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
        .template_has = {"</think>"},
    },
    {
        .name = "plain", // unknown: nothing is a mark
        NO_THOUGHT,
        NO_ANSWER,
        ALL_STOPS,
        .thoughts = DIALECT_THOUGHTS_DROP,
    },
};
#define N_ROW (sizeof table / sizeof table[0])

const struct dialect *dialect_at(size_t index) { return index < N_ROW ? &table[index] : NULL; }

const struct dialect *dialect_by_name(const char *name) {
    for (size_t i = 0; i < N_ROW; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

static bool fits(const struct dialect *row, const char *text, size_t len) {
    if (!row->template_has[0]) return false;
    for (size_t i = 0; i < 4 && row->template_has[i]; i++) {
        const char *mark = row->template_has[i];
        if (!memmem(text, len, mark, strlen(mark))) return false;
    }
    for (size_t i = 0; i < 2 && row->template_lacks[i]; i++) {
        const char *mark = row->template_lacks[i];
        if (memmem(text, len, mark, strlen(mark))) return false;
    }
    return true;
}

const struct dialect *dialect_detect(const char *template_text, size_t len,
                                     dialect_has_token *has_token, void *ctx) {
    if (template_text && len) {
        for (size_t i = 0; i < N_ROW; i++)
            if (fits(&table[i], template_text, len)) return &table[i];
    } else if (has_token) {
        for (size_t i = 0; i < N_ROW; i++)
            if (table[i].token && has_token(ctx, table[i].token)) return &table[i];
    }
    return &table[N_ROW - 1];
}

/* Is the token a piece of the mark? Marks may consist of several tokens and words between them. */
static bool part_of(const char *mark, const char *text, size_t len) {
    return len && memmem(mark, strlen(mark), text, len);
}

bool dialect_is_mark(const struct dialect *dialect, const char *text, size_t len) {
    const struct dialect_think *think = &dialect->think;
    const struct call_format *calls = dialect->calls;
    if (part_of(think->open, text, len) || part_of(think->close, text, len)) return true;
    if (part_of(dialect->answer_open, text, len) || part_of(dialect->answer_close, text, len))
        return true;
    if (!calls) return false;
    const char *const marks[] = {
        calls->section_open, calls->section_alt, calls->section_close, calls->open,
        calls->close,        calls->name_end,    calls->id_open,       calls->key_open,
        calls->key_end,      calls->value_open,  calls->value_end,
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (part_of(marks[i], text, len)) return true;
    return false;
}

bool dialect_keeps_thought(const struct dialect *dialect, bool since_user, bool tools) {
    switch (dialect->thoughts) {
    case DIALECT_THOUGHTS_DROP: return false;
    case DIALECT_THOUGHTS_LOOP: return since_user;
    case DIALECT_THOUGHTS_TOOLS: return since_user || tools;
    case DIALECT_THOUGHTS_ALL: break;
    }
    return true;
}

struct dialect_start dialect_prompt_end(const struct dialect *dialect, const char *prompt,
                                        size_t len) {
    const struct dialect_think *think = &dialect->think;
    struct dialect_start start = {0};
    if (!*think->open) return start;
    size_t end = len;
    while (end && match_is_space(prompt[end - 1]))
        end--;
    size_t n_open = strlen(think->open), n_close = strlen(think->close);
    const char *skip;
    if (end >= n_open && memcmp(prompt + end - n_open, think->open, n_open) == 0) {
        start.in_thought = true;
        skip = think->after_open;
    } else if (end >= n_close && memcmp(prompt + end - n_close, think->close, n_close) == 0) {
        skip = think->after_close;
    } else {
        return start;
    }
    // What the prompt already wrote of the mark's white space does not come again.
    while (*skip && end < len && prompt[end] == *skip) {
        skip++;
        end++;
    }
    if (*skip) start.skip = skip;
    return start;
}
