"""Starts the Triton of the `nvidia-pytriton` wheel, as this process or as a child."""
