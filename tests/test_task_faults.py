"""What is wrong with a task file is one sentence, before anything is trained."""

import dataclasses
import math

import pytest

from benchmark import cli, tasks
from benchmark.control import Axis, ControlSpace
from benchmark.errors import UserError
from benchmark.metrics.protocol import PROTOCOLS
from benchmark.registry import digest
from benchmark.tasks import Objective, Term
from benchmark.tasks.fault import fault

DENOISE = tasks.get("denoise")
TWO = dataclasses.replace(DENOISE.space, axes=(Axis("a", 0, 1), Axis("b", 0, 1)), first=(), last=())


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_is_in_order(name):
    assert fault(tasks.get(name), name, tasks.names()) == ""


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"headline": "psnr"}, "unknown headline 'psnr' (did you mean 'psnr-rgb'?)"),
        ({"perception": "niqe"}, "unknown perception 'niqe'"),
        ({"kind": "noise"}, "unknown kind 'noise'; choose from: degradation"),
        ({"dial": "knob"}, "unknown dial 'knob'"),
        ({"metrics": ("psnr-rgb", "psnrr")}, "unknown metric 'psnrr'"),
        ({"metrics": ()}, "metrics names nothing"),
        ({"train_sets": "bsds500"}, "train_sets is 'bsds500', which is no tuple"),
        ({"version": "1"}, "version is '1', which is no int"),
        ({"version": True}, "version is True, which is no int"),
        ({"scale": 0}, "start at 1"),
        ({"effort": 0.0}, "effort is more than 0"),
        ({"space": DENOISE.space.axes}, "which is no ControlSpace"),
        ({"protocol": "rgb"}, "protocol is 'rgb', which is no Protocol"),
        (
            {"degradation": "gaussian"},
            "unknown degradation 'gaussian' (did you mean 'gaussian_noise'?)",
        ),
        ({"spared": "fog"}, "unknown degradation 'fog'"),
        ({"kind": "operator", "operator": "blurr"}, "unknown operator 'blurr'; choose from: l0"),
        (
            {"kind": "operator", "operator": "l0", "space": TWO},
            "l0 takes lambda, and the axes are a, b",
        ),
        (
            {"kind": "operator", "operator": "rgf"},
            "is the operator's sigma, which takes numbers from 1",
        ),
        ({"kind": "operator", "operator": "wmf"}, "which takes whole numbers from 1 to 10"),
        ({"operator": "l0"}, "kind 'degradation' does not go with operator 'l0'"),
        ({"target": "nothing"}, "unknown target 'nothing'"),
        ({"grid": ((0.5, 0.5),)}, "grid: level (0.5, 0.5) has 2 values"),
        ({"grid": ((1.5,),)}, "grid: level 1.5 lies outside"),
        ({"grid": (0.5,)}, "one that is no tuple"),
        ({"grid": ([0.5],)}, "one that is no tuple"),
        ({"grid": ((0.5,), (0.5,))}, "has a level twice"),
        ({"grid": ((1 / 3,),)}, "is no level; write SPACE.level_of"),
        ({"space": ControlSpace(())}, "its space has no axis"),
        ({"space": ControlSpace((Axis("sigma", math.nan, 80),))}, "which are no numbers"),
        ({"space": ControlSpace((Axis("sigma", "5", 80),))}, "which are no numbers"),
        ({"cases": ()}, "it has no case"),
        ({"version": 2}, "version 2 needs the control spaces of the 1 earlier ones"),
        ({"version": 2, "earlier": (1,)}, "needs the control spaces"),
        ({"trained_as": "nothing"}, "unknown trained_as 'nothing'"),
        ({"effort": math.inf}, "effort is more than 0"),
        ({"objective": Objective(((Term("l1", math.nan),),))}, "weight of l1 is nan"),
        ({"grid": ()}, "its grid has no level"),
        ({"harmless": ((2.0,),)}, "harmless: level 2 lies outside"),
        ({"cases": ((1.0,),)}, "case (1.0,) does not have one number for each unseen quantity"),
        ({"objective": Objective(())}, "needs 1, 2 or 2 ends"),
        ({"objective": Objective((Term("l1"),))}, "which is no tuple of terms"),
        ({"objective": Objective(((Term("l3"),),))}, "unknown loss term 'l3'; choose from: l1"),
        ({"objective": Objective(((Term("l1", target="x"),),))}, "unknown target 'x'"),
        ({"space": TWO, "grid": ((0.0,),)}, "grid: level (0.0,) has 1 values"),
    ],
)
def test_what_is_wrong_is_named(change, part):
    assert part in fault(dataclasses.replace(DENOISE, **change), "denoise", tasks.names())


def test_the_file_and_its_task_have_one_name():
    assert fault(DENOISE, "denoise-2", ()) == "its name is 'denoise', its file's is 'denoise-2'"
    assert fault(None, "mine", ()) == "TASK is a NoneType, not a benchmark.tasks.Task"
    assert "its name is 'denoise@kair'" in fault(DENOISE.under(PROTOCOLS["kair"]), "denoise", ())


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("TASK = (", "SyntaxError"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("", "TASK is a NoneType"),
        (
            "from benchmark.tasks.denoise import TASK",
            "its name is 'denoise', its file's is 'my-task'",
        ),
    ],
)
def test_a_broken_task_file_stops_no_other_task(source, part, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_task.py").write_text(source)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    monkeypatch.delitem(__import__("sys").modules, "benchmark.tasks.my_task", raising=False)
    assert cli.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "my-task" in shown and "cannot be used: benchmark/tasks/my_task.py: " in shown
    assert DENOISE.summary in shown
    assert cli.main(["run", "my-task"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dialbench: benchmark/tasks/my_task.py: ") and part in error
    assert error.count("\n") == 1


def test_what_a_digest_cannot_find_in_a_table_is_one_sentence():
    with pytest.raises(UserError, match=r"TERMS in benchmark.objectives has no 'l3'"):
        digest.code_digest(["benchmark.objectives:TERMS[l3]"])
