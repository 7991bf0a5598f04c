"""Finding methods, baselines and backbones."""

import pytest

from benchmark import build
from benchmark.errors import JobError, UserError
from benchmark.registry import discovery

METHOD = """
from benchmark.method import ControlMethod, start_stage

class Mine(ControlMethod):
    def __init__(self, gain: float = 1.0):
        super().__init__()
        self.gain = gain

    def build(self, backbone, control):
        pass

    def stages(self, task):
        return [start_stage()]

    def forward(self, x, level):
        return self.backbone(x)
"""


@pytest.fixture
def file(tmp_path, request):
    # A name of its own, since a file is imported once per name.
    path = tmp_path / f"mine_{abs(hash(request.node.name))}.py"
    path.write_text(METHOD)
    return path


def test_every_default_method_is_found_and_usable():
    found = {entry.name: entry for entry in discovery.entries() if entry.group != "network"}
    for name in discovery.default_methods():
        assert found[name].error is None
        assert found[name].summary
        assert build.create_method(name) is not None


def test_options_reach_the_constructor():
    assert build.create_method("ftn:groups=4").groups == 4


@pytest.mark.parametrize(
    ("spec", "part"),
    [("ftm", "did you mean 'ftn'"), ("small", "unknown method"), ("ftn:group=4", "'groups'")],
)
def test_an_unknown_name_or_option_names_the_nearest(spec, part):
    with pytest.raises(UserError, match=part):
        build.create_method(spec)


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ("dni:apart=no", "dni:apart=no: give true or false"),
        ("experts:alone=1", "experts:alone=1: give true or false"),
        ("ftn:groups=2.5", "ftn:groups=2.5: give a whole number"),
        ("ftn:groups=true", "ftn:groups=True: give a whole number"),
        ("adafm:k=three", "adafm:k=three: give a whole number"),
        ("tunable_conv:expand=1e999", "tunable_conv:expand=inf: give a whole number"),
    ],
)
def test_an_option_of_another_kind_is_refused(spec, wanted):
    with pytest.raises(UserError, match=wanted):
        build.create_method(spec)


def test_an_annotation_says_that_a_whole_default_stands_for_any_number():
    assert build.create_method("cdncnn:sigma=12.5").sigma == 12.5
    with pytest.raises(UserError, match="cdncnn:sigma=low: give a number"):
        build.create_method("cdncnn:sigma=low")


@pytest.mark.parametrize("spec", ["ftn:groups=0", "ftn:groups=-4", "ftn:depth=0", "adafm:k=2"])
def test_an_option_out_of_range_says_what_is_needed(spec):
    with pytest.raises(UserError, match=f"^{spec}: .*(needs|must be)"):
        build.create_method(spec)


def test_whole_floats_and_texts_that_look_like_numbers_are_taken():
    assert build.create_method("ftn:groups=4.0").groups == 4
    assert len(build.create_backbone("nafnet:width=4:enc=1:mid=1:dec=1", 1).encoders) == 1
    with pytest.raises(UserError, match="blocks=-1: give a number that is not negative"):
        build.create_backbone("small:blocks=-1", 1)


def test_a_method_without_options_names_none_of_pythons_own():
    with pytest.raises(UserError, match="hypernet takes no options, but 'x' was given"):
        build.create_method("hypernet:x=1")


@pytest.mark.filterwarnings("error")
def test_a_backbone_without_channels_is_refused():
    with pytest.raises(UserError, match=r"width=0 has layers without channels .* larger numbers"):
        build.create_backbone("small:width=0", 1)


def test_a_backbone_is_built_with_scale_and_options():
    network = build.create_backbone("small:width=8:blocks=1", scale=2)
    assert sum(p.numel() for p in network.parameters()) > 0
    with pytest.raises(UserError, match="unknown backbone"):
        build.create_backbone("ftn", scale=1)


def test_a_method_can_come_from_a_file(file):
    assert build.create_method(f"{file.stem}:gain=2.5", file).gain == 2.5


@pytest.mark.parametrize("code", ["import nothing_like_it", "def broken(:", "x = 1", METHOD * 2])
def test_a_broken_file_is_a_failure_of_that_method_alone(file, code):
    file.write_text(code.replace("class Mine", "class Other", 1))
    if code == METHOD * 2:
        file.write_text(METHOD + METHOD.replace("class Mine", "class Other"))
    with pytest.raises(JobError):
        build.create_method(file.stem, file)


def test_listing_shows_what_a_file_cannot_import(file):
    file.write_text('"""Mine."""\nimport nothing_like_it\n')
    entry = discovery.read_entry(file, "method")
    assert (entry.summary, entry.error) == (
        "Mine.",
        "imports 'nothing_like_it', which is not installed",
    )


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.py"):
        build.create_method("nowhere", tmp_path / "nowhere.py")
