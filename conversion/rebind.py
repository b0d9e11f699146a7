"""Bind published weights to the preprocessing of this checkout, whose digest has changed.

    python -m conversion.rebind

Use it only where pixels and tokens are the same as those that the weights were trained with. The digest in each served
ONNX file, in `preprocess/config.pbtxt` and the checksums are rewritten; `make test` then compares the answers of the
served models with stored ones.
"""

import argparse
import re
from pathlib import Path
from typing import Final

import onnx

from genderprep import check_probes, prep_digest
from genderprep.digest import METADATA_KEY
from server.catalog import Catalog
from server.checksums import record

from .export import stamp

ROOT: Final = Path(__file__).resolve().parents[1]


def rebind(repository: Path) -> None:
    """Write the digest of this checkout's preprocessing into every ensemble's weights and its preprocessing's config.

    Args:
        repository: A model repository; each backbone's stable ensemble is rebound.

    Raises:
        PrepMismatch: The probe pictures come out otherwise than stored.
    """
    check_probes()
    catalog, digest = Catalog(repository), prep_digest()
    for backbone in catalog.backbones():
        file = catalog.served_onnx(backbone)
        model = onnx.load(file)
        stamp(model, {METADATA_KEY: digest})
        onnx.save(model, file)
        record(file, file, repository)
        version = catalog.ensemble(backbone).steps["preprocess"]
        config = repository / "preprocess" / "config.pbtxt"
        declared = re.compile(rf'(key: "{METADATA_KEY}_{version}"\s+value {{ string_value: ")[0-9a-f]{{64}}')
        config.write_text(declared.sub(rf"\g<1>{digest}", config.read_text(encoding="utf-8")), encoding="utf-8")
        record(config, config, repository)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    rebind(parser.parse_args().repository)


if __name__ == "__main__":
    main()
