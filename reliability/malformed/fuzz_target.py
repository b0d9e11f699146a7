"""What libFuzzer runs: `python -m reliability.malformed.fuzz_target avatar|nickname FOLDER...`; `fuzz.py` starts it."""

import sys
import warnings

import atheris

# Instrumented as they are imported: our own code, and Pillow's parsers.
with atheris.instrument_imports(include=["genderprep", "PIL"]):
    from PIL import Image

    from genderprep import InvalidInput

    from .isolated_worker import PREPARE, SHAPES

    # Pillow's formats, which it would import later.
    Image.init()


def main() -> None:
    modality = sys.argv.pop(1)

    def prepare(content: bytes) -> None:
        try:
            array, present = PREPARE[modality](content)
        except InvalidInput:
            return
        assert (array.shape, array.dtype.name) == SHAPES[modality]
        assert isinstance(present, bool)

    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, prepare)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
