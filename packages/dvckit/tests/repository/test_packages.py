from dvckit.repository.packages import PackageLock

LOCK = b"""
[[package]]
name = "project"
source = { editable = "." }
dependencies = [{ name = "a", extra = ["x"] }, { name = "b", marker = "os_name == ''" }]

[[package]]
name = "a"
version = "1"
source = { registry = "pypi" }
dependencies = [{ name = "c" }]

[package.optional-dependencies]
x = [{ name = "d" }]
y = [{ name = "e" }]
"""
OTHERS = "".join(f'[[package]]\nname = "{name}"\nversion = "2"\nsource = {{ registry = "pypi" }}\n' for name in "bcde")


def test_what_a_package_needs_under_its_extra_is_needed():
    lock = PackageLock(LOCK + OTHERS.encode())

    assert lock.needed(here=True) == {"a": "1", "c": "2", "d": "2"}
    assert lock.needed() == {"a": "1", "b": "2", "c": "2", "d": "2"}
