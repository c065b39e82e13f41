"""Peak memory must not grow with the number of samples, and the command line must start at once.

    python benchmarks/memory.py [--few 500] [--many 5000]

Runs `merbench eval` (streamed, core x 5 severities, late-fusion) and `merbench corrupt` (audio and text
cells, one frame per clip) on few and on many synthetic samples, each in a process of its own, and
prints the peak resident memory; then the time of `--help` and `list corruptions`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

CODE = "from merbench.cli import main; main({!r})"


def peak(words: list[str], folder: str) -> float:
    """Return the peak resident memory of a command in MB."""
    pid = os.fork()
    if pid == 0:
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-c", CODE.format(words)])
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(words)} failed")
    return usage.ru_maxrss / 1024


def main() -> None:
    """Print the peaks and the times."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=int, default=500)
    parser.add_argument("--many", type=int, default=5000)
    arguments = parser.parse_args()
    cells = ["--corruption", "audio/environment", "--corruption", "text/typo"]
    commands = {
        "eval": ["eval", "--model", "late-fusion"],
        "corrupt": ["corrupt", "--frames", "1", *cells],
    }
    for name, words in commands.items():
        peaks = []
        for samples in (arguments.few, arguments.many):
            with tempfile.TemporaryDirectory() as folder:
                started = time.perf_counter()
                data = ["--dataset", f"synthetic:test={arguments.many}", "--limit", str(samples)]
                peaks.append(peak([*words, *data, "--out", "out"], folder))
                wall = time.perf_counter() - started
            print(f"{name}: {samples} samples, peak {peaks[-1]:.0f} MB, {wall:.0f} s")
        print(f"{name}: {arguments.many} / {arguments.few} samples: {peaks[1] / peaks[0]:.3f} (goal 1.10)")
    for words, goal in ((["--help"], 0.4), (["list", "corruptions"], 1.0)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", CODE.format(words)], capture_output=True, check=False)
            times.append(time.perf_counter() - started)
        print(f"merbench {' '.join(words)}: {sorted(times)[2]:.2f} s (goal {goal} s)")


if __name__ == "__main__":
    main()
