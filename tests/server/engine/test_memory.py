from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.engine import memory as module
from server.engine.memory import Memory, gpu_free_bytes, peak_resident_bytes
from server.engine.meter import Meter

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

MIB = 1 << 20


def test_the_peak_stays_after_the_memory_is_given_back() -> None:
    before = peak_resident_bytes()
    assert before >= psutil.Process().memory_info().rss * 0.98
    block = bytearray(os.urandom(before + 64 * MIB - psutil.Process().memory_info().rss))
    during = peak_resident_bytes()
    assert during >= before + 32 * MIB
    del block
    assert peak_resident_bytes() >= during


def test_what_the_parent_had_is_not_counted() -> None:
    block = bytearray(os.urandom(128 * MIB))
    code = "from server.engine.memory import peak_resident_bytes as p; import numpy; print(p())"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(child.stdout) < peak_resident_bytes()
    assert len(block) == 128 * MIB


def test_without_proc_the_system_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_STATUS", tmp_path / "none")
    assert peak_resident_bytes() >= psutil.Process().memory_info().rss * 0.98


class Devices:
    """What ggml says of devices: kind and free bytes of each. No machine of the tests has a GPU."""

    def __init__(self, *devices: tuple[int, int]) -> None:
        self._devices = devices
        names = ("count", "get", "type", "memory")
        self.__dict__ |= {f"ggml_backend_dev_{name}": self._function(getattr(self, f"_{name}")) for name in names}

    @staticmethod
    def _function(call: Callable[..., Any]) -> Any:
        class Function:
            restype: Any = None
            argtypes: Any = None
            __call__ = staticmethod(call)

        return Function()

    def _count(self) -> int:
        return len(self._devices)

    def _get(self, index: int) -> int:
        return index

    def _type(self, device: int) -> int:
        return self._devices[device][0]

    def _memory(self, device: int, free: ctypes.c_size_t, total: ctypes.c_size_t) -> None:
        free.value = self._devices[device][1]
        total.value = 80 << 30


def test_free_memory_is_that_of_all_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu_free_bytes() >= 0
    monkeypatch.setattr(module.c, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(module, "_ggml", SimpleNamespace(libggml=Devices((0, 5), (1, 7 << 30), (1, 11), (2, 3))))
    assert gpu_free_bytes() == (7 << 30) + 11


def test_gauges_show_memory() -> None:
    meter = Meter("a model")
    meter.show_memory(Memory(1000, 20, 3))
    names = ("process_max_resident_memory_bytes", "quant:gpu_memory_used_bytes", "quant:gpu_memory_free_bytes")
    assert [meter.registry.get_sample_value(n, {"model_name": "a model"}) for n in names] == [1000, 20, 3]


def test_a_server_tells_its_own_peak(bundled_server: ServerUnderTest) -> None:
    bundled_server.score("A word.")
    text = bundled_server.http.get("/metrics").text
    (peak,) = (family for family in text_string_to_metric_families(text) if family.name.startswith("process_max"))
    now = psutil.Process(bundled_server.process.pid).memory_info().rss
    assert 0.98 * now <= peak.samples[0].value < 8 << 30
    assert re.search(r"^quant:gpu_memory_used_bytes\S* \d", text, re.MULTILINE)
