/* The formats, after the models' own chat templates (sources: docs/dialects.md). */
#include "text/dialect/format.h"

// What a format leaves empty.
#define NOTHING                                                                                    \
    .before = "", .between = "", .section_open = "", .section_alt = "", .section_close = "",       \
    .open = "", .close = "", .close_alt = "", .name_end = "", .id_open = "", .key_open = "",       \
    .key_end = "", .value_open = "", .value_end = "", .value_pad = "", .arguments = "arguments"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" // the fields behind NOTHING

const struct call_format format_deepseek_r1 = {
    NOTHING,
    .body = CALL_NAMED,
    .lone = true,
    .between = "\n",
    .section_open = "<｜tool▁calls▁begin｜>",
    .section_close = "<｜tool▁calls▁end｜>",
    .open = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
    .name_end = "\n```json\n",
    .close = "\n```<｜tool▁call▁end｜>",
    .close_alt = "```\n<｜tool▁call▁end｜>",
};

const struct call_format format_deepseek_v31 = {
    NOTHING,
    .body = CALL_NAMED,
    .lone = true,
    .section_open = "<｜tool▁calls▁begin｜>",
    .section_close = "<｜tool▁calls▁end｜>",
    .open = "<｜tool▁call▁begin｜>",
    .name_end = "<｜tool▁sep｜>",
    .close = "<｜tool▁call▁end｜>",
};

#define DSML                                                                                       \
    NOTHING, .body = CALL_PARAMS, .typed = true, .before = "\n\n",                                 \
             .open = "<｜DSML｜invoke name=\"", .name_end = "\">\n",                               \
             .key_open = "<｜DSML｜parameter name=\"", .key_end = "\" string=\"",                  \
             .value_end = "</｜DSML｜parameter>\n", .close = "</｜DSML｜invoke>\n"

const struct call_format format_dsml = {
    DSML,
    .section_open = "<｜DSML｜function_calls>\n",
    .section_alt = "<｜DSML｜tool_calls>",
    .section_close = "</｜DSML｜function_calls>",
};

const struct call_format format_dsml4 = {
    DSML,
    .section_open = "<｜DSML｜tool_calls>\n",
    .section_alt = "<｜DSML｜function_calls>",
    .section_close = "</｜DSML｜tool_calls>",
};

const struct call_format format_hermes = {
    NOTHING,         .body = CALL_OBJECT,     .before = "\n",
    .between = "\n", .open = "<tool_call>\n", .close = "\n</tool_call>",
};

const struct call_format format_qwen_xml = {
    NOTHING,
    .body = CALL_PARAMS,
    .section_each = true,
    .json_too = true,
    .lone = true,
    .before = "\n\n",
    .between = "\n",
    .section_open = "<tool_call>\n",
    .section_close = "\n</tool_call>",
    .open = "<function=",
    .name_end = ">\n",
    .key_open = "<parameter=",
    .key_end = ">",
    .value_pad = "\n",
    .value_end = "</parameter>\n",
    .close = "</function>",
};

const struct call_format format_glm45 = {
    NOTHING,
    .body = CALL_PARAMS,
    .before = "\n",
    .between = "\n",
    .open = "<tool_call>",
    .key_open = "\n<arg_key>",
    .key_end = "</arg_key>",
    .value_open = "\n<arg_value>",
    .value_end = "</arg_value>",
    .close = "\n</tool_call>",
};

const struct call_format format_glm47 = {
    NOTHING,
    .body = CALL_PARAMS,
    .open = "<tool_call>",
    .key_open = "<arg_key>",
    .key_end = "</arg_key>",
    .value_open = "<arg_value>",
    .value_end = "</arg_value>",
    .close = "</tool_call>",
};

const struct call_format format_kimi = {
    NOTHING,
    .body = CALL_NAMED,
    .lone = true,
    .ends_thought = true,
    .id_is_name = true,
    .section_open = "<|tool_calls_section_begin|>",
    .section_close = "<|tool_calls_section_end|>",
    .open = "<|tool_call_begin|>",
    .name_end = "<|tool_call_argument_begin|>",
    .close = "<|tool_call_end|>",
};

const struct call_format format_minimax = {
    NOTHING,
    .body = CALL_PARAMS,
    .before = "\n",
    .section_open = "<minimax:tool_call>\n",
    .section_close = "</minimax:tool_call>",
    .open = "<invoke name=\"",
    .name_end = "\">\n",
    .key_open = "<parameter name=\"",
    .key_end = "\">",
    .value_end = "</parameter>\n",
    .close = "</invoke>\n",
};

const struct call_format format_hunyuan = {
    NOTHING,
    .body = CALL_LIST,
    .open = "<tool_calls>",
    .close = "</tool_calls>",
};

const struct call_format format_mistral_list = {
    NOTHING,
    .body = CALL_LIST,
    .brace = true,
    .list_ids = true,
    .open = "[TOOL_CALLS]",
    .name_end = "[ARGS]",
    .id_open = "[CALL_ID]",
};

const struct call_format format_mistral_id = {
    NOTHING,
    .body = CALL_NAMED,
    .brace = true,
    .open = "[TOOL_CALLS]",
    .name_end = "[ARGS]",
    .id_open = "[CALL_ID]",
};

const struct call_format format_mistral_args = {
    NOTHING, .body = CALL_NAMED, .brace = true, .open = "[TOOL_CALLS]", .name_end = "[ARGS]",
};

const struct call_format format_llama = {
    NOTHING,
    .body = CALL_BARE,
    .between = "; ",
    .open = "<|python_tag|>",
    .arguments = "parameters",
};

#pragma GCC diagnostic pop
