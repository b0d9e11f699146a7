"""Synthetic users: reproducible, honest about splits, and what they say they are."""

import sys
from collections import defaultdict
from pathlib import Path
from random import Random

import numpy as np
import pytest

from genderprep import prepare_image
from genderprep.contract import LABELS
from training.data import synthesize
from training.data.drawing import draw_default_avatar, draw_portrait, draw_scene
from training.data.folders import read_folders
from training.data.manifest import SPLITS, read_manifest
from training.data.nicknames import Names, compose_gendered, compose_neutral, own_names, read_names
from training.data.synthesize import drawn_avatars
from training.data.users import Avatar, write_nicknames, write_users


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def synthesize_into(folder: Path, seed: int) -> dict[str, bytes]:
    write_users(drawn_avatars(12, seed), own_names(), folder, seed)
    write_nicknames(40, own_names(), folder, seed)
    return content(folder)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, second = (synthesize_into(tmp_path / name, seed=4) for name in ("a", "b"))
    assert first == second
    assert len(first) == 14


def test_another_seed_draws_other_users(tmp_path: Path) -> None:
    first, second = (synthesize_into(tmp_path / str(seed), seed) for seed in (4, 5))
    assert first.keys() == second.keys()
    assert all(first[name] != second[name] for name in first)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["synthesize", "--count", "8", "--nicknames", "9", "--out", str(tmp_path)])
    synthesize.main()
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "manifest.csv"), str(tmp_path / "nicknames.csv")]
    users, nicknames = (read_manifest(tmp_path / f"{name}.csv") for name in ("manifest", "nicknames"))
    assert (len(users), len(nicknames)) == (8, 9)
    assert all(prepare_image(Path(avatar).read_bytes())[1] for avatar in users["avatar"])
    assert set(nicknames["avatar"]) == {""}
    assert set(users["gender"]) == set(nicknames["gender"]) == set(LABELS)


def test_nobody_is_in_two_splits(tmp_path: Path) -> None:
    people = [
        Avatar(f"person/{index}", "male", lambda dice, index=index: f"{index}".encode(), "people", copies=3)  # type: ignore[misc]
        for index in range(60)
    ]
    table = read_manifest(write_users(people, own_names(), tmp_path, seed=1))
    splits_of = defaultdict(set)
    for avatar, split in zip(table["avatar"], table["split"], strict=True):
        splits_of[Path(avatar).read_bytes()].add(split)
    assert len(table) == 180
    assert [len(splits) for splits in splits_of.values()] == [1] * 60
    assert set(table["split"]) == set(SPLITS)


def test_no_name_is_in_two_splits(tmp_path: Path) -> None:
    pool = [chr(0x4E00 + index) * 2 for index in range(600)]
    names = Names({gender: (pool, [1.0] * len(pool)) for gender in LABELS}, own_names().latin)
    table = read_manifest(write_nicknames(600, names, tmp_path, seed=1))
    seen = {
        split: {name for name in pool if table.loc[table["split"] == split, "nickname"].str.contains(name).any()}
        for split in SPLITS
    }
    assert all(seen.values())
    assert not seen["train"] & seen["validation"]
    assert not seen["train"] & seen["test"]
    assert not seen["validation"] & seen["test"]


def test_a_part_that_would_be_empty_stays_whole() -> None:
    names = own_names()
    assert names.part(lambda name: False) == names
    assert names.part(lambda name: name == "国强").han["male"] == (["国强"], [1.0])


def test_lists_of_names_are_read(tmp_path: Path) -> None:
    (tmp_path / "zh_full_names.csv").write_text("name,n_male,n_female\n王小明,3,1\n李四,2,0\n欧阳某某,9,9\n", "utf-8")
    (tmp_path / "latin_first_names.csv").write_text("name,gender\nJack,male\nLucy,female\n", "utf-8")
    names = read_names(tmp_path)
    assert names.han == {"male": (["小明", "四"], [3.0, 2.0]), "female": (["小明", "四"], [1.0, 0.0])}
    assert names.latin == {"male": ["Jack"], "female": ["Lucy"]}


def test_nicknames_differ_by_gender_and_repeat_by_seed() -> None:
    nicknames = {g: [compose_gendered(g, own_names(), Random(seed)) for seed in range(300)] for g in LABELS}
    assert nicknames["male"] == [compose_gendered("male", own_names(), Random(seed)) for seed in range(300)]
    assert len(set(nicknames["male"]) & set(nicknames["female"])) < 5
    assert all(compose_neutral(Random(seed)) for seed in range(300))


@pytest.mark.parametrize("gender", LABELS)
def test_portraits_repeat_by_seed(gender: str) -> None:
    assert draw_portrait(gender, 3).tobytes() == draw_portrait(gender, 3).tobytes()
    assert draw_portrait(gender, 3).tobytes() != draw_portrait(gender, 4).tobytes()


def test_drawings_are_colourful_squares() -> None:
    for image in (draw_portrait("male", 1), draw_scene(1)):
        assert (image.mode, image.size) == ("RGB", (512, 512))
        assert np.ptp(np.asarray(image).reshape(-1, 3), axis=1).max() > 20
    assert np.ptp(np.asarray(draw_default_avatar()), axis=2).max() == 0


def test_portrait_of_nobody() -> None:
    with pytest.raises(ValueError, match=r"gender is one of \('male', 'female'\), got 'unknown'"):
        draw_portrait("unknown", 1)


def test_folders_of_pictures_are_read(tmp_path: Path) -> None:
    def draw(file: str) -> None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        draw_scene(1).save(tmp_path / file)

    for file in (
        "faker_portraits/male/1.jpg",
        "faker_portraits/female/2.jpg",
        "fluent_emoji/1f469_1f3fb_200d_1f680.png",
        "fluent_emoji/1f469.png",
        "landscapes/lake_3.jpg",
    ):
        draw(file)
    labels = "file,label\n1f469_1f3fb_200d_1f680.png,female\n1f469.png,neutral\n"
    (tmp_path / "fluent_emoji/labels.csv").write_text(labels)
    found = {(avatar.identity, avatar.gender) for avatar in read_folders(tmp_path)}
    assert found == {
        ("faker/male/1", "male"),
        ("faker/female/2", "female"),
        ("emoji/1f469", "female"),
        ("emoji/1f469", ""),
        ("landscape/lake", ""),
    }
    assert all(prepare_image(avatar.encode(Random(1)))[1] for avatar in read_folders(tmp_path))


def test_no_folder_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none of the folders faker_portraits, us_congress"):
        read_folders(tmp_path)
