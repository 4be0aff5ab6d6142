/* Whole numbers in words, and decimals. Texts last as long as the draw's task. */
#ifndef JL_SKILL_NUMERALS_H
#define JL_SKILL_NUMERALS_H

#include "skill/draw.h"

/* 0 to 999,999,999,999. 一百一十, 两 never; 十二, not 一十二, where a number begins with it. */
const char *numerals_zh(struct skill_draw *draw, long long n);
const char *numerals_en(struct skill_draw *draw, long long n); // without "and"

/* The four digits of one group, 0 to 9999, as it stands behind another one: 零七, 三百. */
const char *numerals_zh_group(struct skill_draw *draw, int n, bool first);

const char *numerals_zh_digit(int digit); // 0 to 9

/* num / den in as few digits as it has; den is 10^k. */
const char *numerals_decimal(struct skill_draw *draw, long long num, long long den);

#endif
