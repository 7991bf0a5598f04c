"""What a run prints."""

from benchmark.verbs.telling import aligned, shown


def test_a_path_is_short_and_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a\nb" / "c") == "a\\nb/c"
    assert shown(tmp_path.parent / "d\re") == f"{tmp_path.parent}/d\\re"


def test_columns_are_as_wide_as_their_longest_text():
    rows = [
        ["", "0/0.5/0", "1"],
        ["decouple:kernel=5:groups=16", "28.41", "-"],
        ["dni", "9.10", "30.00"],
    ]
    assert aligned(rows) == [
        "                             0/0.5/0      1",
        "decouple:kernel=5:groups=16    28.41      -",
        "dni                             9.10  30.00",
    ]
