"""`dvckit models export`: a version as a folder of its own, the same bytes whenever and wherever it is made.

Model, sha256, signature (model.json), all that is known (metadata.json), a model card with the front matter that Hugging
Face reads (README.md), and a bill of materials in CycloneDX's JSON (bom.json).
"""

import hashlib
import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dvckit.core.errors import UserError
from dvckit.core.files import scratch_folder
from dvckit.core.mappings import plain
from dvckit.core.screen import visible
from dvckit.registry.facts import facts, scores
from dvckit.registry.tags import model_version
from dvckit.reports.templates import render
from dvckit.repository.revision import Revision
from dvckit.tasks.predictions import check_predictions

SPEC = "1.6"


def export(root: Path, selector: str, folder: Path) -> Path:
    """Write a version to `folder`/NAME_vX.Y.Z and return it, whole or not at all; UserError where that exists."""
    version = model_version(root, selector)
    target = folder / f"{version.name}_{version.version}"
    if target.exists():
        raise UserError(f"{target} exists already; remove it, or name another folder")
    # the stages that it is in now are the registry's: they would change the bytes
    metadata = {key: value for key, value in facts(version).items() if key != "stages"}
    revision, sha256 = version.revision, metadata["model"]["sha256"]
    task = _task(revision)
    model, card = revision.read(revision.model.path), revision.read(revision.model.card)
    if hashlib.sha256(model).hexdigest() != sha256:
        raise UserError(f"{revision.model.path} of {version.tag} is not the model that its model.json describes")
    file = Path(revision.model.path).name
    use = (
        (revision.file(revision.model.intended_use) or b"").decode(errors="replace")
        if revision.model.intended_use
        else ""
    )
    contents = {
        file: model,
        f"{file}.sha256": f"{sha256}  {file}\n".encode(),
        Path(revision.model.card).name: card,
        "metadata.json": _json(metadata),
        "README.md": model_card(metadata, task, file, use).encode(),
        "bom.json": _json(bill_of_materials(metadata, task)),
    }
    with scratch_folder(folder / f".{target.name}.tmp") as temporary:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        temporary.rename(target)
    return target


def _task(revision: Revision) -> str | None:
    """Return the kind of answer, as Hugging Face calls it, from the table of predictions; None where there is no such."""
    path = revision.model.predictions
    return path and check_predictions(revision.table(path), f"{path} {revision.where}").name


def _json(content: Any) -> bytes:
    return f"{json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def _tables(version: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the tables that the model was trained on and scored on; of one name, the processed one comes last."""
    by_name = {Path(file["path"]).stem: file for file in version["data"]["files"]}
    return {name: by_name[name] for name in ("train", "holdout") if name in by_name}


def model_card(version: dict[str, Any], task: str | None, file: str, intended_use: str) -> str:
    """Return the model card as Markdown; `version` is what `facts` returns."""
    stream, yaml = StringIO(), YAML()
    yaml.width = 1000
    yaml.dump(plain(_front_matter(version, task, file)), stream)
    return render(
        "registry/model_card.md.jinja",
        **version,
        front_matter=visible(stream.getvalue()),
        rows={name: table["rows"] for name, table in _tables(version).items()},
        intended_use=intended_use,
        scores=scores(version),
    )


def _front_matter(version: dict[str, Any], task: str | None, file: str) -> dict[str, Any]:
    """Return what Hugging Face reads of a model card: https://huggingface.co/docs/hub/model-cards."""
    holdout, data = version["metrics"]["holdout"], version["data"]
    result = {
        "task": {"type": task},
        "dataset": {"type": data["source"].get("source", "unknown"), "name": data["description"], "split": "holdout"},
        "metrics": [{"type": name, "value": value} for name, value in holdout.items()],
    }
    index = {"name": f"{version['name']} {version['version']}", "results": [result]}
    matter = {
        "license": (version["license"] or "unknown").lower(),
        "library_name": "sklearn",
        "tags": ["sklearn", "skops", task],
        "pipeline_tag": task,
        "model_format": "skops",
        "model_file": file,
        "metrics": list(holdout),
        "model-index": [index] if task else None,  # a result must name its task
    }
    return dict(_without_none(matter))


def _without_none(content: Any) -> Any:
    """Return nested mappings and lists without what is None."""
    if isinstance(content, dict):
        return {key: _without_none(value) for key, value in content.items() if value is not None}
    return [_without_none(item) for item in content if item is not None] if isinstance(content, list) else content


def bill_of_materials(version: dict[str, Any], task: str | None) -> dict[str, Any]:
    """Return the model, its data and the packages that it runs with as CycloneDX; `version` is what `facts` returns."""
    parts = [_data_component(file) for file in version["data"]["files"]]
    for name, number in version["packages"]["all"].items():
        purl = f"pkg:pypi/{name}@{number}"
        parts.append({"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl})
    bom = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, version['code']['commit'] + '/' + version['tag'])}",
        "version": 1,
        "metadata": {"timestamp": version["registered"]["when"], "component": _model_component(version, task)},
        "components": parts,
        "dependencies": [{"ref": version["tag"], "dependsOn": [part["bom-ref"] for part in parts]}],
    }
    return dict(_without_none(bom))


def _model_component(version: dict[str, Any], task: str | None) -> dict[str, Any]:
    code, model, licence = version["code"], version["model"], version["license"]
    return {
        "type": "machine-learning-model",
        "bom-ref": version["tag"],
        "name": version["name"],
        "version": version["version"],
        "description": version["description"],
        "hashes": [{"alg": "MD5", "content": model["md5"]}, {"alg": "SHA-256", "content": model["sha256"]}],
        "licenses": [{"expression": licence}] if licence else None,
        "externalReferences": [{"type": "vcs", "url": code["repository"]}] if code["repository"] else None,
        "modelCard": _cyclonedx_card(version, task),
        "properties": [{"name": "git:commit", "value": code["commit"]}],
    }


def _data_component(file: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": file["path"],
        "name": file["path"],
        "hashes": [{"alg": "MD5", "content": file["md5"]}],
        "data": [{"type": "dataset", "name": file["path"]}],
        "properties": [] if file["rows"] is None else [{"name": "rows", "value": str(file["rows"])}],
    }


def _cyclonedx_card(version: dict[str, Any], task: str | None) -> dict[str, Any]:
    params = {key: value for key, value in version["parameters"].items() if key.startswith("train.")}
    metrics = []
    for part, name, value, low, high in scores(version):
        if part != "baseline":
            interval = None if low is None else {"lowerBound": str(low), "upperBound": str(high)}
            metrics.append({"type": name, "value": str(value), "slice": part, "confidenceInterval": interval})
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": task,
            "architectureFamily": params.get("train.pipeline"),
            "datasets": [{"ref": table["path"]} for table in _tables(version).values()],
            "inputs": [{"format": f"{name}: {kind}"} for name, kind in version["model"]["input"].items()],
            "outputs": [{"format": f"prediction of {version['target']}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "properties": [{"name": key, "value": json.dumps(plain(value))} for key, value in params.items()],
    }
