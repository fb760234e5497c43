"""Pinyin as it is typed: with spaces or without, and how Latin letters fall into its syllables."""

from functools import lru_cache

_ALL = """
a ai an ang ao ba bai ban bang bao bei ben beng bi bian biang biao bie bin bing bo bu ca cai can cang cao ce cen ceng cha chai chan
chang chao che chen cheng chi chong chou chu chua chuai chuan chuang chui chun chuo ci cong cou cu cuan cui cun cuo da dai dan dang
dao de dei den deng di dia dian diao die ding diu dong dou du duan dui dun duo e ei en eng er fa fan fang fei fen feng fo fou fu ga
gai gan gang gao ge gei gen geng gong gou gu gua guai guan guang gui gun guo ha hai han hang hao he hei hen heng hong hou hu hua huai
huan huang hui hun huo ji jia jian jiang jiao jie jin jing jiong jiu ju juan jue jun ka kai kan kang kao ke ken keng kong kou ku kua
kuai kuan kuang kui kun kuo la lai lan lang lao le lei leng li lia lian liang liao lie lin ling liu lo long lou lu luan lun luo lv lve
ma mai man mang mao me mei men meng mi mian miao mie min ming miu mo mou mu na nai nan nang nao ne nei nen neng ni nian niang niao nie
nin ning niu nong nou nu nuan nuo nv nve o ou pa pai pan pang pao pei pen peng pi pian piao pie pin ping po pou pu qi qia qian qiang
qiao qie qin qing qiong qiu qu quan que qun ran rang rao re ren reng ri rong rou ru rua ruan rui run ruo sa sai san sang sao se sen
seng sha shai shan shang shao she shei shen sheng shi shou shu shua shuai shuan shuang shui shun shuo si song sou su suan sui sun suo
ta tai tan tang tao te teng ti tian tiao tie ting tong tou tu tuan tui tun tuo wa wai wan wang wei wen weng wo wu xi xia xian xiang
xiao xie xin xing xiong xiu xu xuan xue xun ya yan yang yao ye yi yin ying yo yong you yu yuan yue yun za zai zan zang zao ze zei zen
zeng zha zhai zhan zhang zhao zhe zhei zhen zheng zhi zhong zhou zhu zhua zhuai zhuan zhuang zhui zhun zhuo zi zong zou zu zuan zui
zun zuo
"""
SYLLABLES = frozenset(_ALL.split())
"""Every syllable of standard Chinese, without tones; ü is v, as it is typed."""
NEVER_FIRST = frozenset("iuv")
"""No syllable begins with these."""
_BEGINNINGS = frozenset(syllable[:end] for syllable in SYLLABLES for end in range(1, len(syllable) + 1))
_LONGEST = max(map(len, SYLLABLES))
LETTERS_MAX = 40
"""Longer runs of letters are not looked at: nobody types forty letters of pinyin without a space."""
PARSES_MAX = 2
"""So many ways to divide letters are looked for: xian is 先, and is 西安."""


@lru_cache(maxsize=4096)
def divided(letters: str) -> tuple[tuple[str, ...], ...]:
    """The ways in which letters fall into syllables altogether, the one with fewest first; nothing where they do not."""
    if not letters.isascii() or not letters.isalpha() or len(letters) > LETTERS_MAX:
        return ()
    found: list[list[tuple[str, ...]]] = [[()]]
    for end in range(1, len(letters) + 1):
        ways = [
            (*before, letters[start:end])
            for start in range(max(0, end - _LONGEST), end)
            if letters[start:end] in SYLLABLES
            for before in found[start]
        ]
        found.append(sorted(ways, key=len)[:PARSES_MAX])
    return tuple(found[-1])


@lru_cache(maxsize=4096)
def begun(letters: str) -> tuple[tuple[str, ...], ...]:
    """The ways in which letters fall into syllables of which the last may only have begun: `yang gu` of `yanggu`."""
    if not letters.isascii() or not letters.isalpha() or len(letters) > LETTERS_MAX:
        return ()
    found = [
        (*way, letters[start:])
        for start in range(max(0, len(letters) - _LONGEST), len(letters))
        if letters[start:] in _BEGINNINGS
        for way in (divided(letters[:start]) if start else ((),))
    ]
    return tuple(sorted(found, key=len)[:PARSES_MAX])
