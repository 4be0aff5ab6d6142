/* Special tokens that tiktoken's rank files leave to the program that reads them. Only those whose
 * ids are certain; the others of a vocabulary are holes there. */
#include "text/tokenizer/pre.h"

#include <string.h>

#define BAR "\xEF\xBD\x9C"  // U+FF5C
#define MARK "\xE2\x96\x81" // U+2581

static const struct pre_special deepseek_v3[] = {
    {"<" BAR "begin" MARK "of" MARK "sentence" BAR ">", 0},
    {"<" BAR "end" MARK "of" MARK "sentence" BAR ">", 1},
    {"<" BAR MARK "pad" MARK BAR ">", 2},
    {"<" BAR "fim" MARK "hole" BAR ">", 128800},
    {"<" BAR "fim" MARK "begin" BAR ">", 128801},
    {"<" BAR "fim" MARK "end" BAR ">", 128802},
    {"<" BAR "User" BAR ">", 128803},
    {"<" BAR "Assistant" BAR ">", 128804},
    {"<|EOT|>", 128805},
    {"<" BAR "tool" MARK "calls" MARK "begin" BAR ">", 128806},
    {"<" BAR "tool" MARK "calls" MARK "end" BAR ">", 128807},
    {"<" BAR "tool" MARK "call" MARK "begin" BAR ">", 128808},
    {"<" BAR "tool" MARK "call" MARK "end" BAR ">", 128809},
    {"<" BAR "tool" MARK "outputs" MARK "begin" BAR ">", 128810},
    {"<" BAR "tool" MARK "outputs" MARK "end" BAR ">", 128811},
    {"<" BAR "tool" MARK "output" MARK "begin" BAR ">", 128812},
    {"<" BAR "tool" MARK "output" MARK "end" BAR ">", 128813},
    {"<" BAR "tool" MARK "sep" BAR ">", 128814},
    {0},
};

static const struct pre_special qwen2[] = {
    {"<|endoftext|>", 151643},
    {"<|im_start|>", 151644},
    {"<|im_end|>", 151645},
    {0},
};

static const struct pre_special llama_bpe[] = {
    {"<|begin_of_text|>", 128000}, {"<|end_of_text|>", 128001}, {"<|start_header_id|>", 128006},
    {"<|end_header_id|>", 128007}, {"<|eot_id|>", 128009},      {0},
};

static const struct pre_special kimi_k2[] = {
    {"[BOS]", 163584},
    {"[EOS]", 163585},
    {"<|im_end|>", 163586},
    {"<|im_user|>", 163587},
    {"<|im_assistant|>", 163588},
    {"<|start_header_id|>", 163590},
    {"<|end_header_id|>", 163591},
    {"[EOT]", 163593},
    {"<|im_system|>", 163594},
    {"<|tool_calls_section_begin|>", 163595},
    {"<|tool_calls_section_end|>", 163596},
    {"<|tool_call_begin|>", 163597},
    {"<|tool_call_argument_begin|>", 163598},
    {"<|tool_call_end|>", 163599},
    {"<|im_middle|>", 163601},
    {0},
};

static const struct pre_special gpt_4o[] = {
    {"<|endoftext|>", 199999},
    {"<|endofprompt|>", 200018},
    {0},
};

static const struct pre_special cl100k[] = {
    {"<|endoftext|>", 100257},  {"<|fim_prefix|>", 100258},  {"<|fim_middle|>", 100259},
    {"<|fim_suffix|>", 100260}, {"<|endofprompt|>", 100276}, {0},
};

static const struct pre_special gpt_2[] = {
    {"<|endoftext|>", 50256},
    {0},
};

static const struct pre_special glm4[] = {
    {"<|endoftext|>", 151329},
    {"[MASK]", 151330},
    {"[gMASK]", 151331},
    {"[sMASK]", 151332},
    {"<sop>", 151333},
    {"<eop>", 151334},
    {"<|system|>", 151335},
    {"<|user|>", 151336},
    {"<|assistant|>", 151337},
    {"<|observation|>", 151338},
    {0},
};

static const struct {
    const char *pre;
    int n_rank;
    const struct pre_special *specials;
} tables[] = {
    {"deepseek-v3", 128000, deepseek_v3},
    {"qwen2", 151643, qwen2},
    {"llama-bpe", 128000, llama_bpe},
    {"llama3", 128000, llama_bpe},
    {"llama-v3", 128000, llama_bpe},
    {"kimi-k2", 163584, kimi_k2},
    {"gpt-4o", 199998, gpt_4o},
    {"o200k", 199998, gpt_4o},
    {"o200k_base", 199998, gpt_4o},
    {"cl100k", 100256, cl100k},
    {"cl100k_base", 100256, cl100k},
    {"gpt-2", 50256, gpt_2},
    {"gpt2", 50256, gpt_2},
    {"r50k_base", 50256, gpt_2},
    {"glm4", 151329, glm4},
    {"chatglm-bpe", 151329, glm4},
};

const struct pre_special *pre_specials(const char *pre, int n_rank) {
    static const struct pre_special none[] = {{0}};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].pre, pre) == 0 && tables[i].n_rank == n_rank)
            return tables[i].specials;
    }
    return none;
}
