/* The patterns are facts about published tokenizers: those of their tokenizer.json or of their
 * tiktoken code where known, else the form in which llama.cpp splits. */
#include "text/tokenizer/pre.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text/tokenizer.h"
#include "text/utf8.h"

#define LLAMA3                                                                                     \
    PRE_CONTRACTIONS                                                                               \
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" PRE_ENDING

/* Words of o200k: capitals, then small letters; `not` is what no letter may be. */
#define CAPITALS(not ) "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}" not "]"
#define SMALLS(not ) "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}" not "]"
#define CASED_WORD(not, ending)                                                                    \
    "[^\\r\\n\\p{L}\\p{N}]?" CAPITALS(not ) "*" SMALLS(                                            \
        not ) "+" ending "|[^\\r\\n\\p{L}\\p{N}]?" CAPITALS(not ) "+" SMALLS(not ) "*" ending
#define MARKS " ?[^\\s\\p{L}\\p{N}]+"
#define O200K CASED_WORD("", PRE_CONTRACTIONS "?") "|\\p{N}{1,3}|" MARKS "[\\r\\n/]*" PRE_ENDING

#define ASCII_MARKS "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
#define DEEPSEEK3_WORDS                                                                            \
    ASCII_MARKS "[A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "                          \
                "?[\\p{P}\\p{S}]+[\\r\\n]*" PRE_ENDING

#define DEEPSEEK_LLM_LETTERS                                                                       \
    "\\s?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}"            \
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}"         \
    "\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}"                  \
    "\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}"                       \
    "\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}"                 \
    "\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}"                 \
    "\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}"        \
    "\\x{1F5B}\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}"         \
    "\\x{1FC2}-\\x{1FC4}\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}"                 \
    "\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}"                  \
    "\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}"                   \
    "\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}"        \
    "\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}"         \
    "\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}"                  \
    "\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}"                 \
    "\\x{FB13}-\\x{FB17}\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}"               \
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"         \
    "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}]+"
#define DEEPSEEK_LLM_MARKS                                                                         \
    "\\s?[!-/:-~\\x{FF01}-\\x{FF0F}\\x{FF1A}-\\x{FF5E}\\x{2018}-\\x{201F}\\x{3000}-\\x{3002}]+"
#define HAN_KANA "[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}\\x{30A0}-\\x{30FF}]+"
#define EAST_ASIAN                                                                                 \
    "[\\x{4E00}-\\x{9FFF}\\x{3400}-\\x{4DBF}\\x{F900}-\\x{FAFF}\\x{3040}-\\x{309F}"                \
    "\\x{30A0}-\\x{30FF}\\x{FF65}-\\x{FF9F}\\x{2F00}-\\x{2FDF}\\x{E40}-\\x{E7F}"                   \
    "\\x{E80}-\\x{EFF}\\x{1780}-\\x{17FF}\\x{1000}-\\x{109F}\\x{AA60}-\\x{AA7F}"                   \
    "\\x{A9E0}-\\x{A9FF}\\x{AC00}-\\x{D7AF}\\x{1100}-\\x{11FF}]+"
#define YOUTU_SCRIPTS                                                                              \
    "[\\x{AC00}-\\x{D7A3}\\x{3131}-\\x{318E}]+|[\\x{FF01}\\x{2026}\\x{201C}\\x{201D}"              \
    "\\x{2018}\\x{2019}\\x{2014}\\x{FF1A}\\x{FF1B}\\x{FF0C}\\x{3001}-\\x{303F}"                    \
    "\\x{FE30}-\\x{FE4F}]+|[\\x{3105}-\\x{312F}]+|[\\x{4E00}-\\x{9FA5}\\x{3040}-\\x{309F}"         \
    "\\x{30A0}-\\x{30FF}]+"
#define BLOOM " ?[^(\\s|.,!?\\x{2026}\\x{3002}\\x{FF0C}\\x{3001}\\x{964}\\x{6D4}\\x{60C})]+"
#define CJK "[\\x{4E00}-\\x{9FA5}\\x{800}-\\x{4E00}\\x{AC00}-\\x{D7FF}]+"

/* Digits in groups of three from the right: as a pattern quadratic, so a step of its own. The
 * second name stands for the same with each group apart from what stands before it. */
#define DIGIT_GROUPS "(?=(\\d{3})+(?!\\d))"
#define DIGIT_GROUPS_APART "\\d{1,3}(?=(?:\\d{3})*\\b)"

static const struct pre_row rows[] = {
    {"gpt-2 gpt2 r50k_base phi-2 gigachat a.x-4.0 mellum modern-bert mpt olmo jais trillion "
     "granite-docling "
     "exaone4 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe granite",
     0,
     {PRE_GPT2}},
    {"default", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", PRE_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2",
     PRE_IGNORE_MERGES | PRE_ADD_BOS,
     {LLAMA3}},
    {"dbrx cl100k cl100k_base smaug-bpe", 0, {LLAMA3}},
    {"glm4 chatglm-bpe", 0, {LLAMA3}},
    {"deepseek-llm",
     0,
     {"[\\r\\n]", DEEPSEEK_LLM_LETTERS, DEEPSEEK_LLM_MARKS, "\\s+$", CJK, "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm", 0, {"\\p{N}{1,3}", HAN_KANA, DEEPSEEK3_WORDS}},
    {"falcon", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", PRE_GPT2, "[0-9][0-9][0-9]"}},
    {"starcoder refact command-r smollm codeshell exaone minerva-7b", 0, {"\\p{N}", PRE_GPT2}},
    {"qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez kormo grok-2 solar-open", 0, {PRE_QWEN2}},
    {"qwen35",
     0,
     {PRE_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|"
                       " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" PRE_ENDING}},
    {"bloom poro-chat poro gpt3-finnish", 0, {BLOOM}},
    {"viking", 0, {BLOOM, "\\p{N}"}},
    {"tekken",
     PRE_IGNORE_MERGES | PRE_ADD_BOS,
     {CASED_WORD("", "") "|\\p{N}|" MARKS "[\\r\\n/]*" PRE_ENDING}},
    {"gpt-4o o200k o200k_base llama4 minimax-m2", 0, {O200K}},
    {"kimi-k2",
     0,
     {"[\\p{Han}]+|" CASED_WORD("&&[^\\p{Han}]", PRE_CONTRACTIONS "?") "|\\p{N}{1,3}|" MARKS
                                                                       "[\\r\\n]*" PRE_ENDING}},
    {"youtu",
     PRE_IGNORE_MERGES,
     {YOUTU_SCRIPTS,
      CASED_WORD("", PRE_CONTRACTIONS "?") "|\\p{N}|" MARKS "[\\r\\n/]*" PRE_ENDING}},
    {"chameleon",
     PRE_ADD_BOS,
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
      "[\\p{P}!-/:-@\\[-`{-~]", PRE_GPT2}},
    {"superbpe", 0, {"\\p{N}+", DIGIT_GROUPS}},
    {"bailingmoe bailingmoe2 llada-moe",
     0,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
      "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"seed-coder",
     0,
     {PRE_CONTRACTIONS
      "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+" PRE_ENDING}},
    {"afmoe", 0, {DIGIT_GROUPS_APART, EAST_ASIAN, DEEPSEEK3_WORDS}},
};
#define N_ROW (sizeof rows / sizeof rows[0])

/* The word of a row's names that begins at `at`. */
static size_t name_length(const char *at) { return strcspn(at, " "); }

const struct pre_row *pre_find(const char *name, size_t len) {
    for (size_t i = 0; i < N_ROW; i++) {
        const char *at = rows[i].names;
        for (; *at; at += name_length(at), at += *at == ' ') {
            if (name_length(at) == len && memcmp(at, name, len) == 0) return &rows[i];
        }
    }
    return NULL;
}

const struct pre_row *pre_at(int i) { return i >= 0 && (size_t)i < N_ROW ? &rows[i] : NULL; }

/* \\uXXXX, \\xXX, \\x{X} and characters beyond ASCII all become \\x{X}. */
static bool spell_alike(const char *pattern, size_t len, struct byte_buffer *out) {
    out->len = 0;
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t used = 0;
        char text[16];
        int n = 0;
        if (pattern[at] == '\\' && at + 1 < len && pattern[at + 1] == 'u') {
            if (sscanf(pattern + at + 2, "%4" SCNx32 "%n", &code, &n) == 1) used = 2 + (size_t)n;
        } else if (pattern[at] == '\\' && at + 2 < len && pattern[at + 1] == 'x') {
            bool braces = pattern[at + 2] == '{';
            if (sscanf(pattern + at + 2 + braces, braces ? "%8" SCNx32 "%n" : "%2" SCNx32 "%n",
                       &code, &n) == 1)
                used = 2 + (size_t)n + 2 * braces;
        } else if (pattern[at] == '\\' && at + 1 < len) {
            if (!buffer_append(out, pattern + at, 2)) return false;
            at += 2;
            continue;
        } else if ((unsigned char)pattern[at] >= 0x80) {
            used = utf8_step(pattern + at, len - at, &code);
        }
        n = used ? snprintf(text, sizeof text, "\\x{%" PRIX32 "}", code) : 1;
        if (!buffer_append(out, used ? text : pattern + at, (size_t)n)) return false;
        at += used ? used : 1;
    }
    return true;
}

static bool same_pattern(const char *a, const struct regex *regex, struct byte_buffer spelt[2]) {
    size_t len;
    const char *b = regex_source(regex, &len);
    return b && spell_alike(a, strlen(a), &spelt[0]) && spell_alike(b, len, &spelt[1]) &&
           spelt[0].len == spelt[1].len && !memcmp(spelt[0].data, spelt[1].data, spelt[0].len);
}

bool pre_same(const struct pre_row *row, const struct pretok *pretok) {
    struct byte_buffer spelt[2] = {0};
    int n = 0;
    bool same = true;
    for (; n < PRE_MAX_PATTERNS && row->patterns[n] && same; n++) {
        const struct pretok_step *step = &pretok->steps[n];
        same = n < pretok->n_step && step->kind == PRETOK_SPLIT && !step->invert &&
               step->behaviour == PRETOK_ISOLATED &&
               same_pattern(row->patterns[n], step->regex, spelt);
    }
    buffer_free(&spelt[0]);
    buffer_free(&spelt[1]);
    return same && n == pretok->n_step;
}

enum jl_status pre_unknown(const char *name, size_t len, struct jl_error *err) {
    return jl_fail(err, JL_ERR_UNSUPPORTED,
                   "the pre-tokenizer '%.*s' is not known, and guessing one would give wrong ids; "
                   "token ids still work (--tokens)",
                   (int)(len < 80 ? len : 80), name);
}

enum jl_status pre_add_split(struct pretok *pretok, const char *pattern, size_t len,
                             enum regex_flavour flavour, struct jl_error *err) {
    if (pretok->n_step == PRETOK_MAX_STEPS)
        return jl_fail(err, JL_ERR_LIMIT, "a pre-tokenizer has more than %d steps",
                       PRETOK_MAX_STEPS);
    struct pretok_step step = {.kind = PRETOK_SPLIT, .behaviour = PRETOK_ISOLATED};
    step.isolated =
        len == sizeof DIGIT_GROUPS_APART - 1 && memcmp(pattern, DIGIT_GROUPS_APART, len) == 0;
    if (step.isolated || (len == sizeof DIGIT_GROUPS - 1 && !memcmp(pattern, DIGIT_GROUPS, len)))
        step.kind = PRETOK_DIGIT_GROUPS;
    else
        JL_TRY(regex_compile(pattern, len, flavour, &step.regex, err));
    pretok->steps[pretok->n_step++] = step;
    return JL_OK;
}

enum jl_status pre_add_row(struct pretok *pretok, const struct pre_row *row, struct jl_error *err) {
    for (int i = 0; i < PRE_MAX_PATTERNS && row->patterns[i]; i++)
        JL_TRY(pre_add_split(pretok, row->patterns[i], strlen(row->patterns[i]), REGEX_RUST, err));
    return JL_OK;
}

const char *tokenizer_pre_names(int row) {
    return row >= 0 && (size_t)row < N_ROW ? rows[row].names : NULL;
}

bool tokenizer_pre_adds_bos(const char *pre, size_t len) {
    const struct pre_row *row = pre_find(pre, len);
    return row && row->flags & PRE_ADD_BOS;
}
