import json
import sys
from pathlib import Path

import pytest

from tests.support.training.stand_in import small_towers
from training.data.manifest import Manifest
from training.gender import throughput
from training.synthetic.nicknames import builtin_names
from training.synthetic.users import write_nicknames

pytestmark = pytest.mark.usefixtures("eager")

CONFIG = "from training.gender.config import Config\ndef get_config(): return Config(backbone='', epochs=1, batch=8)\n"


def test_throughput_command_writes_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "small.py").write_text(CONFIG)
    manifest = write_nicknames(150, builtin_names(), tmp_path, seed=1)
    monkeypatch.setattr(throughput, "measured_memory", lambda rows, batch, seed: {str(rows[0]): {"rows_per_s": 1}})
    run = ["--run", str(tmp_path / "small.py"), str(manifest)]
    monkeypatch.setattr(sys, "argv", ["throughput", *run, "--batches", "4", "--rows", "5", "--results", str(tmp_path)])
    with small_towers():
        throughput.main()
    written = json.loads((tmp_path / "data_scale.json").read_text())
    assert {"date", "machine", "seed"} <= written.keys()
    assert written["nickname_rows_without_model"] == {"5": {"rows_per_s": 1}}
    rates = written["rates"]["small"]
    assert rates.pop("manifest") == "nicknames.csv"
    assert len(rates) == 3 and all(rate > 0 for rate in rates.values())


def test_memory_reads_all_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "SHARD", 100)
    shards = throughput.write_shards(250, tmp_path / "shards", seed=1)
    assert len(list(shards.iterdir())) == 3
    assert Manifest(shards).stats.rows == {"train": 250, "validation": 0, "test": 0}
    measured = throughput.memory(shards, batch=50, seed=1)
    assert measured["rows_per_s"] > 0
    assert measured["mb_peak"] > 0.9 * measured["mb_before"] > 0
