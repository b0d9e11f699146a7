"""Wrong labels by confident learning (Northcutt et al., 2021, https://arxiv.org/abs/1911.00068), to compare with.

    python -m venv /tmp/cleanlab && /tmp/cleanlab/bin/pip install cleanlab
    /tmp/cleanlab/bin/python training/curation/confident_learning.py runs/curation

cleanlab is under the AGPL: this program runs in an environment of its own, and nothing imports it. It reads labels and
out-of-fold probabilities that the loop has written, and writes which labels cleanlab flags; the next call of the loop
reports them.
"""

import sys
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues


def main(folder: Path) -> None:
    for file in sorted(folder.glob("seed_*/out_of_fold.npz")):
        with np.load(file) as judged:
            issues = find_label_issues(judged["given"], judged["p"], return_indices_ranked_by="self_confidence")
        np.savez(file.with_name("cleanlab.npz"), issues=issues)
        print(f"{file.parent.name}: {len(issues)} issues")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
