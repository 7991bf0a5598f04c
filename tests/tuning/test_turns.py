"""One network called by several threads."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tests.methods.assembled import assembled, images, scramble

LEVELS = (0.2, 0.6, 1.0)


@pytest.fixture(params=["dni", "ftn", "decouple", "cfsnet", "adafm", "dynamic_net", "blend"])
def method(request):
    method = assembled(request.param).eval().requires_grad_(False)
    scramble(method)
    return method


def by_threads(task):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(task, range(48)))


def test_threads_get_the_images_that_one_thread_gets(method):
    x = images()
    with torch.no_grad():
        expected = [method(x, level) for level in LEVELS]
        for number, output in enumerate(by_threads(lambda n: method(x, LEVELS[n % 3]))):
            assert torch.equal(output, expected[number % 3])
        assert all(map(torch.equal, [method(x, level) for level in LEVELS], expected))


def test_networks_of_levels_are_made_while_other_threads_restore(method):
    x = images()
    with torch.no_grad():
        expected = [method.tuned(level)(x) for level in LEVELS]

        def either(number):
            level = LEVELS[number % 3]
            return method.tuned(level)(x) if number % 2 else method(x, level)

        for number, output in enumerate(by_threads(either)):
            assert torch.allclose(output, expected[number % 3], atol=1e-5)


def test_a_tuned_network_is_for_several_threads_too(method):
    x, network = images(), method.tuned(0.6)
    with torch.no_grad():
        expected = network(x)
        assert all(torch.equal(one, expected) for one in by_threads(lambda _: network(x)))


def test_copies_take_turns_of_their_own(method):
    x = images()
    with torch.no_grad():
        expected = method(x, 0.6)
        for one in (copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
            assert torch.equal(one(x, 0.6), expected)
