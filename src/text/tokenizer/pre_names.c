/* The patterns are facts about published tokenizers: those of their tokenizer.json or of their
 * tiktoken code where known, else the form in which llama.cpp splits. */
#include "text/tokenizer/pre_names.h"

#include <string.h>

#include "text/tokenizer.h"

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

#define DEEPSEEK_LLM_LETTERS                                                                                                                                                                         \
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-"                                                                         \
    "ᲺᲽ-"                                                                                                                                                                                        \
    "Ჿᴀ-"                                                                                                                                                                                        \
    "ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ"                                                                                                                                  \
    "Ὗ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-" \
    "ꞇꞋ-"                                                                                                                                                                                        \
    "ꞎꭰ-"                                                                                                                                                                                        \
    "ꮿﬀ-ﬆ"                                                                                                                                                                                     \
    "ﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"

#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define CJK "[一-龥ࠀ-一가-퟿]+"

/* Digits in groups of three from the right: as a pattern quadratic, so a step of its own. The
 * second name stands for the same with each group apart from what stands before it. */
#define DIGIT_GROUPS "(?=(\\d{3})+(?!\\d))"
#define DIGIT_GROUPS_APART "\\d{1,3}(?=(?:\\d{3})*\\b)"

static const struct pre_row rows[] = {
    {"gpt-2 phi-2 gigachat a.x-4.0 mellum modern-bert mpt olmo jais trillion granite-docling "
     "exaone4 jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe granite",
     0,
     {PRE_GPT2}},
    {"default", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", PRE_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2",
     PRE_IGNORE_MERGES | PRE_ADD_BOS,
     {LLAMA3}},
    {"dbrx smaug-bpe cl100k", 0, {LLAMA3}},
    {"glm4 chatglm-bpe", 0, {LLAMA3}},
    {"deepseek-llm",
     0,
     {"[\\r\\n]", DEEPSEEK_LLM_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", CJK,
      "\\p{N}+"}},
    {"deepseek-coder", 0, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", CJK, "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm",
     0,
     {"\\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3_WORDS}},
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
    {"gpt-4o o200k llama4 minimax-m2", 0, {O200K}},
    {"kimi-k2",
     0,
     {"[\\p{Han}]+|" CASED_WORD("&&[^\\p{Han}]", PRE_CONTRACTIONS "?") "|\\p{N}{1,3}|" MARKS
                                                                       "[\\r\\n]*" PRE_ENDING}},
    {"youtu",
     PRE_IGNORE_MERGES,
     {"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-"
      "ゟ゠-"
      "ヿ]"
      "+",
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
    {"afmoe",
     0,
     {DIGIT_GROUPS_APART,
      "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-"
      "힯ᄀ-"
      "ᇿ]"
      "+",
      DEEPSEEK3_WORDS}},
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
