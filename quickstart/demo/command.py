"""Serve the demo page on loopback, with a Triton of its own, until stopped.

python -m quickstart.demo [--port 8080]     # make demo
"""

import argparse
import os
import sys
from typing import Final

import uvicorn

from server.catalog import Catalog, CatalogError
from server.errors import LaunchError
from server.launch.process import ROOT, StartError, check_free, exit_on_stop_signals, running_triton

from ..ports import port_number
from .app import build_app

REPOSITORY: Final = ROOT / "model_repository"
EXPLAIN_REPOSITORY: Final = ROOT / "explain_repository"
PORT: Final = 8080
DEFAULT_PORT: Final = 80
START_TIMEOUT_S: Final = 180.0


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="quickstart.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=port_number, default=PORT, help="default: %(default)s")
    port = parser.parse_args().port
    exit_on_stop_signals()
    try:
        serve(port)
    except (LaunchError, CatalogError) as exc:
        sys.exit(f"demo: {exc}")
    except StartError as exc:
        sys.exit(f"demo: {exc.reason}")


def serve(port: int) -> None:
    """Serve the page on this port until stopped."""
    check_free([port])
    catalog = Catalog(REPOSITORY, EXPLAIN_REPOSITORY)
    print("Starting Triton …", flush=True)
    more = f"--model-repository={os.path.relpath(EXPLAIN_REPOSITORY, ROOT)}"
    with running_triton(REPOSITORY, more, timeout_s=START_TIMEOUT_S) as server:
        # Browsers leave out the default port.
        hosts = [host if port == DEFAULT_PORT else f"{host}:{port}" for host in ("127.0.0.1", "localhost")]
        app = build_app(catalog, server.grpc_url, hosts)
        print(f"Open http://127.0.0.1:{port} in a browser; press Ctrl-C to stop.", flush=True)
        # Neither requests nor their bodies are logged.
        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, server_header=False)
