"""Load generators, workloads and baselines."""
