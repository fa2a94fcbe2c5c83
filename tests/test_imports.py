"""The order of the files: no arrow points back, nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "clashnlp"
# A module may import those before it, and of its own line those that it needs.
ORDER = [
    "errors",
    "types",
    "schema",
    "config",
    "tokens",
    "windows",
    "batching",
    "spans",
    "relations",
    "numerals",
    "casualty_words",
    "casualties",
    "actors",
    "gazetteer",
    "places",
    "claims",
    "tolls",
    "clashes",
    "records",
    "rows",
    "store",
    "card",
    "network",
    "backends",
    "model",
    "formats",
    "mistakes",
    "evaluate",
    "near",
    "agreement",
    "check",
    "corpus",
    "split",
    "view",
    "plots",
    "report_html",
    "output",
    "jobs",
    "ray",
    "suggest",
    "training",
    "commands",
    "cli",
]
FILES = sorted(PACKAGE.rglob("*.py"))


def part(path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_follow_the_order(path):
    if path == PACKAGE / "__init__.py":
        return
    here = ORDER.index(part(path))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "clashnlp":
            names = [node.module] if node.module != "clashnlp" else [f"clashnlp.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("clashnlp")]
        for name in names:
            target = (name or "").split(".")[1]
            if target != "__version__":
                assert ORDER.index(target) <= here, f"{path} imports {name}, which stands behind it"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_files_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_prediction_on_a_cpu_needs_neither_torch_nor_transformers(untrained):
    code = (
        "import sys, clashnlp\n"
        "assert not {'torch', 'transformers', 'onnxruntime.quantization', 'huggingface_hub'} & set(sys.modules)\n"
        f"clashnlp.ClashModel.from_pretrained({str(untrained['wordpiece'])!r}).predict('Aleppo')\n"
        "import clashnlp.cli\n"
        "assert not {'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules), sorted(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_everything_that_is_announced_exists():
    import clashnlp

    for name in clashnlp.__all__:
        assert getattr(clashnlp, name) is not None
