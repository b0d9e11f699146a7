"""What Prometheus sees of Triton and of an instrumented client."""
