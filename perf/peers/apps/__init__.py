"""The servers of the peers; each runs in its own environment, with `perf.load.predictor` and `genderprep`."""
