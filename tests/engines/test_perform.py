"""What every process does before it works."""

import os
import subprocess
import sys


def test_blas_has_one_thread_also_in_libraries_that_are_loaded_later():
    code = (
        "from benchmark.engines.perform import settle; settle(2);"
        "import numpy, scipy.linalg, threadpoolctl, torch;"
        "found = [one for one in threadpoolctl.threadpool_info() if one['user_api'] == 'blas'];"
        "assert found and {one['num_threads'] for one in found} == {1}, found;"
        "assert torch.get_num_threads() == 2;"
        "assert not torch.utils.deterministic.fill_uninitialized_memory"
    )
    plain = {key: value for key, value in os.environ.items() if not key.endswith("NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
