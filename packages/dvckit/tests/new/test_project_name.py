import pytest

from dvckit.core.errors import UserError
from dvckit.new.project_name import check_name, package_of


@pytest.mark.parametrize("name", ["iris", "My_Project", "my.project", "titanic", "a1"])
def test_a_name_that_pypi_and_python_allow_will_do(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "fault", "suggestion"),
    [
        ("", "letters a to z", "my-project"),
        ("my project", "letters a to z", "my-project"),
        ("iris-", "letters a to z", "iris"),
        ("Überraschung", "letters a to z", "ueberraschung"),
        ("花", "letters a to z", "my-project"),
        ("iris\n", "letters a to z", "iris"),
        ("2024-sales", "cannot begin with a digit", "project-2024-sales"),
        ("class", "word of Python's", "class-project"),
        ("None", "word of Python's", "none-project"),
        ("json", "Python has a module json", "json-project"),
        ("test", "folder or module test", "test-project"),
        ("Data", "folder or module data", "data-project"),
        ("numpy", "numpy, which is installed", "numpy-project"),
        ("scikit.learn", "scikit_learn, which is installed", "scikit-learn-project"),
        ("dvckit", "dvckit, which is installed", "dvckit-project"),
    ],
)
def test_another_is_refused_with_one_that_would(name, fault, suggestion):
    with pytest.raises(UserError, match=fault) as error:
        check_name(name)

    assert str(error.value).endswith(f"; try {suggestion}")
    check_name(suggestion)


@pytest.mark.parametrize(("name", "package"), [("my-project", "my_project"), ("A.b--C", "a_b_c"), ("iris", "iris")])
def test_the_package_has_the_name_of_the_project(name, package):
    assert package_of(name) == package
