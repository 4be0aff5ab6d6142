/* Cases that are more than one character. */
#ifndef JL_TEXT_TEMPLATE_CASE_TABLE_H
#define JL_TEXT_TEMPLATE_CASE_TABLE_H

#include <stdint.h>

struct case_row {
    uint32_t code;
    uint32_t upper[3], title[3], lower[3]; // 0 behind the last
};
extern const struct case_row case_table_rows[]; // ascending
extern const int case_table_count;

#endif
