#include "skill/numerals.h"

static const char *const han[] = {"零", "一", "二", "三", "四", "五", "六", "七", "八", "九"};

const char *numerals_zh_digit(int digit) { return han[digit]; }

const char *numerals_zh_group(struct skill_draw *draw, int n, bool first) {
    static const char *const units[] = {"", "十", "百", "千"};
    const char *text = "";
    bool gap = !first && n < 1000, begun = false;
    for (int k = 3, by = 1000; k >= 0; k--, by /= 10) {
        int digit = n / by % 10;
        if (!digit) {
            gap = gap || begun;
            continue;
        }
        bool bare = first && !begun && k == 1 && digit == 1; // 十二
        text =
            skill_textf(draw, "%s%s%s%s", text, gap ? "零" : "", bare ? "" : han[digit], units[k]);
        gap = false;
        begun = true;
    }
    return text;
}

const char *numerals_zh(struct skill_draw *draw, long long n) {
    static const char *const units[] = {"", "万", "亿"};
    const char *text = "";
    bool begun = false, gap = false;
    if (!n) return han[0];
    for (int k = 2; k >= 0; k--) {
        long long by = k == 2 ? 100000000 : k == 1 ? 10000 : 1;
        int group = (int)(n / by % 10000);
        if (!group) {
            gap = begun;
            continue;
        }
        const char *words = numerals_zh_group(draw, group, !begun);
        bool zero = begun && gap && group >= 1000; // a whole group of zeros before this one
        text = skill_textf(draw, "%s%s%s%s", text, zero ? "零" : "", words, units[k]);
        begun = true;
        gap = false;
    }
    return text;
}

static const char *english_group(struct skill_draw *draw, int n) {
    static const char *const small[] = {"zero",    "one",     "two",       "three",    "four",
                                        "five",    "six",     "seven",     "eight",    "nine",
                                        "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                        "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
    static const char *const tens[] = {"",      "",      "twenty",  "thirty", "forty",
                                       "fifty", "sixty", "seventy", "eighty", "ninety"};
    if (n >= 100)
        return n % 100 ? skill_textf(draw, "%s hundred %s", small[n / 100],
                                     english_group(draw, n % 100))
                       : skill_textf(draw, "%s hundred", small[n / 100]);
    if (n < 20) return small[n];
    return n % 10 ? skill_textf(draw, "%s-%s", tens[n / 10], small[n % 10]) : tens[n / 10];
}

const char *numerals_en(struct skill_draw *draw, long long n) {
    static const char *const units[] = {"", " thousand", " million", " billion"};
    const char *text = "";
    if (!n) return "zero";
    for (int k = 3; k >= 0; k--) {
        long long by = k == 3 ? 1000000000 : k == 2 ? 1000000 : k == 1 ? 1000 : 1;
        int group = (int)(n / by % 1000);
        if (group)
            text = skill_textf(draw, "%s%s%s%s", text, *text ? " " : "", english_group(draw, group),
                               units[k]);
    }
    return text;
}

const char *numerals_decimal(struct skill_draw *draw, long long num, long long den) {
    int places = 0;
    const char *sign = num < 0 ? "-" : "";
    if (num < 0) num = -num;
    for (; den > 1 && num % 10 == 0; den /= 10)
        num /= 10;
    for (long long by = den; by > 1; by /= 10)
        places++;
    if (!places) return skill_textf(draw, "%s%lld", sign, num);
    return skill_textf(draw, "%s%lld.%0*lld", sign, num / den, places, num % den);
}
