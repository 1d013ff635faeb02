"""uv.lock: the version of each package, and which of them a project runs with."""

from collections.abc import Iterable
from typing import Any

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

from dvckit.core.errors import UserError, one_line
from dvckit.core.formats import read_toml
from dvckit.repository import shapes

UV_LOCK = "uv.lock"

Need = tuple[str, tuple[str, ...]]  # a package, with the extras that are asked for


class PackageLock:
    """The content of a uv.lock; UserError with the reason where it cannot be read. One that is not there is empty."""

    def __init__(self, content: bytes | None) -> None:
        self.lock: dict[str, Any] = shapes.fit(shapes.UV_LOCK, read_toml(content or b""))
        self.packages: list[dict[str, Any]] = self.lock.get("package", [])
        self.own = {entry["name"] for entry in self.packages if "registry" not in entry["source"]}

    @property
    def versions(self) -> dict[str, str]:
        """The version of every package; one package may have several."""
        by_name: dict[str, list[str]] = {}
        for entry in self.packages:
            by_name.setdefault(entry["name"], []).append(entry.get("version", "of this project"))
        return {name: ", ".join(sorted(versions)) for name, versions in by_name.items()}

    @property
    def sources(self) -> dict[str, str]:
        """The version of every package, and where it is from git, its address with the commit too."""
        addresses = {entry["name"]: entry["source"]["git"] for entry in self.packages if "git" in entry["source"]}
        return {name: f"{version} {addresses.get(name, '')}".rstrip() for name, version in self.versions.items()}

    def needed(self, *, here: bool = False) -> dict[str, str]:
        """Return the packages that the project runs with and their versions: no extra, no development group.

        With `here`, only those that this platform needs.
        """
        entries = {entry["name"]: entry for entry in self.packages}
        reached: set[Need] = set()
        waiting: set[Need] = {(name, ()) for name in self.own}
        while waiting:
            reached |= waiting
            needs = (need for name, extras in waiting for need in _needs(entries[name], extras, here=here))
            waiting = {need for need in needs if need[0] in entries} - reached
        return {
            name: entries[name].get("version", "unknown") for name in sorted({name for name, _ in reached} - self.own)
        }


def _needs(entry: dict[str, Any], extras: tuple[str, ...], *, here: bool) -> Iterable[Need]:
    needs = list(entry.get("dependencies", ()))
    needs += [need for extra in extras for need in entry.get("optional-dependencies", {}).get(extra, ())]
    for need in needs:
        if not here or "marker" not in need or _holds(need["marker"]):
            yield need["name"], tuple(need.get("extra", ()))


def _holds(marker: str) -> bool:
    """Whether this platform is one that a marker names; UserError where it is none."""
    try:
        return Marker(marker).evaluate()
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, RecursionError) as error:
        raise UserError(f"{UV_LOCK} has a wrong marker: {one_line(error)[:100]}") from None
