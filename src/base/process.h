/* Processes by marks that survive them: whether the one that left a mark is still there. */
#ifndef JL_BASE_PROCESS_H
#define JL_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#define PROCESS_MARK_BYTES 160

/* "HOST PID START" of this process, START being when it began: numbers of processes come again. */
void process_mark(char out[PROCESS_MARK_BYTES]);

/* false where no such process is there any more. One of another host is taken to be there. */
bool process_is_alive(const char *mark);

#endif
