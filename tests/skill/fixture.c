#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"

static const char rhymes[] = "夜\t仄\t去声二十二祃\n"
                             "雨\t仄\t上声七麌,去声七遇\n"
                             "落\t仄\t入声十药\n"
                             "寒\t平\t上平十四寒\n"
                             "塘\t平\t下平七阳\n"
                             "鱼\t平\t上平六鱼\n"
                             "儿\t平\t上平四支,上平八齐\n"
                             "梦\t仄\t去声一送\n"
                             "水\t仄\t上声四纸\n"
                             "乡\t平\t下平七阳\n"
                             "金\t平\t下平十二侵\n"
                             "鳞\t平\t上平十一真\n"
                             "藏\tboth\t下平七阳,去声二十三漾\n"
                             "月\t仄\t入声六月\n"
                             "影\t仄\t上声二十三梗\n"
                             "一\t仄\t入声四质\n"
                             "跃\t仄\t入声十药\n"
                             "见\t仄\t去声十七霰\n"
                             "天\t平\t下平一先\n"
                             "光\t平\t下平七阳\n"
                             "中\tboth\t上平一东,去声一送\n"
                             "风\t平\t上平一东\n";

const char *fixture_data(void) {
    scratch_text("data/rhyme/pingshui.tsv", rhymes);
    return scratch_path("data");
}

const char *fixture_shared(void) {
    static const char path[] = JL_SOURCE_ROOT "/../shared/data";
    if (file_is_dir(path)) return path;
    print_message("SKIPPED: ../shared/data is absent\n");
    return NULL;
}
