"""Which spans and relations does a UIMA CAS hold? XMI with its type system, or JSON CAS, as INCEpTION and DKPro exchange them.

Below the format stands what holds for every export of INCEpTION: which layers carry spans, who annotated what, tokens and sentences.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from clashnlp.errors import DataError
from clashnlp.formats.exchange import SPAN_FIELDS, Account, Link, OnError, beside, build, needed, note_losses, number, ordered, split_value
from clashnlp.formats.offsets import Extent, tokenize, touched
from clashnlp.formats.plain import decode
from clashnlp.formats.storage import Files, Names, open_files, part_name, stems, store
from clashnlp.tokens import sentence_of
from clashnlp.types import Document, Span

Labelled = tuple[str, dict[str, str], float | None]

SPAN_LAYER, RELATION_LAYER = "webanno.custom.ClashSpan", "webanno.custom.ClashRel"
_DKPRO = "de.tudarmstadt.ukp.dkpro.core.api."
_LINGUISTIC = (_DKPRO, "de.tudarmstadt.ukp.clarin.webanno.api.type.", "org.dkpro.core.api.", "uima.")
_ENTITY_LAYER = f"{_DKPRO}ner.type.NamedEntity"
_METADATA = f"{_DKPRO}metadata.type.DocumentMetaData"
_TOKEN, _SENTENCE = f"{_DKPRO}segmentation.type.Token", f"{_DKPRO}segmentation.type.Sentence"
_ANNOTATION, _DOCUMENT = "uima.tcas.Annotation", "uima.tcas.DocumentAnnotation"
_STRING, _DOUBLE = "uima.cas.String", "uima.cas.Double"
_PRIMITIVE = {f"uima.cas.{name}" for name in ("String", "Boolean", "Byte", "Short", "Integer", "Long", "Float", "Double")}
_NO_ATTRIBUTES = {"label", "score", "begin", "end", "sofa", "type", "self", "xmiID", "Governor", "Dependent"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSET = "x-unspecified"


def read(
    path: Path, *, account: Account, on_error: OnError, layers: Collection[str] | None = None, label: str | None = None
) -> Iterator[Document]:
    """The documents of an `.xmi` or `.json` file, or of a folder or zip of these, with zips inside, as INCEpTION exports projects.

    An XMI file needs the `TypeSystem.xml` of its export beside it or in a folder above. Slots of spans become relations, named by the role.

    `layers` are the layers to read, by full or last name; None for named entities and all that the project made itself. `label` is the
    feature that holds the label; None for `label`, else `value`, else the first. The others become attributes.

    Raises:
        MissingDependencyError: dkpro-cassis is not installed.
    """
    cassis = needed("cassis", extra="cas")
    files = open_files(path, (".xmi", ".json"), on_error, zips=True)
    for name, place, data in files.each(on_error):
        try:
            if name.lower().endswith(".json") and b'"%FEATURE_STRUCTURES"' not in data and files.root == str(path):
                account.drop("JSON files that are no CAS", name)
                continue
            cas, strange = _load(cassis, files, name, data)
            row_id, annotator, meta = _identity(cas, name)
            if annotator == "INITIAL_CAS":
                account.drop("states before any annotation (INITIAL_CAS)", name)
                continue
            for warning in strange:
                if not isinstance(warning, int):
                    account.drop(f"types that the type system lacks: {warning}", row_id)
            wrong = {offset for offset in strange if isinstance(offset, int)}
            if wrong:
                why = "lie outside the text or inside a character; XMI counts UTF-16 units, not code points; their annotations are left out"
                on_error(DataError(f"{place}: {len(wrong)} offsets {why}"))
            meta |= {"annotator": annotator} if annotator else {}
            yield replace(_document(cas, (row_id, wrong), account, layers, label), meta=meta)
        except DataError as error:
            on_error(DataError(f"{place}: {error}"))


def _load(cassis: Any, files: Files, name: str, data: bytes) -> tuple[Any, set[str | int]]:
    """The CAS, with the types that were not known and the offsets that are none."""
    types = next((files.read(found) for found in _type_systems(files, name)), None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            known = cassis.load_typesystem(io.BytesIO(_plain(types))) if types is not None else None
            if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
                embedded = b'"%TYPES"' in data
                cas = cassis.load_cas_from_json(decode(data, name), typesystem=known, merge_typesystem=embedded)
            elif known is None:
                raise DataError("the type system is missing; put the TypeSystem.xml of the export beside the file, or export JSON CAS")
            else:
                cas = cassis.load_cas_from_xmi(io.BytesIO(_plain(data)), typesystem=known, lenient=True)
        except DataError:
            raise
        except Exception as error:  # The library checks nothing, and fails in whatever way a damaged file makes it.
            raise DataError(f"is no CAS, or a damaged one ({error!r:.160}); export it again as UIMA CAS XMI 1.0 or JSON") from None
    strange: set[str | int] = set()
    for warning in caught:
        message = str(warning.message)
        offset = re.match(r"Not mapping \w+ offset \[(-?\d+)\]", message)
        kind = re.search(r"Type with name \[(.+?)\]", message)
        strange.add(int(offset[1]) if offset else kind[1] if kind else message)
    return cas, strange


def _type_systems(files: Files, name: str) -> Iterator[str]:
    """The names of the type systems that stand beside a file or in the folders above it, the nearest first."""
    by_folder = {PurePosixPath(known).parent: known for known in files.load if known.lower().rpartition("/")[2] == "typesystem.xml"}
    return (by_folder[folder] for folder in PurePosixPath(name).parents if folder in by_folder)


def _plain(data: bytes) -> bytes:
    """The bytes of an XML file that declares no entities, and in the one encoding in which that can be seen.

    Raises:
        DataError: it does.
    """
    text = decode(data, "the XML file")
    declared = re.match(r"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)", text)
    if (declared and declared[1].lower() not in ("utf-8", "utf8", "us-ascii")) or re.search(r"<!(DOCTYPE|ENTITY)", text):
        raise DataError("the XML file declares entities or an encoding other than UTF-8, as no export does; it is not read")
    return text.encode()


def _identity(cas: Any, name: str) -> tuple[str, str | None, dict[str, str]]:
    """Id, annotator and further meta data; INCEpTION notes the document as the title, and the annotator as the document's id."""
    row_id, annotator = identify(name)
    meta = next((fs for fs in cas.select_all_fs() if fs.type.name == _METADATA), None)
    title, own, collection = ((meta.get(key) if meta is not None else None) for key in ("documentTitle", "documentId", "collectionId"))
    further = {"collection": collection} if collection and collection != "clashnlp" else {}
    if title and own and collection and own != title:
        return title, own, further
    if annotator:
        return row_id, annotator, further
    return own or title or row_id, None, {**further, **({"title": title} if own and title and own != title else {})}


def _document(cas: Any, known: tuple[str, set[int]], account: Account, layers: Collection[str] | None, label: str | None) -> Document:
    row_id, wrong = known
    views = [cas.get_view(sofa.sofaID) for sofa in cas.sofas if sofa.sofaString is not None]
    if not views:
        raise DataError("holds no text; export it again")
    for view in views[1:]:
        account.drop("further views of a document", f"{row_id}/{view.get_sofa().sofaID}")
    text = views[0].sofa_string
    lang = None
    spans: dict[int, Span] = {}
    links, left = [], set()
    for fs in views[0].select_all_fs():
        features = {feature.name: feature for feature in fs.type.all_features}
        if "language" in features and cas.typesystem.is_instance_of(fs.type.name, _DOCUMENT):
            lang = lang or fs.get("language")
        elif not cas.typesystem.is_instance_of(fs.type.name, _ANNOTATION) or not is_wanted(fs.type.name, layers) or "next" in features:
            left.add(fs.type.name)
        elif "Governor" in features and "Dependent" in features:
            links.append(fs)
        elif (span := _span(fs, text, (row_id, wrong), account, label)) is not None:
            spans[fs.xmiID] = span
    for name in sorted(left - {_TOKEN, _SENTENCE, _DOCUMENT}):
        account.drop(f"layers that are not read: {name}", row_id)
    relations = [made for fs in links if (made := _link(fs, row_id, account, label)) is not None]
    relations += [made for fs in views[0].select_all_fs() if fs.xmiID in spans for made in _slots(fs, spans, row_id, account)]
    report = Document(text, row_id, lang=None if lang == _UNSET else lang)
    return build(report, spans.values(), relations, account)


def _values(fs: Any) -> tuple[dict[str, str | None], list[str]]:
    """The plain features of an annotation but its offsets and what INCEpTION keeps for itself, and the names of these features."""
    names = [one.name for one in fs.type.all_features if one.rangeType.name in _PRIMITIVE and one.name not in ("begin", "end")]
    names = [name for name in names if not name.startswith("i7n_")]
    values = {name: fs.get(name) for name in names}
    return {
        key: value if value is None else str(value).lower() if isinstance(value, bool) else str(value) for key, value in values.items()
    }, names


def _span(fs: Any, text: str, known: tuple[str, set[int]], account: Account, label: str | None) -> Span | None:
    row_id, wrong = known
    place = f"{row_id}/{fs.xmiID}"
    values, features = _values(fs)
    named = labelled(fs.type.name, values, features, label)
    if fs.begin is None or fs.end is None or not 0 <= fs.begin < fs.end <= len(text) or wrong & {fs.begin, fs.end}:
        account.drop("spans that are empty or outside the text", place)
        return None
    if named is None:
        account.drop("spans without a label", place)
        return None
    return Span(fs.begin, fs.end, named[0], text[fs.begin : fs.end], str(fs.xmiID), named[2], named[1])


def _link(fs: Any, row_id: str, account: Account, label: str | None) -> Link | None:
    values, features = _values(fs)
    named = labelled(fs.type.name, values, features, label)
    head, tail = (str(getattr(fs.get(end), "xmiID", "none")) for end in ("Governor", "Dependent"))
    return linked((head, tail), named, account, f"{row_id}/{fs.xmiID}")


def _slots(fs: Any, spans: Mapping[int, Span], row_id: str, account: Account) -> Iterator[Link]:
    for feature in fs.type.all_features:
        links = fs.get(feature.name)
        for link in getattr(links, "elements", links if isinstance(links, list) else None) or ():
            target = getattr(getattr(link, "target", None), "xmiID", -1)
            if target in spans:
                account.repair("slots of spans, read as relations", f"{row_id}/{fs.xmiID}")
            yield str(fs.xmiID), str(target), getattr(link, "role", None) or feature.name, None


def write(documents: Iterable[Document], path: Path, *, json: bool = False) -> Account:
    """What was written: into a folder or `.zip` with one `TypeSystem.xml`, or, for one document, an `.xmi` file with that beside it.

    With `json`, and for one document to a path that ends so, it is JSON CAS, which holds its types and needs no second file. Documents of
    annotators lie as INCEpTION exports them, and carry the tokens and sentences that it wants.

    Raises:
        MissingDependencyError: dkpro-cassis is not installed.
        DataError: there are several documents for one file.
    """
    account = Account()
    suffix = ".json" if json or path.suffix.lower() == ".json" else ".xmi"
    store(path, _files(needed("cassis", extra="cas"), stems(documents, path, suffix, account, file_stem), suffix, account))
    return account


def _files(cassis: Any, documents: Iterable[tuple[str, Document]], suffix: str, account: Account) -> Iterator[tuple[str, bytes]]:
    names: dict[str, None] = {}
    for stem, document in documents:
        note_losses(document, account, meta=("annotator",), lang=True, scores=True)
        held = [*(s.label for s in document.spans), *(v for s in document.spans for v in s.attributes.values()), str(document.id)]
        held += [*(r.label for r in document.relations), document.text, document.lang or "", str(document.meta.get("annotator", ""))]
        if suffix == ".xmi" and any(_NO_XML.search(value) for value in held):
            account.drop("documents with control characters, which XML cannot hold and JSON can", str(document.id))
            continue
        known = names_of_attributes(document, document.spans, account)
        names.update(dict.fromkeys(known))
        cas = _made(cassis, account.use(document), known)
        yield f"{stem}{suffix}", (cas.to_json() if suffix == ".json" else cas.to_xmi()).encode()
    if suffix == ".xmi":
        yield "TypeSystem.xml", _types(cassis, names).to_xml().encode()


def _types(cassis: Any, names: Iterable[str]) -> Any:
    """The types, with these attributes of spans; each document has its own, since those that are in use take no further attribute."""
    types = cassis.TypeSystem()
    types.create_type(_TOKEN, _ANNOTATION)
    types.create_type(_SENTENCE, _ANNOTATION)
    metadata = types.create_type(_METADATA, _DOCUMENT)
    for name in ("documentTitle", "documentId", "collectionId"):
        types.create_feature(metadata, name, _STRING)
    span, relation = types.create_type(SPAN_LAYER, _ANNOTATION), types.create_type(RELATION_LAYER, _ANNOTATION)
    for name in ("Governor", "Dependent"):
        types.create_feature(relation, name, span)
    for one in (span, relation):
        types.create_feature(one, "label", _STRING)
        types.create_feature(one, "score", _DOUBLE)
    for name in names:
        types.create_feature(span, name, _STRING)
    return types


def _made(cassis: Any, document: Document, known: list[str]) -> Any:
    types = _types(cassis, known)
    cas = cassis.Cas(typesystem=types, sofa_string=document.text, sofa_mime="text/plain")
    annotator = document.meta.get("annotator")
    named = {"documentTitle": str(document.id), "documentId": str(annotator) if annotator else str(document.id)}
    named.update({"collectionId": "clashnlp"} if annotator else {})
    cas.add(types.get_type(_METADATA)(begin=0, end=len(document.text), language=document.lang or _UNSET, **named))
    tokens = tokenize(document.text)
    for sentence in sentences_of(document.text, tokens, document.spans):
        cas.add(types.get_type(_SENTENCE)(begin=tokens[sentence[0]][0], end=tokens[sentence[-1]][1]))
    cas.add_all([types.get_type(_TOKEN)(begin=start, end=end) for start, end in tokens])
    layer = types.get_type(SPAN_LAYER)
    made = {}
    for span in ordered(document.spans):
        values = {name: value for name, value in span.attributes.items() if name in known}
        made[span.id] = layer(begin=span.start, end=span.end, label=span.label, score=span.score, **values)
        cas.add(made[span.id])
    for relation in document.relations:
        ends = {"Governor": made[relation.head.id], "Dependent": made[relation.tail.id]}
        at = {"begin": relation.tail.start, "end": relation.tail.end}
        cas.add(types.get_type(RELATION_LAYER)(**at, **ends, label=relation.label, score=relation.score))
    return cas


# What follows is shared with the other format of INCEpTION.


def identify(name: str) -> tuple[str, str | None]:
    """The id and annotator that the name of a file in an export of INCEpTION gives."""
    parts = PurePosixPath(name).parts
    for folder in ("annotation", "curation"):
        if folder in parts[:-2]:
            at = parts.index(folder)
            return parts[at + 1], parts[at + 2] if len(parts) > at + 3 else PurePosixPath(parts[at + 2]).stem
    return PurePosixPath(name).with_suffix("").as_posix(), None


def is_wanted(layer: str, layers: Collection[str] | None) -> bool:
    """Whether a layer is one to read: one of those named, or else no linguistic one but named entities."""
    if layers is not None:
        return layer in layers or layer.rpartition(".")[2] in layers
    return layer == _ENTITY_LAYER or not layer.startswith(_LINGUISTIC)


def label_feature(features: Collection[str], label: str | None) -> str | None:
    """The feature that holds the label; None where there are none, and the layer itself is the label."""
    return next((name for name in (label, "label", "value") if name in features), next(iter(features), None))


def labelled(layer: str, values: dict[str, str | None], features: Collection[str], label: str | None) -> Labelled | None:
    """Label, attributes and score of an annotation with these values; None where it has no label."""
    named = label_feature([name for name in features if name != "score"], label)
    found = values.get(named) if named else layer.rpartition(".")[2]
    if not found:
        return None
    base, extra = split_value(found)
    score = number(values.get("score"))
    rest = {key: value for key, value in values.items() if key != named and value is not None and (key != "score" or score is None)}
    return base, extra | beside(rest, SPAN_FIELDS), score


def linked(ends: tuple[str, str], named: Labelled | None, account: Account, place: str) -> Link | None:
    """The relation with this label between the spans of these ids; None, and counted, where it has no label."""
    if named is None:
        account.drop("relations without a label", place)
        return None
    if named[1]:
        account.drop("attributes of relations", place)
    return *ends, named[0], named[2]


def names_of_attributes(document: Document, spans: Iterable[Span], account: Account) -> list[str]:
    """The names of the spans' attributes that can be names of features."""
    kept = []
    for name in sorted({name for span in spans for name in span.attributes}):
        if re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) and name not in _NO_ATTRIBUTES:
            kept.append(name)
        else:
            account.drop(f"attributes whose name the format cannot hold: {name}", str(document.id))
    return kept


def file_stem(document: Document, names: Names) -> str:
    """The name of a document's file without suffix: as INCEpTION exports it, where there is an annotator."""
    if (who := document.meta.get("annotator")) is None:
        return names.of(document.id)
    return names.of(str(who).replace("/", "_"), f"annotation/{part_name(str(document.id))}/")


def sentences_of(text: str, tokens: list[Extent], spans: Iterable[Span]) -> list[list[int]]:
    """The numbers of the tokens of each sentence; sentences that a span crosses are one."""
    numbers = [int(one) for one in sentence_of(text, [start for start, _ in tokens])]
    joined: set[int] = set()
    for span in spans:
        joined.update(touched(span, tokens)[1:])
    sentences: list[list[int]] = []
    for at, own in enumerate(numbers):
        if at and (own == numbers[at - 1] or at in joined):
            sentences[-1].append(at)
        else:
            sentences.append([at])
    return sentences
