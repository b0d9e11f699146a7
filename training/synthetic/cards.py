r"""Draw greeting cards of known theme, style and title, from a seed.

    python -m training.synthetic.cards --count 7000 --out runs/cards

Writes `cards/*.png` and the manifest `cards.csv` with the columns picture, theme, style, title, greeting, card and
variation. Rows of one `card` show the same card drawn again.
"""

import argparse
import csv
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

import notojp_matplotlib
from PIL import Image, ImageDraw, ImageFont

from .card_styles import STYLES
from .card_themes import THEMES
from .card_titles import GREETINGS, compose_title
from .pen import CANVAS, Color, Pen

# The side of a card in pixels.
SIDE: Final = CANVAS // 2
# NotoSansJP has the characters of the greetings, and Latin letters.
_FONT: Final = next(Path(notojp_matplotlib.__file__).parent.rglob("*.[ot]tf"))


@dataclass(frozen=True)
class Card:
    """What a card shows. `greeting` is the text on it, empty on half of the cards."""

    seed: int
    theme: str
    style: str
    title: str
    greeting: str


def compose_card(seed: int) -> Card:
    """Choose a card; the seed determines it."""
    rng = Random(f"card/{seed}")
    theme, style = rng.choice(tuple(THEMES)), rng.choice(tuple(STYLES))
    language = rng.choice(("zh", "en"))
    greeting = rng.choice(GREETINGS[language]) if rng.random() < 0.5 else ""
    return Card(seed, theme, style, compose_title(theme, style, greeting, language, rng), greeting)


def draw_card(card: Card, variation: int = 0) -> Image.Image:
    """Draw a card, RGB, `SIDE` × `SIDE`.

    Another `variation` shows the same card drawn again: the same scene, moved, resized and tilted a little, in the
    same style.
    """
    rng, again = Random(f"scene/{card.seed}"), Random(f"scene/{card.seed}/{variation}")
    pen = Pen.on_gradient(_sky(rng), _sky(rng), rng)
    THEMES[card.theme](pen)
    scene = _moved(pen.image, again if variation else None).reduce(CANVAS // SIDE)
    styled = STYLES[card.style](scene, again)
    if card.greeting:
        _write(styled, card.greeting, rng)
    return styled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for cards.csv and cards/")
    parser.add_argument("--count", type=int, default=7000, help="number of cards")
    parser.add_argument("--variations", type=int, default=1, help="how often each card is drawn")
    parser.add_argument("--first", type=int, default=0, help="seed of the first card")
    args = parser.parse_args()
    print(write_cards(range(args.first, args.first + args.count), args.variations, args.out))


def write_cards(seeds: range, variations: int, out: Path) -> Path:
    """Write the cards of `seeds`, each drawn `variations` times, and return the manifest."""
    # Imported here, so that a card is drawn with the packages for serving alone.
    from tqdm import tqdm

    (out / "cards").mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in tqdm(seeds, desc="cards", unit="card"):
        card = compose_card(seed)
        about = {key: value for key, value in asdict(card).items() if key != "seed"}
        for variation in range(variations):
            picture = f"cards/{seed:06}_{variation}.png"
            draw_card(card, variation).save(out / picture)
            rows.append({"picture": picture, **about, "card": seed, "variation": variation})
    manifest = out / "cards.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return manifest


def _sky(rng: Random) -> Color:
    return (rng.randint(150, 255), rng.randint(150, 255), rng.randint(150, 255))


def _moved(scene: Image.Image, rng: Random | None) -> Image.Image:
    """Tilt and zoom a scene a little."""
    if rng is None:
        return scene
    tilted = scene.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC)
    side = CANVAS * rng.uniform(0.82, 0.92)
    x, y = (rng.uniform(0.3, 0.7) * (CANVAS - side) for _ in range(2))
    return tilted.resize(scene.size, Image.Resampling.BICUBIC, (x, y, x + side, y + side))


def _write(card: Image.Image, text: str, rng: Random) -> None:
    """Write a greeting at the top or at the bottom."""
    size, draw = rng.choice((20, 24, 28)), ImageDraw.Draw(card)
    position = (SIDE / 2, SIDE * rng.choice((0.1, 0.9)))
    ink, edge = rng.choice((((255, 255, 255), (60, 40, 40)), ((190, 40, 50), (255, 250, 240))))
    draw.text(position, text, ink, font(size), anchor="mm", stroke_width=2, stroke_fill=edge)


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of all drawn text."""
    return ImageFont.truetype(_FONT, size)


if __name__ == "__main__":
    main()
