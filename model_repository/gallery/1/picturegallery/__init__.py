"""The gallery of pictures: Triton loads this folder, and conversion and tests import the same folder."""
