"""`python -m perf.peers`."""

from .compare import main

main()
