"""What Prometheus measures of Triton and of an instrumented client."""
