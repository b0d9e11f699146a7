"""Neutral words of 25 languages besides Chinese and English: of Faker's texts (MIT) and of Unicode's emoji names."""

from functools import cache
from importlib import import_module
from typing import Final

import emoji
import regex

# Languages of the texts, as Faker names them, and of the emoji names.
_TEXTS: Final = """
    ar_AA bn_BD cs_CZ da_DK de_DE el_GR es_ES fa_IR fil_PH fr_FR he_IL hy_AM it_IT ja_JP mk_MK nl_NL pl_PL ru_RU th_TH
    uk_UA vi_VN
"""
_EMOJI_NAMES: Final = ("id", "ko", "pt", "tr")
# Languages that put no space between words.
UNSPACED: Final = frozenset(("ja_JP", "th_TH"))
_GENDERED: Final = """
    أم বাবা স্বামী babička bratr chlapec dcera dívka dědeček holka kluk král královna maminka manžel manželka
    matka muž máma otec paní pán sestra slečna syn tatínek táta žena datter søn bruder frau herr junge mama mann
    mutter mädchen oma opa papa schwester sohn vater hermano hija hijo hijos hombre hombres madre mujer mujeres
    niño niños padre rey señor señora برادر خانم خواهر دختر زن مادر مرد مردها پدر پسر ama babae dame femme fille
    fils frère garçon homme madame mari monsieur père roi կին հայր մայր տղամարդ bambina bambino donna figlia
    figlio fratello marito moglie ragazza ragazzo signora signore sorella uomo 彼 彼女 брат мајка сестра татко
    broer dochter jongen koning koningin man meisje mevrouw moeder vader vrouw zoon zus brat chłopak córka
    dziewczyna kobieta król królowa mąż mężczyzna ojciec pan pani panna siostra żona актриса парень сынок พ่อ
    แม่ แม่มด мати синок хлопець 공주 남성 남자 여성 여자 왕자 할머니 할아버지 homem menina menino mulher
    mulheres princesa príncipe anne baba erkek erkekler kadın kadınlar kız prens prenses ibu pangeran pria putri
    raja wanita
"""
_WORD: Final = regex.compile(r"\p{L}[\p{L}\p{M}]+")


@cache
def foreign_words() -> dict[str, list[str]]:
    """Return words by language, in lower case, without gendered ones."""
    texts = {each: import_module(f"faker.providers.lorem.{each}").Provider.word_list for each in _TEXTS.split()}
    names = {each: _emoji_names(each) for each in _EMOJI_NAMES}
    gendered = set(_GENDERED.split())
    return {
        language: sorted({word for word in map(str.lower, words) if _WORD.fullmatch(word)} - gendered)
        for language, words in (texts | names).items()
    }


def _emoji_names(language: str) -> list[str]:
    emoji.config.load_language(language)
    return [word for data in emoji.EMOJI_DATA.values() for word in _WORD.findall(data.get(language, ""))]
