/* How a dialect writes tool calls. Parsing and rendering read the same texts: rendering writes them
 * as they are, parsing skips any white space where they have some at their ends.
 *
 *     call   = section_open { open name name_end arguments close } section_close
 *
 * The section is absent where section_open is "". */
#ifndef JL_TEXT_FORMAT_H
#define JL_TEXT_FORMAT_H

#include <stdbool.h>

enum call_body {
    CALL_NAMED,  // name, name_end, a JSON object
    CALL_PARAMS, // name, name_end, { key_open key key_end value_open value value_end }
    CALL_OBJECT, // {"name": ..., "arguments": {...}}
    CALL_LIST,   // [ such objects ]
    CALL_BARE,   // such an object with no mark, or behind one; "parameters" for "arguments"
};

struct call_format {
    enum call_body body;
    bool section_each;   // rendering gives each call a section of its own
    bool json_too;       // a section may hold an object instead: models mix the two up
    bool lone;           // `open` means a call without its section too
    bool ends_thought;   // a call inside a thought ends it
    bool id_is_name;     // the name's place holds an id: functions.NAME:INDEX
    bool brace;          // '{' right behind the name will do for name_end; '[' begins a list
    bool list_ids;       // objects carry "id"
    bool typed;          // key_end is followed by true"> or false">: is the value a string?
    const char *before;  // white space between text and the first call
    const char *between; // between two calls
    const char *section_open, *section_alt, *section_close;
    const char *open, *close, *close_alt;
    const char *name_end, *id_open;
    const char *key_open, *key_end, *value_open, *value_end;
    const char *value_pad; // white space on either side of a value that is no part of it
    const char *arguments; // key of the arguments in objects
};

#define FORMAT_NAME_MAX 256 // bytes of a name, id or key

extern const struct call_format format_deepseek_r1, format_deepseek_v31, format_dsml, format_dsml4,
    format_hermes, format_qwen_xml, format_glm45, format_glm47, format_kimi, format_minimax,
    format_hunyuan, format_mistral_list, format_mistral_id, format_mistral_args, format_llama;

#endif
