"""Draw the pictures that `defects` chooses."""

from collections.abc import Callable
from io import BytesIO
from random import Random
from typing import Final

from PIL import Image

from genderprep.tensors import LABELS

from .card_styles import STYLES
from .card_themes import THEMES
from .cards import SIDE, compose_card, draw_card
from .defect_effects import blur, collage, empty_slot, error_page, lower_resolution, overlay_text
from .defect_motifs import MOTIFS, cutout
from .defects import PAGES, Picture
from .drawing import draw_portrait, draw_scene
from .rendering import draw_rendering

# Themes that stand alone, without a ground or a sky.
_SUBJECTS: Final = ("cat", "dog", "cake", "flowers", "hearts", "lanterns", "balloons", "coffee")
_SUBJECT_STYLES: Final = ("flat", "watercolor", "dark", "pastel")


def draw(picture: Picture) -> Image.Image:
    """Draw a picture, RGB, 256 × 256."""
    if picture.layout in PAGES:
        return {"empty_slot": empty_slot, "error_page": error_page}[picture.layout](picture.rng("page"))
    return spoil(_LAYOUT[picture.layout](picture), picture)


def spoil(image: Image.Image, picture: Picture) -> Image.Image:
    """Add a picture's text, motif and lack of quality to the image below them, RGB, 256 × 256."""
    if picture.text:
        image = overlay_text(image, picture.rng("text"))
    if picture.motif:
        image = _with_motif(image, picture)
    effects = {"blurred": blur, "low_resolution": lower_resolution}
    return effects[picture.quality](image, picture.rng("quality")) if picture.quality else image


def encode(picture: Picture) -> bytes:
    """Draw a picture as JPEG."""
    return to_jpeg(draw(picture), picture)


def to_jpeg(image: Image.Image, picture: Picture) -> bytes:
    """Return the image of a picture as JPEG, in the picture's quality."""
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=picture.rng("jpeg").randint(60, 95))
    return buffer.getvalue()


def _plain(picture: Picture) -> Image.Image:
    return _base(picture.base, picture.base_seed)


def _base(base: str, seed: int) -> Image.Image:
    if base == "card":
        return draw_card(compose_card(seed))
    if base == "rendering":
        return draw_rendering(seed).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    drawn = draw_scene(seed) if base == "scene" else draw_portrait(LABELS[seed % 2], seed)
    return drawn.reduce(drawn.width // SIDE)


def _collage(picture: Picture) -> Image.Image:
    rng = picture.rng("collage")
    return collage([_base(picture.base, rng.getrandbits(48)) for _ in range(rng.randint(2, 4))], rng)


def _on_background(picture: Picture) -> Image.Image:
    """A subject on white, or on another plain color."""
    rng = picture.rng("background")
    channels = [rng.randint(30, 235) for _ in range(3)]
    plain = (255,) * 3 if picture.layout == "white_background" else (channels[0], channels[1], channels[2])
    image, share = Image.new("RGB", (SIDE, SIDE), plain), rng.uniform(0.6, 0.9)
    _paste(image, _subject(rng.choice(_SUBJECTS), rng), (0.5, 0.5), share)
    return image


def _several_subjects(picture: Picture) -> Image.Image:
    """Two to four different subjects side by side, on the sky of a card."""
    rng = picture.rng("subjects")
    themes = rng.sample(_SUBJECTS, rng.randint(2, 4))
    image = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, tuple(rng.randint(120, 255) for _ in range(3))), 0.8)
    places = [(0.27, 0.27), (0.73, 0.73), (0.73, 0.27), (0.27, 0.73)]
    for theme, (x, y) in zip(themes, places[:2] if len(themes) == 2 else places, strict=False):
        _paste(image, _subject(theme, rng), (x, y), rng.uniform(0.36, 0.5))
    return image


def _subject(theme: str, rng: Random) -> Image.Image:
    """A theme on its own, transparent around it, in one of the styles."""
    subject = cutout(THEMES[theme], f"subject/{rng.getrandbits(48)}").reduce(2)
    styled = STYLES[rng.choice(_SUBJECT_STYLES)](subject.convert("RGB"), rng)
    styled.putalpha(subject.getchannel("A"))
    return styled


def _with_motif(image: Image.Image, picture: Picture) -> Image.Image:
    """Draw a motif somewhere, turned and small."""
    rng = picture.rng("motif")
    motif = cutout(MOTIFS[picture.motif], f"motif/{picture.motif}/{picture.design}").reduce(2)
    motif = motif.rotate(rng.uniform(-180, 180), Image.Resampling.BILINEAR, expand=True)
    marked = image.copy()
    _paste(marked, motif, (rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)), rng.uniform(0.25, 0.5))
    return marked


def _paste(image: Image.Image, part: Image.Image, center: tuple[float, float], share: float) -> None:
    """Paste a transparent part; its longer side is a share of the image's side."""
    scale = share * SIDE / max(part.size)
    small = part.resize((max(1, round(scale * part.width)), max(1, round(scale * part.height))), Image.Resampling.BOX)
    corner = (round(center[0] * SIDE - small.width / 2), round(center[1] * SIDE - small.height / 2))
    image.paste(small, corner, small)


_LAYOUT: Final[dict[str, Callable[[Picture], Image.Image]]] = {
    "plain": _plain,
    "collage": _collage,
    "white_background": _on_background,
    "solid_background": _on_background,
    "several_subjects": _several_subjects,
}
