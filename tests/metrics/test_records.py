"""Records of metrics."""

import subprocess
import sys

from benchmark import assets, tasks
from benchmark.metrics import records


def test_every_metric_of_every_task_has_a_record():
    for name in tasks.names():
        for metric in tasks.get(name).metrics:
            assert records.get(metric).id == metric


def test_an_id_pins_the_package_where_implementations_disagree():
    assert records.get("lpips-alex@lpips-0.1.4").package == ("lpips", "0.1.4")
    assert records.get("psnr-rgb").package is None
    # Its values are the package's, its code is not.
    assert records.get("niqe@pyiqa-0.1.16").package is None


def test_every_asset_that_a_metric_names_exists():
    named = {metric.asset for metric in records.METRICS.values()} - {None}
    assert named <= set(assets.ASSETS)


def test_records_states_and_sets_are_read_without_heavy_imports(tmp_path):
    code = (
        "import sys\n"
        "from benchmark import assets\n"
        "from benchmark.data import sources\n"
        "from benchmark.metrics import records, scorer\n"
        "assets.state('alexnet', offline=True)\n"
        "scorer.availability(records.METRICS, offline=True)\n"
        "sources.open_set('builtin', 'test')\n"
        "heavy = {'torch', 'lpips', 'pyiqa', 'datasets', 'skimage', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    environment = {"TORCH_HOME": str(tmp_path), "PATH": "", "DIALBENCH_WEIGHTS": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
