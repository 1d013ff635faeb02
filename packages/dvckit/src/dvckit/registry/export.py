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
from dvckit.registry.facts import facts
from dvckit.registry.tags import model_version
from dvckit.reports.templates import render
from dvckit.repository.revision import Revision
from dvckit.tasks.predictions import check_predictions

SPEC = "1.6"
LEARNED_FROM, SCORED_ON = "data/processed/train.parquet", "data/processed/holdout.parquet"


def export(root: Path, wanted: str, folder: Path) -> Path:
    """Write a version to `folder`/NAME_vX.Y.Z and return it, whole or not at all; UserError where that exists."""
    version = model_version(root, wanted)
    target = folder / f"{version.name}_{version.version}"
    if target.exists():
        raise UserError(f"{target} exists already; remove it, or name another folder")
    revision = version.revision(root)
    # the stages that it is in now are the registry's: they would change the bytes
    known = {key: value for key, value in facts(version, root).items() if key != "stages"}
    with_task = known | {"task": _task(revision)}
    model, card = revision.read(revision.model.path), revision.read(revision.model.card)
    if hashlib.sha256(model).hexdigest() != known["model"]["sha256"]:
        raise UserError(f"{revision.model.path} of {version.tag} is not the model that its model.json describes")
    file = Path(revision.model.path).name
    use = (revision.file(revision.model.intended_use) or b"").decode() if revision.model.intended_use else ""
    contents = {
        file: model,
        f"{file}.sha256": f"{known['model']['sha256']}  {file}\n".encode(),
        Path(revision.model.card).name: card,
        "metadata.json": _json(known),
        "README.md": model_card(with_task, file, use).encode(),
        "bom.json": _json(bill_of_materials(with_task)),
    }
    with scratch_folder(folder / f".{target.name}.tmp") as temporary:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        temporary.rename(target)
    return target


def _task(revision: Revision) -> str:
    """Return the kind of answer, as Hugging Face calls it, from the table of predictions."""
    path = revision.model.predictions
    if path is None:
        raise UserError(f"dvc.yaml {revision.where} names no table of predictions; register a version that has one")
    return check_predictions(revision.table(path), f"{path} {revision.where}").name


def _json(content: Any) -> bytes:
    return f"{json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def model_card(version: dict[str, Any], file: str, intended_use: str) -> str:
    """Return the model card as Markdown; `version` is what `facts` returns, with the task."""
    rows = {about["path"]: about["rows"] for about in version["data"]["files"]}
    return render(
        "registry/model_card.md.jinja",
        **version,
        front_matter=_yaml(_front_matter(version, file)),
        training_rows=rows[LEARNED_FROM],
        holdout_rows=rows[SCORED_ON],
        intended_use=intended_use,
        ends=lambda part, name: version["intervals"][part].get(name),
    )


def _front_matter(version: dict[str, Any], file: str) -> dict[str, Any]:
    """Return what Hugging Face reads of a model card: https://huggingface.co/docs/hub/model-cards."""
    scores = version["metrics"]["holdout"]
    result = {
        "task": {"type": version["task"]},
        "dataset": {"type": version["data"]["source"]["source"], "name": _data_name(version), "split": "holdout"},
        "metrics": [{"type": name, "value": value} for name, value in scores.items()],
    }
    return {
        "license": (version["license"] or "unknown").lower(),
        "library_name": "sklearn",
        "tags": ["sklearn", "skops", version["task"]],
        "pipeline_tag": version["task"],
        "model_format": "skops",
        "model_file": file,
        "metrics": list(scores),
        "model-index": [{"name": f"{version['name']} {version['version']}", "results": [result]}],
    }


def _data_name(version: dict[str, Any]) -> str:
    return f"{version['name']} data ({version['data']['source']['source']})"


def _yaml(content: dict[str, Any]) -> str:
    stream = StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(content, stream)
    return stream.getvalue()


def bill_of_materials(version: dict[str, Any]) -> dict[str, Any]:
    """Return the model, its data and the packages that it runs with as CycloneDX; `version` is what `facts` returns, with the task."""
    data = [_data_component(file) for file in version["data"]["files"]]
    libraries = [
        {"type": "library", "bom-ref": f"pkg:pypi/{name}@{version}", "name": name, "version": version}
        for name, version in version["packages"]["all"].items()
    ]
    parts = [*data, *({**library, "purl": library["bom-ref"]} for library in libraries)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, version['code']['commit'] + '/' + version['tag'])}",
        "version": 1,
        "metadata": {"timestamp": version["registered"]["when"], "component": _model_component(version)},
        "components": parts,
        "dependencies": [{"ref": version["tag"], "dependsOn": [part["bom-ref"] for part in parts]}],
    }


def _model_component(version: dict[str, Any]) -> dict[str, Any]:
    hashes = {"MD5": version["model"]["md5"], "SHA-256": version["model"]["sha256"]}
    code = version["code"]
    return {
        "type": "machine-learning-model",
        "bom-ref": version["tag"],
        "name": version["name"],
        "version": version["version"],
        "description": version["description"],
        "hashes": [{"alg": name, "content": value} for name, value in hashes.items()],
        **({"licenses": [{"expression": version["license"]}]} if version["license"] else {}),
        **({"externalReferences": [{"type": "vcs", "url": code["repository"]}]} if code["repository"] else {}),
        "modelCard": _cyclonedx_card(version),
        "properties": [{"name": "git:commit", "value": code["commit"]}],
    }


def _data_component(file: dict[str, Any]) -> dict[str, Any]:
    rows = [] if file["rows"] is None else [{"name": "rows", "value": str(file["rows"])}]
    return {
        "type": "data",
        "bom-ref": file["path"],
        "name": file["path"],
        "hashes": [{"alg": "MD5", "content": file["md5"]}],
        "data": [{"type": "dataset", "name": file["path"]}],
        "properties": rows,
    }


def _cyclonedx_card(version: dict[str, Any]) -> dict[str, Any]:
    params = {key: value for key, value in version["parameters"].items() if key.startswith("train.")}
    metrics = [
        {"type": name, "value": str(value), "slice": part, **_bounds(version["intervals"][part].get(name))}
        for part in ("holdout", "cv")
        for name, value in version["metrics"][part].items()
    ]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": version["task"],
            "architectureFamily": params["train.pipeline"],
            "datasets": [{"ref": path} for path in (LEARNED_FROM, SCORED_ON)],
            "inputs": [{"format": f"{name}: {kind}"} for name, kind in version["model"]["input"].items()],
            "outputs": [{"format": f"prediction of {version['target']}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "properties": [{"name": key, "value": json.dumps(value)} for key, value in params.items()],
    }


def _bounds(interval: dict[str, Any] | None) -> dict[str, Any]:
    if interval is None:
        return {}
    return {"confidenceInterval": {"lowerBound": str(interval["low"]), "upperBound": str(interval["high"])}}
