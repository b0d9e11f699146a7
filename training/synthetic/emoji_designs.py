"""Name what an emoji shows, without gender, skin tone and artist, so that all its drawings are in one split."""

import re
from typing import Final

import emoji

_CODE_POINTS: Final = re.compile(r"[0-9a-f]{2,5}(?:[_-][0-9a-f]{2,5})*")
# Parts that vary a design: skin tones, and the hair that some sets add to every person.
_VARIANT: Final = re.compile(r"-(?:medium-)?(?:light|medium|dark)-skin-tone|(?<=.)-(?:red|white)-hair-sign$|-sign$")
# Designs that differ in gender or spelling only.
_SAME: Final = {
    **dict.fromkeys(("princess", "prince"), "prince"),
    **dict.fromkeys(("mrs-claus", "mx-claus"), "santa-claus"),
    **dict.fromkeys(("mermaid", "merman"), "merperson"),
    "blonde-hair": "blond-hair",
    "older": "old",
}
_PERSON: Final = frozenset(("man", "men", "woman", "women", "person", "people"))
_CHILD: Final = frozenset(("boy", "girl"))


def design_of(name: str) -> str:
    """Return the design of an emoji, given as its Unicode name or as code points.

    `man-fairy` -> `fairy`, `1f9da_1f3fb_200d_2640_fe0f` -> `fairy`, `girl` -> `child`.
    """
    if _CODE_POINTS.fullmatch(name):
        characters = "".join(chr(int(code, 16)) for code in re.split("[_-]", name))
        name = emoji.demojize(characters, language="en")
    slug = _VARIANT.sub("", re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))
    words = ["child" if word in _CHILD else word for word in slug.split("-") if word not in _PERSON]
    design = "-".join(words) or "person"
    return _SAME.get(design, design)
