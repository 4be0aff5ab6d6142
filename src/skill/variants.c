#include "skill/variants.h"

#include <string.h>

#include "text/utf8.h"

static const char pairs[] = "隠隐簷檐疎疏鴈雁頼赖鶑莺髪发徧遍浄净慙惭鬭斗粧妆鬰郁蘂蕊媿愧劒剑賸剩猨"
                            "猿嬾懒僊仙珮佩煖暖臯皋櫂棹髙高"
                            "鬬斗鼇鳌閙闹馿驴牋笺妬妒垅垄餠饼罇樽隄堤撚捻歛敛慇殷臞癯熳漫懃勤隣邻秪"
                            "只巵卮堦阶筯箸畧略鏁锁鳯凤彊强"
                            "袴裤鉏锄覩睹缾瓶虀齑褭袅飚飙穉稚邉边寛宽踈疏悮误髣仿髴佛磵涧懽欢檝楫毬"
                            "球欵款蹔暂潄漱秖只幙幕遯遁朶朵"
                            "栢柏犂犁廻回逈迥歳岁醆盏燄焰飜翻繙翻麤粗竝并蔕蒂様样峩峨壻婿驩欢暎映碁"
                            "棋薫熏毎每羮羹蕚萼蠧蠹怱匆憇憩"
                            "呌叫觧解盌碗顦憔顇悴桮杯疋匹裀茵姪侄嚬颦敧欹懐怀啣衔濶阔囘回逺远澣浣鼈"
                            "鳖搆构柂舵揜掩餽馈穏稳翺翱諠喧"
                            "怳恍荅答窻窗窓窗牕窗偪逼羇羁覊羁揺摇螘蚁煑煮鬪斗嶮险锺钟拏拿冐冒";

void variants_list(struct variants *out) {
    for (size_t i = 0; i + 1 < sizeof pairs; i += 6) { // two characters of three bytes each
        uint32_t from, to;
        utf8_decode(pairs + i, 3, &from);
        utf8_decode(pairs + i + 3, 3, &to);
        out->to[from] = (uint16_t)to;
    }
}

int variants_mend(const struct variants *variants, char *text, size_t len) {
    int n = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        int bytes = utf8_step(text + i, len - i, &code);
        if (bytes == 3 && code < 0x10000 && variants->to[code]) {
            utf8_encode(variants->to[code], text + i);
            n++;
        }
        i += (size_t)bytes;
    }
    return n;
}
