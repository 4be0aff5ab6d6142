/* Word problems as data: what is told, which numbers there are, and the equations that lead on. */
#ifndef JL_SKILL_STORY_H
#define JL_SKILL_STORY_H

#define STORY_MOST_PHRASES 3

/* Numbers are letters a to z. In phrases {a} to {d} are numbers of the story, {e} and {f} people,
 * {g} a thing that is counted (in Chinese with its measure word: 个苹果), {h} its measure word and
 * {i} its name in Chinese. */
struct story_tale {
    const char *zh[STORY_MOST_PHRASES], *en[STORY_MOST_PHRASES]; // NULL: no more
    const char *draw;                                            // "a2-9 b3-12": from, to
    const char *make;  // "c=a*b d=c+5": numbers that follow from these; may be empty
    const char *think; // the same: the lines of the thought; the last one is the answer
};

extern const struct story_tale story_tales[]; // ends with a NULL draw

#endif
