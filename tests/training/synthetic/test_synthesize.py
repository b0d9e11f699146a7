"""Synthetic users are reproducible, split by identity, and readable."""

import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

from genderprep import prepare_image
from genderprep.tensors import LABELS
from training.data.manifest import SPLITS, read_manifest, split_of
from training.synthetic import avatars, synthesize
from training.synthetic.avatars import Avatar, AvatarPool
from training.synthetic.drawing import draw_default_avatar, draw_portrait, draw_portrait_with_evidence, draw_scene
from training.synthetic.folders import read_folders
from training.synthetic.nicknames import builtin_names, read_names
from training.synthetic.strata import NO_SIGNAL, STRATA, certain_evidence
from training.synthetic.users import write_nicknames, write_users


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def synthesized(folder: Path, seed: int) -> dict[str, bytes]:
    write_users(12, AvatarPool(), builtin_names(), folder, seed)
    write_nicknames(40, builtin_names(), folder, seed)
    return content(folder)


def test_same_seed_gives_same_bytes(tmp_path: Path) -> None:
    first, second = (synthesized(tmp_path / name, seed=4) for name in ("a", "b"))
    assert first == second
    assert len(first) > 10


def test_another_seed_gives_other_users(tmp_path: Path) -> None:
    first, second = (set(synthesized(tmp_path / str(seed), seed).values()) for seed in (4, 5))
    assert not first & second


def test_command_writes_readable_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["synthesize", "--count", "30", "--nicknames", "9", "--out", str(tmp_path)])
    synthesize.main()
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "manifest.csv"), str(tmp_path / "nicknames.csv")]
    users, nicknames = (read_manifest(tmp_path / f"{name}.csv") for name in ("manifest", "nicknames"))
    assert (len(users), len(nicknames)) == (30, 9)
    assert all(prepare_image(Path(avatar).read_bytes())[1] for avatar in users["avatar"] if avatar)
    assert (users["source"] == "no avatar").tolist() == (users["avatar"] == "").tolist()
    assert set(nicknames["avatar"]) == {""}
    assert set(users["gender"]) == set(nicknames["gender"]) == set(LABELS)
    assert set(users["stratum"]) <= {stratum.name for stratum in STRATA}
    assert users["posterior"].between(0, 1).all()


def avatar(index: int, gender: str = "male", source: str = "people") -> Avatar:
    identity = f"{source}/{index}"
    encode = f"{index}".encode()
    return Avatar(identity, gender, lambda _: encode, source, certain_evidence(gender), split_of(identity))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let new drawings be one picture, drawn once."""
    portrait, scene = draw_portrait_with_evidence("male", 1), draw_scene(1)
    monkeypatch.setattr(avatars, "draw_portrait_with_evidence", lambda gender, seed: portrait)
    monkeypatch.setattr(avatars, "draw_scene", lambda seed: scene)


@pytest.mark.usefixtures("undrawn")
def test_identity_is_in_one_split() -> None:
    pool = AvatarPool([avatar(index) for index in range(20)])
    seen = {
        split: {each.identity for seed in range(150) if (each := pool.pick(split, "male", seed, Random(seed)))}
        for split in SPLITS
    }
    drawn = {split: {identity for identity in seen[split] if identity.startswith("drawn")} for split in SPLITS}
    real = {split: seen[split] - drawn[split] for split in SPLITS}
    assert sum(len(identities) for identities in real.values()) == len(set().union(*real.values())) == 20
    assert all(split_of(identity) == split for split in SPLITS for identity in real[split])
    assert 50 < len(drawn["train"]) < 100


def test_gender_without_images_is_drawn() -> None:
    pool = AvatarPool([avatar(index) for index in range(20)])
    drawn = pool.pick("train", "female", 7, Random(1))
    assert drawn
    assert (drawn.identity, drawn.gender, drawn.evidence.none) == ("drawn/7", "female", 0)


@pytest.mark.usefixtures("undrawn")
def test_neutral_user_may_have_no_avatar() -> None:
    picked = [AvatarPool().pick("train", "", seed, Random(seed)) for seed in range(200)]
    assert 8 < picked.count(None) < 40
    assert {avatar.evidence for avatar in picked if avatar} == {NO_SIGNAL}


def test_name_lists_are_read(tmp_path: Path) -> None:
    full = "name,n_male,n_female\n王小明,3,1\n李小明,0,1\n李四,1,0\n欧阳某某,9,9\n王时光,5,5\n"
    (tmp_path / "zh_full_names.csv").write_text(full, "utf-8")
    (tmp_path / "latin_first_names.csv").write_text("name,gender\nJack,male\nLucy,female\nEcho,female\n", "utf-8")
    names = read_names(tmp_path)
    # The neutral words 时光 and echo are not names.
    assert names.han == {"male": {"小明": 0.75, "四": 0.25}, "female": {"小明": 1.0}}
    assert names.latin == {"male": ["Jack"], "female": ["Lucy"]}


@pytest.mark.parametrize("gender", LABELS)
def test_portrait_depends_on_the_seed_only(gender: str) -> None:
    assert draw_portrait(gender, 3).tobytes() == draw_portrait(gender, 3).tobytes()
    assert draw_portrait(gender, 3).tobytes() != draw_portrait(gender, 4).tobytes()


def test_drawings_are_colorful_squares() -> None:
    for image in (draw_portrait("male", 1), draw_scene(1)):
        assert (image.mode, image.size) == ("RGB", (512, 512))
        assert np.ptp(np.asarray(image).reshape(-1, 3), axis=1).max() > 20
    assert np.ptp(np.asarray(draw_default_avatar()), axis=2).max() == 0


def test_portrait_needs_a_label() -> None:
    with pytest.raises(ValueError, match=r"expected gender to be one of \('male', 'female'\), got 'unknown'"):
        draw_portrait("unknown", 1)


def test_image_folders_are_read(tmp_path: Path) -> None:
    # The same picture would count once.
    for seed, file in enumerate(
        (
            "faker_portraits/male/1.jpg",
            "faker_portraits/female/2.jpg",
            "fluent_emoji/1f469_1f3fb_200d_1f680.png",
            "fluent_emoji/1f469.png",
            "landscapes/lake_3.jpg",
        )
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        draw_scene(seed).save(tmp_path / file)
    labels = "file,label\n1f469_1f3fb_200d_1f680.png,female\n1f469.png,neutral\n"
    (tmp_path / "fluent_emoji/labels.csv").write_text(labels)
    for folder in ("faker_portraits/male", "landscapes"):
        (tmp_path / folder / "._1.jpg").write_bytes(b"Mac OS X")
    found = read_folders(tmp_path)
    assert {(each.identity, each.gender) for each in found} == {
        ("faker/male/1", "male"),
        ("faker/female/2", "female"),
        ("emoji/astronaut", "female"),
        ("emoji/person", ""),
        ("landscape/lake", ""),
    }
    assert all(prepare_image(each.encode(Random(1)))[1] for each in found)


def test_missing_image_folders_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="or the folders faker_portraits, us_congress"):
        read_folders(tmp_path)
