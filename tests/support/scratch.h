/* A private folder for one test program: made on first use, removed by scratch_remove. */
#ifndef JL_TESTS_SUPPORT_SCRATCH_H
#define JL_TESTS_SUPPORT_SCRATCH_H

#include <stddef.h>

const char *scratch_dir(void);
/* Full path of a name inside; folders on the way are made. The last 8 results stay valid. */
const char *scratch_path(const char *name);
void scratch_write(const char *name, const void *bytes, size_t size);
void scratch_text(const char *name, const char *text);
int scratch_entries(void); // files directly inside the folder
int scratch_folders(void); // folders directly inside
void scratch_remove(void);

#endif
