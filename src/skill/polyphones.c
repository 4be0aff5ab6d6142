#include "skill/polyphones.h"

#include <string.h>

#include "text/utf8.h"

static const char list[] =
    "一不阿挨艾把柏膀蚌薄堡暴背奔辟扁便别泊卜参藏曾差杈拆场长朝车称澄乘匙冲臭处畜揣传创绰刺攒答大呆"
    "逮单"
    "当挡倒得的地钉都读度囤垛恶发番分坊缝佛否服干杠葛给更供勾谷骨观冠龟柜过哈号好喝和荷横哄红侯糊华"
    "划化"
    "晃会混豁几济纪系夹假间监见将降浆嚼角脚教校结解尽劲禁经圈倔觉军卡看空壳可克宽坷拉落乐勒累擂俩量"
    "淋令"
    "溜笼露绿率论络埋脉蔓没闷蒙靡泌模摩磨抹哪那难宁弄女疟胖炮喷片漂屏迫仆铺曝栖奇其气强抢悄翘切亲区"
    "曲券"
    "雀任散丧色塞煞厦扇上少舍什甚省盛石识食似数刷说宿缩踏苔提挑帖通同吐拓瓦为委尾遗蔚文无吾兮吓夏鲜"
    "纤相"
    "巷肖削血熏咽殷要夜叶掖应佣与予雨语吁晕载脏扎炸择粘占涨丈着折这症正只中种重轴属转赚著桌琢作坐柞"
    "且行"
    "还万沈尺从王衣饮妻遂焉恶亡思胜治望教疏旋爪裳秘亚般番泷那衰创妨熬吭亨枪偏骑禅遗比被左右将间为朝"
    "调弹"
    "了着呢吗啊呀哇吧么个子头里面上下边儿家们过起来去见读合切奇单折核没弥吃迹";

bool polyphones_have(uint32_t code) {
    char bytes[UTF8_MAX + 1] = "";
    utf8_encode(code, bytes);
    for (const char *at = list; (at = strstr(at, bytes)); at++)
        if ((at - list) % 3 == 0) return true; // every character here has three bytes
    return false;
}
