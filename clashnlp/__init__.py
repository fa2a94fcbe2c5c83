"""Who fought whom, who stands behind them, where, and at what cost: reads news reports about armed clashes.

>>> from clashnlp import ClashModel
>>> analysis = ClashModel.from_pretrained().predict("...")
>>> analysis.spans, analysis.relations
"""

from clashnlp.config import ModelConfig
from clashnlp.errors import ClashNLPError, DataError, MissingDependencyError, ModelError
from clashnlp.model import ClashModel
from clashnlp.schema import CLASH, Attribute, RelationType, Schema
from clashnlp.types import Analysis, Document, Relation, Span
from clashnlp.view import html as _html

__version__ = "0.1.0"

__all__ = [
    "CLASH",
    "Analysis",
    "Attribute",
    "ClashModel",
    "ClashNLPError",
    "DataError",
    "Document",
    "MissingDependencyError",
    "ModelConfig",
    "ModelError",
    "Relation",
    "RelationType",
    "Schema",
    "Span",
    "__version__",
]

# Notebooks show documents and analyses in colour. This stands here since types.py lies below view.py.
Document._repr_html_ = _html  # type: ignore[attr-defined]
