"""Pictures of all sources together: who or what a picture shows is in one split."""

import os
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from training.data.manifest import split_of
from training.synthetic.emoji_designs import design_of
from training.synthetic.pack_pictures import SIDE, pack
from training.synthetic.pictures import COLUMNS, picture_split, read_pictures

GROUPS = {
    "faces_fairface": ["fairface/1", "fairface/1", "fairface/2"],
    "faces_uk_parliament": ["uk/1", "uk/2"],
    "cartoon_dicebear": ["micah/mrT", "micah/full", "lorelei/a", "lorelei/b"],
    "emoji": ["noto/man-fairy", "twemoji/woman-fairy", "blobmoji/1f9da_1f3fb", "streamline-emojis/fairy"],
    "neutral_flowers": ["flowers/1"],
}


def png(color: int = 0, side: int = 8, mode: str = "RGB") -> bytes:
    buffer = BytesIO()
    Image.new(mode, (side, side), color).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """All kinds of sources, in two folders."""
    images, avatars, colors = tmp_path / "images", tmp_path / "avatars", count()
    avatars.mkdir()
    for source, groups in GROUPS.items():
        rows = [{"avatar": png(next(colors)), "gender": "female", "group": group} for group in groups]
        table = pd.DataFrame(rows).assign(kind="photo", licence="", origin="", age="")
        table.to_parquet(avatars / f"{source}.parquet")
    for file in (
        *(
            "faker_portraits/female/1.jpg",
            "faker_portraits/male/1.jpg",
            "landscapes/lake_0.jpg",
            "landscapes/lake_1.jpg",
        ),
        *("us_congress/images/us-house__ann-lee.jpg", "us_congress/images/us-senate__ann-lee.jpg"),
        *("fluent_emoji/female/1f9da_1f3fb_200d_2640_fe0f.png", "fluent_emoji/neutral/1f338.png"),
    ):
        (images / file).parent.mkdir(parents=True, exist_ok=True)
        (images / file).write_bytes(png(next(colors)))
    people = "file,gender\nus-house__ann-lee.jpg,female\nus-senate__ann-lee.jpg,female\n"
    (images / "us_congress/labels.csv").write_text(people)
    emoji = "file,label\nfemale/1f9da_1f3fb_200d_2640_fe0f.png,female\nneutral/1f338.png,neutral\n"
    (images / "fluent_emoji/labels.csv").write_text(emoji)
    return [images, avatars]


def test_persons_designs_styles_and_photos_are_one_identity_each(sources: list[Path]) -> None:
    table = read_pictures(*sources)
    assert tuple(table.columns) == COLUMNS
    members = table.groupby("identity")["source"].agg(list).to_dict()
    assert members == {
        "faces_fairface/fairface/1": ["faces_fairface"] * 2,
        "faces_fairface/fairface/2": ["faces_fairface"],
        "faces_uk_parliament/uk/1": ["faces_uk_parliament"],
        "faces_uk_parliament/uk/2": ["faces_uk_parliament"],
        "cartoon_dicebear/micah": ["cartoon_dicebear"] * 2,
        "cartoon_dicebear/lorelei": ["cartoon_dicebear"] * 2,
        "emoji/fairy": ["fluent_emoji", "emoji", "emoji", "emoji"],
        "emoji/streamline-emojis": ["emoji"],
        "emoji/cherry-blossom": ["fluent_emoji"],
        "neutral_flowers/flowers/1": ["neutral_flowers"],
        "faker/female/1": ["faker_portraits"],
        "faker/male/1": ["faker_portraits"],
        "congress/ann-lee": ["us_congress"] * 2,
        "landscape/lake": ["landscapes"] * 2,
    }
    assert (table.groupby("identity")["split"].nunique() == 1).all()


def test_file_under_two_names_counts_once(sources: list[Path]) -> None:
    landscapes = sources[0] / "landscapes"
    (landscapes / "sea_0.jpg").write_bytes((landscapes / "lake_0.jpg").read_bytes())
    identities = read_pictures(*sources)["identity"]
    assert "landscape/sea" not in {*identities}
    assert (identities == "landscape/lake").sum() == 2


def test_unseen_sources_are_tested_where_earlier_weights_did_not_see_them() -> None:
    people = [f"faces_uk_parliament/uk/{number}" for number in range(100)]
    splits = {person: picture_split(person) for person in people}
    assert {*splits.values()} == {"test", ""}
    assert [person for person in people if splits[person]] == [p for p in people if split_of(p) == "test"]


def test_renders_are_train_rows() -> None:
    assert {picture_split(f"render_makehuman/{number}") for number in range(100)} == {"train"}


@pytest.mark.skipif("PICTURES" not in os.environ, reason="PICTURES names no folders of real pictures")
def test_no_identity_of_the_real_sources_is_in_two_splits() -> None:
    table = read_pictures(*map(Path, os.environ["PICTURES"].split(os.pathsep)))
    assert (table.groupby("identity")["split"].nunique() == 1).all()
    assert table["avatar"].is_unique


@pytest.mark.parametrize(
    ("names", "design"),
    [
        (("man-fairy", "woman-fairy-medium-dark-skin-tone", "1f9da_1f3fb_200d_2640_fe0f"), "fairy"),
        (("man", "woman", "person", "1f468-1f3fb"), "person"),
        (("boy", "girl"), "child"),
        (("mermaid", "merman", "merperson"), "merperson"),
        (("man-cook-red-hair-sign", "woman-cook"), "cook"),
        (("man-red-hair",), "red-hair"),
        (("cherry-blossom", "1f338"), "cherry-blossom"),
    ],
)
def test_design_of_an_emoji(names: tuple[str, ...], design: str) -> None:
    assert {design_of(name) for name in names} == {design}


def test_large_picture_is_packed_smaller_and_keeps_transparency() -> None:
    large = pack(png(side=300)), pack(png(side=300, mode="RGBA"))
    with Image.open(BytesIO(large[0])) as photo, Image.open(BytesIO(large[1])) as drawing:
        assert (photo.format, photo.size, photo.mode) == ("WEBP", (SIDE, SIDE), "RGB")
        assert (drawing.size, drawing.mode) == ((SIDE, SIDE), "RGBA")


def test_small_picture_is_packed_unchanged() -> None:
    assert pack(png()) == png()


def without_columns(folder: Path) -> None:
    pd.DataFrame({"avatar": [b""]}).to_parquet(folder / "faces.parquet")


@pytest.mark.parametrize(
    ("write", "error", "message"),
    [
        (lambda folder: None, FileNotFoundError, r"expected \.parquet files or the folders faker_portraits"),
        (without_columns, ValueError, r"faces\.parquet: expected the columns avatar, .*, missing gender, group"),
    ],
    ids=["nothing", "columns"],
)
def test_unusable_folder_is_refused(
    tmp_path: Path, write: Callable[[Path], None], error: type[Exception], message: str
) -> None:
    write(tmp_path)
    with pytest.raises(error, match=message):
        read_pictures(tmp_path)
