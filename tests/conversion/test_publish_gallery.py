import json
from pathlib import Path

import numpy as np
import pytest

from conversion import publish_gallery as module
from conversion.gallery_pictures import Picture, drawn_cards, listed_pictures
from conversion.gallery_screening import UnsuitablePictures
from conversion.publish_gallery import publish_gallery
from genderprep import PrepMismatch, prep_digest, prepare_image
from picturegallery.errors import GalleryError
from picturegallery.files import read_gallery
from server.checksums import check_files, record_all
from server.launch.process import StartError
from server.rollout.repository import Repository
from tests.support.pictures import encode, flat, noise
from tests.support.server.gender_models import edit
from tests.support.server.picture_models import add_encoder, add_screener, digest, served_screener, write_repository
from tests.support.tritonserver import running_triton
from training.data.bad_rows import ManifestError

PICTURES = [encode(noise(40 + row), "PNG") for row in range(4)]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = write_repository(tmp_path / "model_repository")
    record_all(folder)
    return folder


def test_published_version_has_vectors_code_and_digests(repository: Path) -> None:
    pictures = [Picture(PICTURES[0], "早安"), Picture(PICTURES[1], likes=3, shows=9)]
    folder, refused = publish_gallery(pictures, repository, about={"source": "test"})
    gallery = read_gallery(folder)
    assert (folder, refused) == (repository / "gallery" / "2", {})
    assert (gallery.ids.tolist(), gallery.titles, gallery.priors.tolist()) == ([1, 2], ["早安", ""], [[0, 0], [3, 9]])
    assert gallery.about == {"encoder_digest": digest(1), "prep_digest": prep_digest(), "source": "test"}
    expected = prepare_image(PICTURES[1])[0].reshape(-1)[:32].astype(float)
    np.testing.assert_allclose(gallery.vectors[1], expected / np.linalg.norm(expected), atol=1e-3)
    assert {file.name for file in folder.iterdir()} >= {"model.py", "picturegallery"}
    check_files(repository)


def test_bad_pictures_are_left_out_alone(repository: Path) -> None:
    white = encode(noise(64).point(lambda value: 255), "PNG")
    files = [PICTURES[0], b"hello", b"", white, PICTURES[1]]
    folder, refused = publish_gallery(map(Picture, files), repository)
    assert len(read_gallery(folder)) == 2
    assert refused.keys() == {1, 2, 3}
    assert "not an image" in refused[1]


def test_extended_version_keeps_pictures_and_numbers_new_ones(repository: Path) -> None:
    publish_gallery([Picture(PICTURES[0], id=2), Picture(PICTURES[1], "b")], repository)
    folder, _ = publish_gallery([Picture(PICTURES[2], "c")], repository, extended=2)
    before, gallery = read_gallery(repository / "gallery" / "2"), read_gallery(folder)
    assert (gallery.ids.tolist(), gallery.titles) == ([2, 1, 3], ["", "b", "c"])
    np.testing.assert_array_equal(gallery.vectors[:2], before.vectors)


def test_vectors_of_two_encoders_are_not_mixed(repository: Path) -> None:
    publish_gallery([Picture(PICTURES[0])], repository)
    add_encoder(repository, 2)
    message = "gallery 2 has vectors of the encoder 000000000000, but picture_encoder 2 is 000000000000; publish all"
    with pytest.raises(GalleryError, match=message):
        publish_gallery([Picture(PICTURES[1])], repository, extended=2, encoder_version=2)
    assert not (repository / "gallery" / "3").exists()


@pytest.mark.parametrize(
    ("files", "expected"),
    [([], "got none to publish"), ([b"hello"], "row 0: AVATAR: not an image")],
    ids=["empty", "no image"],
)
def test_gallery_without_pictures_is_refused(repository: Path, files: list[bytes], expected: str) -> None:
    with pytest.raises(GalleryError, match=expected):
        publish_gallery(map(Picture, files), repository)


def test_repeated_id_is_refused(repository: Path) -> None:
    with pytest.raises(GalleryError, match=r"ids\.npy of int64 \[N\], positive and distinct"):
        publish_gallery([Picture(file, id=7) for file in PICTURES], repository)
    assert not list((repository / "gallery").glob(".publish-*"))


def test_encoder_of_another_preprocessing_is_refused(repository: Path) -> None:
    add_encoder(repository, 1, prep_digest="0" * 64)
    with pytest.raises(PrepMismatch, match="belongs to another preprocessing"):
        publish_gallery([Picture(PICTURES[0])], repository)


def test_manifest_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    manifest = tmp_path / "pictures.csv"
    manifest.write_text("picture,title,id,likes,shows\na.png,早安,7,3,4\nb.png,,,,\n", encoding="utf-8")
    assert list(listed_pictures(manifest)) == [Picture(PICTURES[0], "早安", 7, 3.0, 4.0), Picture(b"")]


def test_manifest_may_have_long_titles_and_short_rows(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURES[0])
    manifest = tmp_path / "pictures.csv"
    manifest.write_text('title,picture\n"two\nlines",a.png\nsep\u2028arated,a.png\nalone\n', encoding="utf-8")
    pictures = list(listed_pictures(manifest))
    assert [each.title for each in pictures] == ["two\nlines", "sep\u2028arated", "alone"]
    assert [bool(each.encoded) for each in pictures] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file\na.png\n", "expected rows with the column picture, got 1 other columns"),
        ("picture,title\na,Hello, world\n", "row 0: expected as many values as columns; quote those with commas"),
        ("picture,id\na,x\n", "row 0: expected num"),
        ("picture,id\na,5\nb,5\n", "row 1: expected an id from 1 to .* that no other row has"),
        ("picture,id\na,99999999999999999999\n", "row 0: expected an id"),
        ("picture,id\na,0\n", "row 0: expected an id"),
        ("picture,likes,shows\na,3,2\n", "row 0: expected at most as many likes as shows"),
        ("picture,likes,shows\na,nan,2\n", "row 0: expected at most as many likes as shows"),
    ],
    ids=["columns", "commas", "number", "repeated", "huge", "zero", "likes", "nan"],
)
def test_bad_manifest_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "pictures.csv").write_text(text)
    with pytest.raises(ManifestError, match=expected):
        list(listed_pictures(tmp_path / "pictures.csv"))


def test_command_reports_rows_that_are_left_out(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository.parent / "a.png").write_bytes(PICTURES[0])
    manifest = repository.parent / "pictures.csv"
    manifest.write_text("picture\na.png\nmissing.png\n")
    monkeypatch.setattr("sys.argv", ["publish_gallery", f"--manifest={manifest}", f"--repository={repository}"])
    module.main()
    assert "row 1 is left out: no picture" in capsys.readouterr().out
    report = json.loads((repository.parent / "results" / "publish_gallery.json").read_text())
    assert (report["pictures"], list(report["left_out"]), report["encoder_digest"]) == (1, ["1"], digest(1))


@pytest.fixture
def screening(repository: Path) -> Path:
    """A repository whose screener refuses red and magenta pictures."""
    add_screener(repository)
    record_all(repository)
    return repository


def planted() -> list[Picture]:
    """Two good pictures, and two that the screener refuses."""
    red, magenta = (encode(flat(color), "PNG") for color in ((250, 20, 20), (250, 20, 250)))
    return [Picture(PICTURES[0], id=4), Picture(red, id=5), Picture(magenta, file="a<b>.png"), Picture(PICTURES[1])]


def test_gallery_with_unsuitable_pictures_is_refused(screening: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "unsuitable.html"
    with pytest.raises(UnsuitablePictures) as caught:
        publish_gallery(planted(), screening, sheet=sheet)
    assert str(caught.value).splitlines() == [
        "the screener refuses 2 pictures, so nothing is published:",
        "  row 1 (id 5): blurred 1.00",
        "  row 2 (a<b>.png): blurred 1.00, unsuitable 1.00",
        "leave them out by --drop-unsuitable, or pass --force",
    ]
    assert not (screening / "gallery" / "2").exists()
    page = sheet.read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 4
    assert "row 2 (a&lt;b&gt;.png)" in page
    assert "<strong>blurred 1.00, unsuitable 1.00</strong>" in page


def test_gallery_is_published_without_unsuitable_pictures(screening: Path, tmp_path: Path) -> None:
    folder, left_out = publish_gallery(planted(), screening, unsuitable="drop", sheet=tmp_path / "sheet.html")
    gallery = read_gallery(folder)
    assert gallery.ids.tolist() == [4, 1]
    assert left_out == {
        1: "the screener refuses it: blurred 1.00",
        2: "the screener refuses it: blurred 1.00, unsuitable 1.00",
    }
    assert (gallery.about["screener_version"], gallery.about["publish_gate"]) == (served_screener(), "passed")
    assert (tmp_path / "sheet.html").exists()


def test_forced_gallery_says_so_also_when_it_is_extended(screening: Path) -> None:
    folder, left_out = publish_gallery(planted(), screening, unsuitable="force")
    assert (len(read_gallery(folder)), left_out) == (4, {})
    assert Repository(screening).is_forced("gallery", 2)
    publish_gallery([Picture(PICTURES[2])], screening, extended=2)
    assert Repository(screening).is_forced("gallery", 3)


def test_suitable_pictures_need_no_sheet(screening: Path, tmp_path: Path) -> None:
    folder, _ = publish_gallery(map(Picture, PICTURES), screening, sheet=tmp_path / "sheet.html")
    assert read_gallery(folder).about["publish_gate"] == "passed"
    assert not (tmp_path / "sheet.html").exists()


def test_command_drops_unsuitable_pictures(
    screening: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, picture in enumerate(planted()):
        (tmp_path / f"{number}.png").write_bytes(picture.encoded)
    (tmp_path / "pictures.csv").write_text("picture\n0.png\n1.png\n")
    command = ["publish_gallery", f"--manifest={tmp_path}/pictures.csv", f"--repository={screening}"]
    sheet = tmp_path / "sheet.html"
    monkeypatch.setattr("sys.argv", [*command, f"--sheet={sheet}"])
    with pytest.raises(SystemExit, match=r"row 1 \(1\.png\): blurred"):
        module.main()
    monkeypatch.setattr("sys.argv", [*command, "--drop-unsuitable", f"--sheet={sheet}"])
    module.main()
    assert "row 1 is left out: the screener refuses it: blurred 1.00" in capsys.readouterr().out


def test_cards_are_drawn_again_from_their_seeds() -> None:
    assert list(drawn_cards(20003, 2)) == list(drawn_cards(20001, 4))[2:]


def test_triton_refuses_a_gallery_beside_another_encoder(repository: Path) -> None:
    folder, _ = publish_gallery(map(Picture, PICTURES), repository)
    for model in ("gallery", "similar"):
        edit(repository / model / "config.pbtxt", "versions: [ 1 ]", f"versions: [ {folder.name} ]")
    step = 'model_name: "gallery"\n      model_version: '
    edit(repository / "similar" / "config.pbtxt", f"{step}1", f"{step}{folder.name}")
    (repository / "similar" / "1").rename(repository / "similar" / folder.name)
    add_encoder(repository, 1, encoder_digest="ab" * 32)
    record_all(repository)
    message = "picture_encoder/1/model.onnx has the encoder abababababab, the vectors of gallery 2 are of 000000000000"
    with pytest.raises(StartError, match=message), running_triton(repository):
        pass
