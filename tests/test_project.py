"""What must hold in this project as in every one."""

from dvckit.testing import ProjectTests
from titanic.project import PROJECT


class TestProject(ProjectTests):
    project = PROJECT
