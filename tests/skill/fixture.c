#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"

/* ---- a few characters ---- */

static const struct character {
    const char *text, *group, *pinyin, *traditional;
} characters[] = {
    {"霜", "下平七阳", "shuāng", NULL},
    {"香", "下平七阳", "xiāng", NULL},
    {"塘", "下平七阳", "táng", NULL},
    {"乡", "下平七阳", "xiāng", "鄉"},
    {"光", "下平七阳", "guāng", NULL},
    {"芳", "下平七阳", "fāng", NULL},
    {"舟", "下平十一尤", "zhōu", NULL},
    {"秋", "下平十一尤", "qiū", NULL},
    {"楼", "下平十一尤", "lóu", "樓"},
    {"流", "下平十一尤", "liú", NULL},
    {"愁", "下平十一尤", "chóu", NULL},
    {"天", "下平一先", "tiān", NULL},
    {"年", "下平一先", "nián", NULL},
    {"烟", "下平一先", "yān", "煙"},
    {"泉", "下平一先", "quán", NULL},
    {"船", "下平一先", "chuán", NULL},
    {"声", "下平八庚", "shēng", "聲"},
    {"城", "下平八庚", "chéng", NULL},
    {"明", "下平八庚", "míng", NULL},
    {"清", "下平八庚", "qīng", NULL},
    {"晴", "下平八庚", "qíng", NULL},
    {"春", "上平十一真", "chūn", NULL},
    {"人", "上平十一真", "rén", NULL},
    {"尘", "上平十一真", "chén", "塵"},
    {"津", "上平十一真", "jīn", NULL},
    {"鳞", "上平十一真", "lín", "鱗"},
    {"风", "上平一东", "fēng", "風"},
    {"东", "上平一东", "dōng", "東"},
    {"红", "上平一东", "hóng", "紅"},
    {"鸿", "上平一东", "hóng", "鴻"},
    {"山", "上平十五删", "shān", NULL},
    {"江", "上平三江", "jiāng", NULL},
    {"花", "下平六麻", "huā", NULL},
    {"家", "下平六麻", "jiā", NULL},
    {"茶", "下平六麻", "chá", NULL},
    {"云", "上平十二文", "yún", NULL},
    {"寒", "上平十四寒", "hán", NULL},
    {"鱼", "上平六鱼", "yú", "魚"},
    {"书", "上平六鱼", "shū", "書"},
    {"金", "下平十二侵", "jīn", NULL},
    {"青", "下平九青", "qīng", NULL},
    {"星", "下平九青", "xīng", NULL},
    {"桥", "下平二萧", "qiáo", "橋"},
    {"潮", "下平二萧", "cháo", NULL},
    {"灯", "下平十蒸", "dēng", "燈"},
    {"溪", "上平八齐", "xī", NULL},
    {"松", "上平二冬", "sōng", NULL},
    {"梅", "上平十灰", "méi", NULL},
    {"月", "入声六月", "yuè", NULL},
    {"雪", "入声九屑", "xuě", NULL},
    {"水", "上声四纸", "shuǐ", NULL},
    {"雨", "上声七麌,去声七遇", "yǔ", NULL},
    {"露", "去声七遇", "lù", NULL},
    {"柳", "上声二十五有", "liǔ", NULL},
    {"竹", "入声一屋", "zhú", NULL},
    {"叶", "入声十六叶", "yè", "葉"},
    {"树", "去声七遇", "shù", "樹"},
    {"草", "上声十九皓", "cǎo", NULL},
    {"浪", "去声二十三漾", "làng", NULL},
    {"岸", "去声十五翰", "àn", NULL},
    {"石", "入声十一陌", "shí", NULL},
    {"谷", "入声一屋", "gǔ", NULL},
    {"寺", "去声四寘", "sì", NULL},
    {"鸟", "上声十七筱", "niǎo", "鳥"},
    {"鹤", "入声十药", "hè", "鶴"},
    {"酒", "上声二十五有", "jiǔ", NULL},
    {"笛", "入声十二锡", "dí", NULL},
    {"鼓", "上声七麌", "gǔ", NULL},
    {"火", "上声二十哿", "huǒ", NULL},
    {"夜", "去声二十二祃", "yè", NULL},
    {"梦", "去声一送", "mèng", "夢"},
    {"路", "去声七遇", "lù", NULL},
    {"影", "上声二十三梗", "yǐng", NULL},
    {"跃", "入声十药", "yuè", "躍"},
    {"藏", "下平七阳,去声二十三漾", "cáng", NULL},
    {"中", "上平一东,去声一送", "zhōng", NULL},
};
enum { N_CHARACTER = sizeof characters / sizeof characters[0] };

static bool is_level(const struct character *one) { return strstr(one->group, "平") != NULL; }
static bool is_oblique(const struct character *one) {
    return strstr(one->group, "声") != NULL; // 上声, 去声, 入声
}

/* ---- the tables ---- */

static void write_rows(const char *name, void (*row)(FILE *out, const struct character *one)) {
    FILE *out = fopen(scratch_path(name), "w");
    assert_non_null(out);
    for (int i = 0; i < N_CHARACTER; i++)
        row(out, &characters[i]);
    fclose(out);
}

static void rhyme_row(FILE *out, const struct character *one) {
    bool both = is_level(one) && is_oblique(one);
    fprintf(out, "%s\t%s\t%s\n", one->text,
            both            ? "both"
            : is_level(one) ? "平"
                            : "仄",
            one->group);
}

static void pinyin_row(FILE *out, const struct character *one) {
    fprintf(out, "%s\t%s\n", one->text, one->pinyin);
}

static void traditional_row(FILE *out, const struct character *one) {
    if (one->traditional) fprintf(out, "%s\t%s\n", one->text, one->traditional);
}

static void simplified_row(FILE *out, const struct character *one) {
    if (one->traditional) fprintf(out, "%s\t%s\n", one->traditional, one->text);
}

/* Words of the characters above: most do as idioms of a test. */
static void write_idioms(void) {
    FILE *out = fopen(scratch_path("data/idiom/chengyu.tsv"), "w");
    assert_non_null(out);
    fputs("山水花鸟\t900\n鸟语花香\t850\n鸟语\t800\n香车宝马\t750\n一二三四五\t700\n", out);
    for (int i = 0, n = 600; i < n; i++) {
        fputs(characters[i * 7 % N_CHARACTER].text, out);
        fputs(characters[(i * 13 + i / 9) % N_CHARACTER].text, out);
        fputs(characters[(i * 5 + i / 7) % N_CHARACTER].text, out);
        fprintf(out, "%s\t%d\n", characters[(i * 29 + i / 5) % N_CHARACTER].text, n - i);
    }
    fclose(out);
}

/* ---- verse that keeps the rules ---- */

static uint32_t state; // of the draws; set anew by each call of write_verse

static int draw(int n) {
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
}

static const char *draw_tone(bool level) {
    for (;;) {
        const struct character *one = &characters[draw(N_CHARACTER)];
        if (level ? is_level(one) : is_oblique(one)) return one->text;
    }
}

/* Words that begin lines, so that some are frequent enough to be themes. */
static const char *draw_word(bool level) {
    static const char *const words[2][4] = {{"明月", "江水", "寒夜", "春草"},
                                            {"春风", "青山", "秋江", "清溪"}};
    return words[level][draw(4)];
}

static void write_line(FILE *out, int n_char, bool second, bool last, const char *end) {
    fputs(draw_word(second), out);
    for (int k = 2; k < n_char - 1; k++)
        fputs(draw_tone(k % 2 ? second == (k % 4 == 1) : draw(2)), out);
    fputs(end ? end : draw_tone(last), out);
}

/* First characters of the five groups of five or six that rhyme. */
static void write_poem(FILE *out, int form, int number) {
    static const char *const names[] = {"五绝", "七绝", "五律", "七律"};
    static const int groups[] = {0, 6, 11, 16, 21};
    int n_line = form < 2 ? 4 : 8, n_char = form % 2 ? 7 : 5, group = groups[draw(5)];
    bool begin = draw(2);
    fprintf(out,
            "{\"form\":\"%s\",\"title\":\"%s%s%s\",\"author\":\"鱼%d\",\"dynasty\":\"宋\","
            "\"lines\":[",
            names[form], draw_tone(true), draw_tone(false), draw_tone(true), number);
    for (int i = 0; i < n_line; i++) {
        bool second = begin != (((i + 1) / 2) % 2 == 1), rhymes = i % 2 == 1;
        fputs(i ? ",\"" : "\"", out);
        write_line(out, n_char, second, rhymes,
                   rhymes ? characters[group + (i / 2 + number) % 5].text : NULL);
        fputs("\"", out);
    }
    fputs("],\"tune\":null,\"strict\":true}\n", out);
}

static void write_lyric(FILE *out, int number) {
    static const int shapes[2][4] = {{7, 5, 7, 5}, {5, 5, 7, 7}};
    fprintf(out,
            "{\"form\":\"词\",\"title\":\"鱼儿曲\",\"author\":\"鱼%d\",\"dynasty\":\"宋\","
            "\"lines\":[",
            number);
    for (int i = 0; i < 4; i++) {
        fputs(i ? ",\"" : "\"", out);
        write_line(out, shapes[number % 2][i], draw(2), draw(2), NULL);
        fputs("\"", out);
    }
    fputs("],\"tune\":\"鱼儿曲\",\"strict\":false,\"marks\":\"，。，。\"}\n", out);
}

static void write_verse(const char *name, int n, uint32_t seed) {
    FILE *out = fopen(scratch_path(name), "w");
    assert_non_null(out);
    state = seed;
    for (int i = 0; i < n; i++)
        if (i % 8 == 7)
            write_lyric(out, i);
        else
            write_poem(out, i % 4, i);
    fclose(out);
}

/* ---- prose ---- */

static void write_prose(void) {
    FILE *out = fopen(scratch_path("data/classical/classical.tsv"), "w");
    assert_non_null(out);
    for (int i = 0; i < 150; i++) {
        fprintf(out, "鱼书/卷%d\t", i);
        for (int k = 0; k < 5 + i % 90; k++)
            fprintf(out, "有鱼游于水，其数%d之%d。%s", i, k, k % 9 == 8 ? " " : "");
        fputs("鱼曰：水清矣！\n", out);
    }
    fclose(out);
    static const char *const names[] = {"alice", "andersen", "blue_fairy_book", "grimm"};
    for (int b = 0; b < 4; b++) {
        char name[64];
        snprintf(name, sizeof name, "data/tales/%s.txt", names[b]);
        out = fopen(scratch_path(name), "w");
        assert_non_null(out);
        for (int i = 0; i < 40; i++) {
            fprintf(out, "THE FISH OF %c%c\n\nThere was a fish--a small _one_.(1)\n\n", 'A' + b,
                    'A' + i % 26);
            for (int k = 0; k < 3 + i; k++)
                fprintf(out,
                        "It swam to St. John's pond\nand back again %d times %d. ‘Well!’ it\n"
                        "said.\n\n    A song of it\n     went on\n\n",
                        k, i + 40 * b);
            fputs("(1) From a pond.\n\n\n", out);
        }
        fclose(out);
    }
}

const char *fixture_data(void) {
    scratch_text("data/rhyme/x", "");
    scratch_text("data/hanzi/x", "");
    scratch_text("data/idiom/x", "");
    scratch_text("data/verse/x", "");
    scratch_text("data/classical/x", "");
    scratch_text("data/tales/x", "");
    write_rows("data/rhyme/pingshui.tsv", rhyme_row);
    write_rows("data/hanzi/pinyin.tsv", pinyin_row);
    write_rows("data/hanzi/s2t.tsv", traditional_row);
    write_rows("data/hanzi/t2s.tsv", simplified_row);
    write_idioms();
    write_verse("data/verse/train.jsonl", 1600, 1);
    write_verse("data/verse/heldout.jsonl", 400, 2);
    write_prose();
    return scratch_path("data");
}

const char *fixture_shared(void) {
    static const char path[] = JL_SOURCE_ROOT "/../shared/data";
    if (file_is_dir(path)) return path;
    print_message("SKIPPED: ../shared/data is absent\n");
    return NULL;
}
