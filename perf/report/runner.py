"""The command line of a package of experiments.

python -m PACKAGE NAME [options]    # measure one experiment
python -m PACKAGE report            # write the results document from the result files
"""

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from genderclient import GenderClientError
from server.catalog import Catalog, CatalogError
from server.errors import LaunchError
from server.launch.process import ROOT, StartError

from .charts import draw
from .experiment import Experiment, Measurement, MeasurementError
from .markdown import Document, goals_table, section

# What may go wrong while measuring: one message, exit code 1, no traceback.
ERRORS: Final = (MeasurementError, CatalogError, StartError, LaunchError, GenderClientError, psutil.Error, OSError)


def main(document: Document, arguments: Sequence[str] | None = None) -> None:
    """Run the subcommand that the command line names."""
    # Without a handler, SIGTERM would leave servers behind.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    args = _parser(document).parse_args(arguments)
    try:
        if args.experiment:
            _run(args.experiment, args)
        else:
            _write(document, args.results)
    except ERRORS as exc:
        sys.exit(f"{args.command}: {exc}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(experiment: Experiment, args: argparse.Namespace) -> None:
    """Measure one experiment, write its files, and print its section and its goals."""
    metadata = _run_metadata(args)
    measured = experiment.measure(args)
    experiment.write(Measurement(measured.rows, {**metadata, **measured.metadata}), args.results)
    measurement = experiment.read(args.results)
    draw(experiment, measurement, args.results)
    print(section(experiment, measurement), goals_table([(experiment, measurement)]), sep="\n")
    if failure := experiment.failure(measurement):
        sys.exit(f"{experiment.name}: {failure}")


def _write(document: Document, folder: Path) -> None:
    """Write the document and its charts from the results in `folder`."""
    (folder / document.file).write_text(document.markdown(folder), encoding="utf-8")
    for experiment in document.experiments:
        draw(experiment, experiment.read(folder), folder)


def _run_metadata(args: argparse.Namespace) -> dict[str, Any]:
    """Return the numeric options of a run, the load of the machine before it, and the versions of the gender models."""
    options = {name: value for name, value in vars(args).items() if isinstance(value, int | float)}
    catalog = Catalog(ROOT / "model_repository")
    served = {backbone: catalog.served_version(backbone) for backbone in catalog.backbones()}
    return {**options, "load_average_before": round(os.getloadavg()[0], 1), "served": served}


def _parser(document: Document) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {document.command}", description=document.introduction)
    commands = parser.add_subparsers(dest="command", metavar="NAME", required=True)
    for experiment in document.experiments:
        command = commands.add_parser(
            experiment.name,
            help=experiment.title,
            description=inspect.getdoc(type(experiment)),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--seed", type=int, default=1)
        experiment.add_arguments(command)
        command.set_defaults(experiment=experiment)
    report = commands.add_parser("report", help=f"write {document.file} from the result files")
    report.set_defaults(experiment=None)
    for command in commands.choices.values():
        command.add_argument("--results", type=Path, default=ROOT / "results", help="folder of the result files")
    return parser


def add_users(parser: argparse.ArgumentParser) -> None:
    """Add the option of an experiment that sends synthetic users."""
    parser.add_argument("--users", type=positive, default=256, help="number of distinct users")


def positive(text: str) -> int:
    """Parse an integer of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of 1 or more, got {text!r}")
    return int(text)
