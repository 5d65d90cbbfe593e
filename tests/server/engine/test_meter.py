from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from engine_parts import BROKEN, TIMEOUT, job, prompts, run, run_in_turn, scheduling

from server.engine.llama import Model
from server.engine.meter import Meter
from server.engine.snapshot import Snapshot
from server.engine.ticket import SequenceFailed

HISTOGRAMS = (
    "e2e_request_latency",
    "request_queue_time",
    "request_prefill_time",
    "request_decode_time",
    "request_inference_time",
)


@pytest.fixture
def meter() -> Meter:
    return Meter("a model")


def value(meter: Meter, name: str, **labels: Any) -> float | None:
    return meter.registry.get_sample_value(name, {"model_name": "a model", **labels})


def total(meter: Meter, name: str, **labels: Any) -> float | None:
    return value(meter, f"{name}_total", **labels)


def observed(meter: Meter, name: str) -> tuple[float | None, float | None]:
    """How many durations were observed, and their sum in seconds."""
    return value(meter, f"vllm:{name}_seconds_count"), value(meter, f"vllm:{name}_seconds_sum")


def test_before_anything_all_counters_are_there_and_0(meter: Meter) -> None:
    for name in ("prompt_tokens", "generation_tokens", "prefix_cache_queries", "prefix_cache_hits", "num_preemptions"):
        assert total(meter, f"vllm:{name}") == 0
    assert total(meter, "quant:request_failure") == 0
    assert observed(meter, "time_to_first_token") == (0, 0)


def test_tokens_and_ends_are_counted(meter: Meter, model: Model) -> None:
    prompt = prompts(1, 40)[0]
    end = int(model.end_tokens[0])
    with scheduling(model, meter=meter) as scheduler:
        run_in_turn(
            scheduler,
            job(*prompt),
            job(*prompt),  # 40 from the cache
            job(*prompt, max_tokens=5, k=None),  # 39, since its last row is needed
            job(7, 8, max_tokens=9, k=None, logit_bias=((end, 100.0),)),
        )
    assert total(meter, "vllm:prompt_tokens") == 122
    assert total(meter, "vllm:generation_tokens") == 6
    assert total(meter, "vllm:request_success", finished_reason="length") == 3
    assert total(meter, "vllm:request_success", finished_reason="stop") == 1
    assert total(meter, "vllm:request_success", finished_reason="abort") is None
    assert total(meter, "vllm:prefix_cache_queries") == 122
    assert total(meter, "vllm:prefix_cache_hits") == 79
    assert total(meter, "quant:request_failure") == 0


def test_times_are_observed_once_a_sequence_and_once_a_token(meter: Meter, model: Model) -> None:
    with scheduling(model, meter=meter, slots=2) as scheduler:
        results = run(scheduler, *(job(5, 6, n, max_tokens=n, k=0) for n in range(6)))
    durations = [result.timings.finished - result.timings.submitted for result in results]
    assert observed(meter, "time_to_first_token")[0] == 5  # one generates nothing
    assert observed(meter, "inter_token_latency")[0] == 0 + 1 + 2 + 3 + 4
    sums = {}
    for name in HISTOGRAMS:
        count, sums[name] = observed(meter, name)
        assert count == 6
        assert sums[name] is not None
    assert sums["e2e_request_latency"] == pytest.approx(sum(durations))
    assert sums["request_queue_time"] + sums["request_inference_time"] == pytest.approx(sum(durations))
    assert sums["request_prefill_time"] + sums["request_decode_time"] == pytest.approx(sums["request_inference_time"])
    first = observed(meter, "time_to_first_token")[1]
    between = observed(meter, "inter_token_latency")[1]
    assert first is not None
    assert between is not None
    assert 0 < first + between < sum(durations)


def test_tokens_of_a_draft_come_at_once(meter: Meter, model: Model) -> None:
    plain = job(*prompts(1, 40)[0], max_tokens=24, k=None, ignore_eos=True)
    with scheduling(model, meter=meter) as scheduler:
        said = run(scheduler, plain)[0].completion
        before = value(meter, "vllm:inter_token_latency_seconds_bucket", le="0.001")
        elapsed = observed(meter, "inter_token_latency")[1]
        results = run_in_turn(scheduler, *[replace(plain, draft=said)] * 4)  # the first ones are decoded one by one
    count, total_seconds = observed(meter, "inter_token_latency")
    assert count == 5 * 23
    between = sum(result.timings.finished - result.timings.prompt_done for result in results)
    assert before is not None
    assert elapsed is not None
    assert total_seconds is not None
    assert 0 < total_seconds - elapsed <= between
    at_once = value(meter, "vllm:inter_token_latency_seconds_bucket", le="0.001")
    assert at_once is not None
    assert at_once - before >= 20


def test_buckets_hold_what_is_shorter(meter: Meter, model: Model) -> None:
    with scheduling(model, meter=meter) as scheduler:
        run(scheduler, job(5, 6, max_tokens=3))
    counts = [value(meter, "vllm:e2e_request_latency_seconds_bucket", le=le) for le in ("0.001", "60.0", "+Inf")]
    assert counts[1:] == [1, 1]
    assert value(meter, "vllm:e2e_request_latency_seconds_bucket", le="7.0") is None


def test_failures_and_cancels_are_counted_apart(meter: Meter, broken_model: Model) -> None:
    began = threading.Event()
    with scheduling(broken_model, meter=meter) as scheduler:
        failed = scheduler.submit([job(5, BROKEN, 6), job(5, 6, max_tokens=2, grammar="root ::=")])
        with pytest.raises(SequenceFailed):
            failed[0].future.result(TIMEOUT)
        stopped = scheduler.submit([job(5, 6, max_tokens=800, k=None)] * 2, began.set)
        assert began.wait(TIMEOUT)
        scheduler.cancel(stopped)
        scheduler.snapshot().result(TIMEOUT)
        stopped_by_closing = scheduler.submit([job(5, 6, max_tokens=800, k=None)])
        scheduler.close()
        assert stopped_by_closing[0].future.done()
    assert total(meter, "vllm:request_success", finished_reason="abort") == 2
    assert total(meter, "vllm:prompt_tokens") == 2  # an empty grammar allows the end


def test_what_is_begun_again_is_counted_once(meter: Meter, broken_model: Model) -> None:
    with scheduling(broken_model, meter=meter) as scheduler:
        _, whole = scheduler.submit([job(5, BROKEN, 6), job(5, 6, 7, max_tokens=3)])
        whole.future.result(TIMEOUT)
    assert total(meter, "quant:request_failure") == 1
    assert total(meter, "vllm:prompt_tokens") == 3
    assert total(meter, "vllm:generation_tokens") == 3
    assert observed(meter, "time_to_first_token")[0] == 1
    assert observed(meter, "inter_token_latency")[0] == 2


def test_gauges_show_a_snapshot(meter: Meter) -> None:
    meter.show(Snapshot((), waiting=3, cells=200, used=50, active=20, score_bytes=12_345))
    assert value(meter, "vllm:num_requests_waiting") == 3
    assert value(meter, "vllm:num_requests_running") == 0
    assert value(meter, "vllm:kv_cache_usage_perc") == 0.25
    assert value(meter, "quant:kv_cells_active") == 20
    assert value(meter, "quant:kv_cells_kept") == 30
    assert value(meter, "quant:score_cache_bytes") == 12_345
