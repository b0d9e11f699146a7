"""The target of libFuzzer: `python -m reliability.malformed.fuzz_target avatar|nickname FOLDER...`; see `fuzz.py`."""

import sys
import warnings

import atheris

# Only what is imported here is instrumented: our code and Pillow's parsers.
with atheris.instrument_imports(include=["genderprep", "PIL"]):
    from PIL import Image

    from genderprep import InvalidInput

    from .isolated_worker import PREPARE, SHAPES

    # Pillow imports its formats lazily.
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
