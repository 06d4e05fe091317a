"""Which device is used where there is a GPU and where there is none, and that torch is not imported to find out."""

import ctypes
import sys

import pytest
import torch

from replicate import devices
from replicate.devices import resolve_device
from replicate.errors import InvalidArgument, MissingDevice


def test_devices(monkeypatch, capsys):
    for there, auto in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve_device("cpu") == "cpu" and capsys.readouterr().err == ""
        assert resolve_device("auto") == auto
        assert capsys.readouterr().err == (f"{devices.UNTRIED}\n" if there else "")
    with pytest.raises(MissingDevice):
        resolve_device("cuda")
    with pytest.raises(InvalidArgument, match="'gpu' is none of 'auto', 'cpu', 'cuda'"):
        resolve_device("gpu")


def test_what_torch_was_built_for_is_read_from_its_source():
    assert devices._built_for() == {name for name in ("cuda", "hip") if getattr(torch.version, name) is not None}


@pytest.mark.parametrize(
    ("built_for", "driver", "asked"),
    [(set(), True, False), ({"cuda"}, False, False), ({"cuda"}, True, True), ({"hip"}, False, True)],
)
def test_torch_is_asked_only_where_it_may_have_a_gpu(monkeypatch, built_for, driver, asked):
    def load(name):
        if not driver:
            raise OSError

    monkeypatch.setattr(devices, "_built_for", lambda: built_for)
    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(sys, "platform", "linux")
    assert devices._may_have_gpu() is asked
    there = []
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there.append(True) or True)
    with monkeypatch.context() as patch:
        patch.setattr("builtins.__import__", lambda name, *rest: torch if name == "torch" else pytest.fail(name))
        assert resolve_device("auto") == ("cuda" if asked else "cpu")
    assert bool(there) is asked
