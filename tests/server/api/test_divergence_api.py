"""``POST /v1/divergence`` on real servers: a reference, and a model of other weights."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.conftest import RawLlama

WINDOWS = np.random.default_rng(0).integers(5, 200, (5, 40)).tolist()
SCORE_FROM = 21
"""As llama-perplexity scores windows of 40."""
SLACK = {"exact": 3e-3, "compact": 3e-3, "llama": 3e-2}
"""Divergences of random models are near 8, and float16 tells such logits apart to 1 in 2,000; llama-perplexity's file
drops what is beyond 16 nats."""


class Asked:
    """A server and its folder of stores."""

    def __init__(self, server: ServerUnderTest, stores: Path) -> None:
        self.server = server
        self.stores = stores

    def ask(self, mode: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        body = {"store": "s", "mode": mode, "windows": WINDOWS, "score_from": SCORE_FROM, **fields}
        answer = self.server.http.post("/v1/divergence", json=body)
        return answer.status_code, answer.json()

    def done(self, mode: str, **fields: Any) -> dict[str, Any]:
        status, answer = self.ask(mode, **fields)
        assert status == 200, answer
        return answer

    def refused(self, mode: str, **fields: Any) -> tuple[int, str, str]:
        """Status, code and message."""
        status, answer = self.ask(mode, **fields)
        assert answer["error"].keys() == {"message", "type", "param", "code"}
        return status, answer["error"]["code"] or answer["error"]["type"], answer["error"]["message"]


@pytest.fixture(scope="module")
def models(make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: make_llama(folder / f"{name}.gguf", seed=seed) for seed, name in enumerate(("reference", "other"))}


@pytest.fixture(scope="module")
def asked(
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    models: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Asked, Asked]:
    """The reference and another model over the same folder."""
    stores = tmp_path_factory.mktemp("stores")
    options = (*server_type.STEADY, "--ctx-size=64", f"--divergence-dir={stores}")
    return Asked(serve(models["reference"], *options), stores), Asked(serve(models["other"], *options), stores)


@pytest.fixture
def reference(asked: tuple[Asked, Asked]) -> Asked:
    return asked[0]


@pytest.fixture
def other(asked: tuple[Asked, Asked]) -> Asked:
    return asked[1]


def rows(raw: RawLlama, window: list[int]) -> NDArray[np.float64]:
    """Log-probabilities of all tokens where the scored ones are, ``[scored, n_vocab]``."""
    return raw.logprobs(window)[SCORE_FROM - 1 : -1]


@pytest.mark.parametrize("form", ["exact", "compact", "llama"])
def test_figures_are_those_of_two_models_side_by_side(
    reference: Asked, other: Asked, models: dict[str, Path], raw_llama: Callable[..., RawLlama], form: str
) -> None:
    """All windows at once, more tokens than a batch has, against llama.cpp driven by hand."""
    total = {"total_windows": len(WINDOWS)} if form == "llama" else {}
    held = reference.done("record", format=form, **total)
    assert (held["windows"], held["rows"]) == (5, 5 * 19)
    assert held["bytes"] == (reference.stores / "s").stat().st_size
    for window, found in zip(WINDOWS, other.done("compare")["windows"], strict=True):
        p, q = (rows(raw_llama(models[name], cache_type="f32"), window) for name in ("reference", "other"))
        scored = window[SCORE_FROM:]
        each = np.arange(len(scored))
        kld, slack = (np.exp(p) * (p - q)).sum(axis=1), SLACK[form]
        low, high = np.array(found["kld"]), np.array(found["kld"]) + found["kld_bound"]
        assert (low <= kld + slack).all()
        assert (high >= kld - slack).all()
        np.testing.assert_allclose(found["logprob"], q[each, scored], atol=1e-4)
        least = p.max(axis=1) - (16 if form == "llama" else 100)
        np.testing.assert_allclose(found["reference_logprob"], np.maximum(p[each, scored], least), atol=1e-3)
        assert found["same_top"] == (p.argmax(axis=1) == q.argmax(axis=1)).tolist()
        if form == "exact":
            np.testing.assert_allclose(found["kld_reverse"], (np.exp(q) * (q - p)).sum(axis=1), atol=slack)
        assert any(found["kld_bound"]) == (form == "compact")


def test_a_store_grows_request_by_request(reference: Asked, other: Asked) -> None:
    whole = other_figures(reference, other, parts=[WINDOWS])
    parts = other_figures(reference, other, parts=[WINDOWS[:2], WINDOWS[2:3], WINDOWS[3:]])
    np.testing.assert_allclose(parts, whole, rtol=1e-4)


def other_figures(reference: Asked, other: Asked, parts: list[list[list[int]]]) -> list[float]:
    begin = 0
    for part in parts:
        held = reference.done("record", windows=part, begin=begin)
        begin += len(part)
        assert held["windows"] == begin
    found = other.done("compare", windows=WINDOWS[1:4], begin=1)["windows"]
    return [kld for window in found for kld in window["kld"]]


def test_a_model_does_not_diverge_from_itself_even_where_everything_was_scored_before(reference: Asked) -> None:
    """No row comes out of what is remembered of earlier requests."""
    for window in WINDOWS:
        reference.server.score(window)
    reference.done("record", score_from=1)
    found = reference.done("compare", score_from=1)["windows"]
    assert [len(window["kld"]) for window in found] == [39] * 5
    assert max(max(window["kld"]) for window in found) < 1e-6
    assert all(all(window["same_top"]) for window in found)
    plain = reference.server.score(WINDOWS[0]).logprobs
    np.testing.assert_allclose(found[0]["logprob"], plain.token_logprobs[1:], atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"store": "nothing"}, 404, "store_not_found", "no store 'nothing'"),
        ({"store": "../s"}, 400, "invalid_request_error", "'store'"),
        (
            {"begin": 1, "windows": [*WINDOWS[1:], WINDOWS[0]]},
            400,
            "invalid_request_error",
            "holds 5 windows, and none of number 5",
        ),
        ({"score_from": 20}, 400, "invalid_request_error", "from position 21 on, not 20"),
        ({"windows": [WINDOWS[1]]}, 400, "invalid_request_error", "Window 0 has other tokens"),
        ({"windows": [[5] * 65]}, 400, "context_length_exceeded", "64 tokens"),
        ({"windows": [[5] * 21]}, 400, "invalid_request_error", "Window 0 has 21 tokens, so none is scored"),
        ({"windows": [[10**6] * 30]}, 400, "invalid_request_error", "token id 1000000"),
        ({"windows": [[5] * 60] * 4000, "score_from": 1}, 400, "invalid_request_error", "236,000 scored tokens"),
        ({"format": "exact"}, 400, "invalid_request_error", "for recording"),
        ({"mode": "record", "begin": 3}, 400, "invalid_request_error", "next one is not number 3"),
        ({"mode": "record", "begin": 5, "format": "compact"}, 400, "invalid_request_error", "rows of format 'exact'"),
        ({"mode": "record", "format": "llama"}, 400, "invalid_request_error", "'total_windows' must be given"),
        ({"mode": "record", "begin": 5, "total_windows": 5}, 400, "invalid_request_error", "is told once"),
        ({"mode": "record", "total_windows": 5}, 400, "invalid_request_error", "'total_windows' must be given"),
        (
            {"mode": "record", "format": "llama", "total_windows": 5, "score_from": 5},
            *(400, "invalid_request_error", "scored from position 21 on"),
        ),
        ({"model": "another"}, 404, "model_not_found", "another"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    reference: Asked, fields: dict[str, Any], status: int, code: str, message: str
) -> None:
    reference.done("record")
    found = reference.refused(**{"mode": "compare", **fields})
    assert found[:2] == (status, code)
    assert message in found[2]
    assert reference.done("compare")["windows"]


def test_what_is_refused_leaves_no_file(reference: Asked) -> None:
    assert reference.refused("record", store="new", format="llama", total_windows=1)[0] == 400
    assert not (reference.stores / "new").exists()
    (reference.stores / "folder").mkdir()
    status, code, message = reference.refused("record", store="folder")
    assert (status, code) == (500, "server_error")
    assert "Is a directory" in message


def test_without_a_folder_the_route_is_off(no_bos_server: ServerUnderTest) -> None:
    status, code, message = Asked(no_bos_server, Path()).refused("record")
    assert (status, code) == (501, "not_offered")
    assert "--divergence-dir" in message


def test_damage_is_told_and_nothing_else_suffers(reference: Asked) -> None:
    reference.done("record")
    path = reference.stores / "s"
    data = bytearray(path.read_bytes())
    data[-200:] = bytes(200)
    path.write_bytes(data)
    status, code, message = reference.refused("compare")
    assert (status, code) == (500, "store_damaged")
    assert "record it again" in message
    assert reference.done("compare", windows=WINDOWS[:4])["windows"]  # the last window alone is damaged
    path.write_bytes(data[:-1])
    assert "cut off" in reference.refused("compare")[2]
    path.write_text("something else")
    assert "no store" in reference.refused("compare")[2]
    assert reference.server.complete("still there", max_tokens=1).choices


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process can be set on Linux only")
@pytest.mark.parametrize("form", ["exact", "compact"])
def test_a_full_disk_is_told_and_what_was_held_stays(
    models: dict[str, Path], tmp_path: Path, start_on: Callable[..., ServerUnderTest], form: str
) -> None:
    stores = tmp_path / "stores"
    stores.mkdir()
    asked = Asked(start_on(models["reference"], f"--divergence-dir={stores}"), stores)
    held = asked.done("record", windows=WINDOWS[:1], format=form)
    limits = resource.prlimit(asked.server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(asked.server.process.pid, resource.RLIMIT_FSIZE, (held["bytes"] + 1000, limits[1]))
    status, code, message = asked.refused("record", windows=WINDOWS[1:], begin=1)
    assert (status, code) == (507, "storage_full")
    assert "no room" in message
    assert len(asked.done("compare", windows=WINDOWS[:1])["windows"]) == 1
    resource.prlimit(asked.server.process.pid, resource.RLIMIT_FSIZE, limits)
    assert asked.done("record", windows=WINDOWS[1:], begin=1)["windows"] == 5


def test_a_store_outlives_its_server(
    models: dict[str, Path], tmp_path: Path, start_on: Callable[..., ServerUnderTest]
) -> None:
    """Even one that is killed while it records: what was answered is there, and goes on where it ends."""
    stores = tmp_path / "stores"
    stores.mkdir()
    option = f"--divergence-dir={stores}"
    first = Asked(start_on(models["reference"], option), stores)
    first.done("record", windows=WINDOWS[:2])
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(first.ask, "record", windows=WINDOWS * 200, begin=2)
        while (stores / "s").stat().st_size < 1 << 20:
            assert not under_way.done()
        first.server.process.kill()
        assert under_way.exception() is not None
    second = Asked(start_on(models["reference"], option), stores)
    assert len(second.done("compare", windows=WINDOWS[:2])["windows"]) == 2
    assert "holds 2 windows" in second.refused("compare")[2]
    assert second.done("record", windows=WINDOWS[2:], begin=2)["windows"] == 5
    assert max(max(window["kld"]) for window in second.done("compare")["windows"]) < 1e-5


def test_two_cannot_record_at_once(reference: Asked, other: Asked) -> None:
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(reference.ask, "record", store="busy", windows=WINDOWS * 200)
        while not (reference.stores / "busy").exists():
            assert not under_way.done()
        found = [other.refused(mode, store="busy")[:2] for mode in ("record", "compare")]
        assert not under_way.done()
        assert under_way.result()[0] == 200
    assert found == [(409, "store_in_use")] * 2
    assert other.done("compare", store="busy")["windows"]
