"""What does reading cost at the edges? A cold shell, a long text, a long stream, and the way from an analysis to records.

    python benchmarks/limits.py
    python benchmarks/limits.py --stream 100000

The stream is of short reports (one to three sentences): what is measured there is whether memory grows, not speed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent))
from reports import make_reports

from clashnlp import ClashModel, Document, gazetteer
from clashnlp.formats import read_documents
from clashnlp.records import read

EXAMPLES = Path(__file__).parents[1] / "examples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=int, default=2000, help="reports in the stream (default: 2000)")
    parser.add_argument("--data", nargs="+", metavar="FILE", help="reports to time records on (default: 200 that are put together)")
    options = parser.parse_args()
    cold()
    model = ClashModel.from_pretrained()
    stream(model, options.stream)
    records(model, [document for name in options.data for document in read_documents(name)] if options.data else make_reports(200, seed=2))
    long_text(model)


def cold() -> None:
    """One report by a new process, as a shell starts it."""
    report = next(path for path in sorted(EXAMPLES.rglob("*")) if path.suffix == ".txt")
    code = "import sys; from clashnlp.cli import main; main(['predict', sys.argv[1]])"
    code += "; print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    times, peaks = [], []
    for _ in range(5):
        begin = time.perf_counter()
        said = subprocess.run([sys.executable, "-c", code, str(report)], check=True, capture_output=True, text=True).stdout
        times.append(time.perf_counter() - begin)
        peaks.append(int(said.split()[-1]) / 1024)
    print(f"one report from a cold shell: {median(times):.2f} s (median of {len(times)}), {max(peaks):.0f} MB at most")


def long_text(model: ClashModel) -> None:
    """A text, and one that is ten times as long."""
    short = "\n".join(make_reports(40, seed=1))
    spent = []
    for text in (short, "\n".join([short] * 10)):
        begin = time.perf_counter()
        model.predict(text)
        spent.append(time.perf_counter() - begin)
    ratio = spent[1] / spent[0]
    print(f"a text of {len(short):,} characters: {spent[0]:.2f} s; ten times as long: {spent[1]:.2f} s, {ratio:.1f} times as much")


def records(model: ClashModel, reports: Sequence[str | Document]) -> None:
    """From analyses to clash records, the loading of the tables apart."""
    analyses = list(model.predict_many(reports))
    gazetteer.load()
    read(analyses[0])
    times = []
    for analysis in analyses[1:]:
        begin = time.perf_counter()
        read(analysis)
        times.append(1000 * (time.perf_counter() - begin))
    print(f"records of {len(times)} reports: {sum(times) / len(times):.1f} ms a report, the slowest {max(times):.1f} ms")


def stream(model: ClashModel, number: int) -> None:
    """Memory over a stream of reports that nobody keeps."""

    def reports() -> Iterator[str]:
        for at in range(0, number, 1000):
            yield from (report[:160] for report in make_reports(min(1000, number - at), seed=at))

    held = []
    for done, _ in enumerate(model.predict_many(reports()), start=1):
        if done % max(number // 10, 1) == 0:
            held.append(memory())
    print(f"{number:,} reports in a stream: {held[0]:.0f} MB after a tenth, then {max(held) - held[0]:+.0f} MB at most")


def memory() -> float:
    """What this process holds, in MB."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
