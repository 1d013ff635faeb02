"""What a copy of the project shares with the user's own."""

from dvckit.sweep.pipeline import link


def test_a_link_leads_to_its_file_and_replaces_what_was_there(tmp_path):
    real, copy = tmp_path / "real.csv", tmp_path / "copy"
    real.write_text("mine")
    (copy / "data").mkdir(parents=True)
    (copy / "data/mine.csv").write_text("old")

    link(copy, {"data/mine.csv": str(real)}, copy)

    assert (copy / "data/mine.csv").is_symlink()
    assert (copy / "data/mine.csv").read_text() == "mine"


def test_a_users_files_in_a_linked_folder_survive(tmp_path):
    mine, copy = tmp_path / "mine", tmp_path / "copy"
    mine.mkdir()
    (mine / "train.csv").write_text("mine")

    link(copy, {"mine": str(mine)}, copy)
    link(copy, {"mine/train.csv": str(mine / "train.csv")}, copy)

    assert not (mine / "train.csv").is_symlink()
    assert (mine / "train.csv").read_text() == "mine"
