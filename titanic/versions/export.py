"""`titanic models export`: a version as a folder that stands for itself, the same bytes whenever and wherever it is made.

Model, sha256, signature (model.json), all that is known (metadata.json), a model card with the front matter that Hugging
Face reads (README.md), and a bill of materials in CycloneDX's JSON (bom.json).
"""

import hashlib
import json
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from ruamel.yaml import YAML

from titanic.config import MODEL, MODEL_CARD
from titanic.schema import TARGET
from titanic.stage import UserError, scratch_folder
from titanic.versions.facts import artifact, facts
from titanic.versions.tables import read_output
from titanic.versions.tags import find_version

SPEC = "1.6"
LEARNED_FROM, SCORED_ON = "data/processed/train.parquet", "data/processed/holdout.parquet"


def export(root: Path, wanted: str, folder: Path) -> Path:
    """Write a version to `folder`/NAME_vX.Y.Z and return it, whole or not at all; UserError where that is there."""
    version = find_version(root, artifact(root)[0], wanted)
    target = folder / f"{version.name}_{version.version}"
    if target.exists():
        raise UserError(f"{target} is there already; remove it, or name another folder")
    # where it is now is the registry's to tell: it would change the bytes
    told = {key: value for key, value in facts(root, version).items() if key != "stages"}
    model, card = (read_output(root, path.as_posix(), version.tag) for path in (MODEL, MODEL_CARD))
    if hashlib.sha256(model).hexdigest() != told["model"]["sha256"]:
        raise UserError(f"{MODEL} of {version.tag} is not the model that its {MODEL_CARD.name} describes")
    contents = {
        MODEL.name: model,
        f"{MODEL.name}.sha256": f"{told['model']['sha256']}  {MODEL.name}\n".encode(),
        MODEL_CARD.name: card,
        "metadata.json": _json(told),
        "README.md": model_card(told).encode(),
        "bom.json": _json(bill_of_materials(told)),
    }
    with scratch_folder(folder / f".{target.name}.tmp") as temporary:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        temporary.rename(target)
    return target


def _json(content: Any) -> bytes:
    return f"{json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def model_card(told: dict[str, Any]) -> str:
    """Return the model card as Markdown; `told` is what `facts` returns."""
    environment = Environment(  # noqa: S701 - Markdown
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    rows = {file["path"]: file["rows"] for file in told["data"]["files"]}
    return environment.get_template("model_card.md.jinja").render(
        **told,
        front_matter=_yaml(_front_matter(told)),
        training_rows=rows[LEARNED_FROM],
        holdout_rows=rows[SCORED_ON],
        target=TARGET,
        ends=lambda part, name: told["intervals"][part].get(name),
    )


def _front_matter(told: dict[str, Any]) -> dict[str, Any]:
    """Return what Hugging Face reads of a model card: https://huggingface.co/docs/hub/model-cards."""
    scores = told["metrics"]["holdout"]
    result = {
        "task": {"type": "tabular-classification"},
        "dataset": {"type": told["data"]["source"]["source"], "name": _data_name(told), "split": "holdout"},
        "metrics": [{"type": name, "value": value} for name, value in scores.items()],
    }
    return {
        "license": (told["license"] or "unknown").lower(),
        "library_name": "sklearn",
        "tags": ["sklearn", "skops", "tabular-classification"],
        "pipeline_tag": "tabular-classification",
        "model_format": "skops",
        "model_file": MODEL.name,
        "metrics": list(scores),
        "model-index": [{"name": f"{told['name']} {told['version']}", "results": [result]}],
    }


def _data_name(told: dict[str, Any]) -> str:
    return f"Titanic passenger list ({told['data']['source']['source']})"


def _yaml(content: dict[str, Any]) -> str:
    stream = StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(content, stream)
    return stream.getvalue()


def bill_of_materials(told: dict[str, Any]) -> dict[str, Any]:
    """Return the model, its data and the packages that it runs with as CycloneDX; `told` is what `facts` returns."""
    data = [_data_component(file) for file in told["data"]["files"]]
    libraries = [
        {"type": "library", "bom-ref": f"pkg:pypi/{name}@{version}", "name": name, "version": version}
        for name, version in told["packages"]["all"].items()
    ]
    parts = [*data, *({**library, "purl": library["bom-ref"]} for library in libraries)]
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, told['code']['commit'] + '/' + told['tag'])}",
        "version": 1,
        "metadata": {"timestamp": told["registered"]["when"], "component": _model_component(told)},
        "components": parts,
        "dependencies": [{"ref": told["tag"], "dependsOn": [part["bom-ref"] for part in parts]}],
    }


def _model_component(told: dict[str, Any]) -> dict[str, Any]:
    hashes = {"MD5": told["model"]["md5"], "SHA-256": told["model"]["sha256"]}
    code = told["code"]
    return {
        "type": "machine-learning-model",
        "bom-ref": told["tag"],
        "name": told["name"],
        "version": told["version"],
        "description": told["description"],
        "hashes": [{"alg": name, "content": value} for name, value in hashes.items()],
        **({"licenses": [{"expression": told["license"]}]} if told["license"] else {}),
        **({"externalReferences": [{"type": "vcs", "url": code["repository"]}]} if code["repository"] else {}),
        "modelCard": _cyclonedx_card(told),
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


def _cyclonedx_card(told: dict[str, Any]) -> dict[str, Any]:
    params = {key: value for key, value in told["parameters"].items() if key.startswith("train.")}
    metrics = [
        {"type": name, "value": str(value), "slice": part, **_bounds(told["intervals"][part].get(name))}
        for part in ("holdout", "cv")
        for name, value in told["metrics"][part].items()
    ]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "tabular-classification",
            "architectureFamily": params["train.pipeline"],
            "datasets": [{"ref": path} for path in (LEARNED_FROM, SCORED_ON)],
            "inputs": [{"format": f"{name}: {kind}"} for name, kind in told["model"]["input"].items()],
            "outputs": [{"format": f"chance of {TARGET} = 1: float"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "properties": [{"name": key, "value": json.dumps(value)} for key, value in params.items()],
    }


def _bounds(interval: dict[str, Any] | None) -> dict[str, Any]:
    if interval is None:
        return {}
    return {"confidenceInterval": {"lowerBound": str(interval["low"]), "upperBound": str(interval["high"])}}
