"""Own labels: named by a map, never guessed."""

import argparse
from pathlib import Path

import pandas as pd
import pytest

from training.data.labels import add_label_map
from training.data.manifest import Manifest, ManifestError


def write(folder: Path, kind: str, labels: list[object]) -> Path:
    table, file = pd.DataFrame({"nickname": "婷婷", "avatar": "", "gender": labels}), folder / f"a.{kind}"
    match kind:
        case "csv":
            table.to_csv(file, index=False)
        case "jsonl":
            table.to_json(file, orient="records", lines=True, force_ascii=False)
        case _:
            table.to_parquet(file)
    return file


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("labels", "names"),
    [(["男", "女"], ("男", "女")), (["M", "F"], ("M", "F")), ([1, 0], ("1", "0")), ([1.0, 0.0], ("1", "0"))],
)
def test_labels_are_mapped(tmp_path: Path, kind: str, labels: list[object], names: tuple[str, str]) -> None:
    if kind == "csv" and isinstance(labels[0], float):
        names = ("1.0", "0.0")
    label_map = dict(zip(names, ("male", "female"), strict=True))
    (table,) = Manifest(write(tmp_path, kind, labels), label_map=label_map).tables()
    assert table["gender"].tolist() == ["male", "female"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_unknown_labels_are_counted_and_not_shown(tmp_path: Path, kind: str) -> None:
    manifest = Manifest(write(tmp_path, kind, ["男", "女", "女", "male", "女士"]), label_map={"男": "male"})
    with pytest.raises(
        ManifestError, match=r"2 unknown labels in 3 rows; name each: --label-map LABEL=female"
    ) as error:
        list(manifest.tables())
    assert not {"男", "女", "婷"} & {*str(error.value)}


def test_option_collects_labels() -> None:
    parser = argparse.ArgumentParser()
    add_label_map(parser)
    arguments = parser.parse_args(["--label-map", "女=female", "--label-map", "a=b=male"])
    assert arguments.label_map == {"女": "female", "a=b": "male"}
    assert parser.parse_args([]).label_map == {}


@pytest.mark.parametrize("values", [["女"], ["女=woman"], ["=male"], ["male=female"], ["x=male", "x=female"]])
def test_invalid_option_is_refused(values: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_label_map(parser)
    with pytest.raises(SystemExit):
        parser.parse_args([part for value in values for part in ("--label-map", value)])
    assert "--label-map: expected" in capsys.readouterr().err
