"""llama.cpp's fields beside OpenAI's, and llama.cpp's own format alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answers import PROMPT, ask, ask_streaming

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_by_default_sixteen_tokens_are_sampled(server: ServerUnderTest) -> None:
    settings = server.post({"prompt": "The"}).json()["generation_settings"]
    assert (settings["max_tokens"], settings["temperature"], settings["top_p"]) == (16, 1, 1)


COUNTS = {"tokens_predicted", "tokens_evaluated", "tokens_cached", "id_slot"}
FLAGS = {"has_new_line", "truncated", "stopped_eos", "stopped_word", "stopped_limit"}
RATES = {f"{part}_{what}" for part in ("prompt", "predicted") for what in ("n", "ms", "per_token_ms", "per_second")}


def assert_extended(fields: dict[str, Any]) -> None:
    """llama.cpp's own fields are there and make sense together."""
    assert all(isinstance(fields[name], int) and fields[name] >= 0 for name in COUNTS)
    assert all(isinstance(fields[name], bool) for name in FLAGS)
    assert [fields[name] for name in ("stopped_eos", "stopped_word", "stopped_limit")].count(True) == 1
    assert fields["timings"].keys() == RATES | {"cache_n"}
    timings = fields["timings"]
    assert timings["predicted_n"] == fields["tokens_predicted"]
    assert timings["prompt_n"] + timings["cache_n"] == fields["tokens_evaluated"]
    for part in ("prompt", "predicted"):
        n, milliseconds = timings[f"{part}_n"], timings[f"{part}_ms"]
        assert timings[f"{part}_per_token_ms"] * n == pytest.approx(milliseconds if n else 0)
        assert timings[f"{part}_per_second"] * milliseconds == pytest.approx(1000 * n)


def test_llama_cpp_fields_of_one_choice_stand_at_the_top(server: ServerUnderTest) -> None:
    body = server.post({"prompt": PROMPT, "max_tokens": 4, "temperature": 0, "seed": 5, "logprobs": 2}).json()
    assert_extended(body)
    assert body["generation_settings"]["seed"] == 5
    assert body["generation_settings"]["n_probs"] == 2
    assert body["tokens_predicted"] == body["usage"]["completion_tokens"]
    assert body["has_new_line"] == ("\n" in body["choices"][0]["text"])


def test_llama_cpp_fields_of_several_choices_stand_in_each(server: ServerUnderTest) -> None:
    body = server.post({"prompt": ["a", "b"], "max_tokens": 4, "n": 2, "temperature": 1, "seed": 5}).json()
    assert "timings" not in body
    for choice in body["choices"]:
        assert_extended(choice)
    assert [choice["generation_settings"]["seed"] for choice in body["choices"]] == [5, 6, 5, 6]


SETTINGS = set(
    "n_ctx n_predict model seed seed_cur temperature dynatemp_range dynatemp_exponent top_k top_p min_p "
    "xtc_probability xtc_threshold typical_p repeat_last_n repeat_penalty presence_penalty frequency_penalty "
    "dry_multiplier dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breakers mirostat mirostat_tau "
    "mirostat_eta stop max_tokens n_keep n_discard ignore_eos stream n_probs min_keep grammar samplers "
    "timings_per_token top_n_sigma logit_bias".split()
)
"""What llama.cpp's pull request 10627 shows, but for what llama.cpp has given up since; and two that came later."""
SENT: dict[str, Any] = {
    "seed": 7,
    "temperature": 0.7,
    "dynatemp_range": 0.1,
    "dynatemp_exponent": 1.5,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "xtc_probability": 0.1,
    "xtc_threshold": 0.2,
    "typical_p": 0.9,
    "top_n_sigma": 2.0,
    "repeat_last_n": 32,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "dry_multiplier": 0.8,
    "dry_base": 1.5,
    "dry_allowed_length": 3,
    "dry_penalty_last_n": 64,
    "dry_sequence_breakers": ["."],
    "mirostat_tau": 4.0,
    "mirostat_eta": 0.2,
    "stop": ["never"],
    "max_tokens": 3,
    "ignore_eos": True,
    "min_tokens": 2,
    "min_keep": 2,
    "logit_bias": [[5, 1.5], [6, -100.0]],
}


def test_generation_settings_are_those_in_effect(server: ServerUnderTest) -> None:
    settings = ask(server, {"prompt": "The"} | SENT)["generation_settings"]
    assert settings.keys() >= SETTINGS
    assert {name: settings[name] for name in SENT} == SENT
    assert (settings["n_predict"], settings["seed_cur"], settings["stream"]) == (3, 7, False)
    chain = "penalties dry top_n_sigma top_k typ_p top_p min_p xtc temperature".split()
    assert settings["samplers"] == chain
    assert ask(server, {"prompt": "The", "max_tokens": 1})["generation_settings"]["samplers"] == []


NATIVE = set(
    "index content tokens id_slot stop model prompt generation_settings timings stop_type stopping_word".split()
)
NATIVE |= COUNTS | FLAGS
OPENAIS = {"id", "object", "created", "choices", "usage", "system_fingerprint"}


def native(server: ServerUnderTest, path: str = "/completion", **fields: Any) -> Any:
    """An answer in llama.cpp's own format, greedy."""
    return ask(server, {"prompt": PROMPT, "temperature": 0, "n_predict": 6, "oai_compat": False} | fields, path)


@pytest.mark.parametrize("path", ["/completion", "/completions", "/v1/completions"])
def test_llama_cpps_format_alone(steady_server: ServerUnderTest, path: str) -> None:
    expected = steady_server.complete(PROMPT, max_tokens=6)
    found = native(steady_server, path)
    assert found.keys() >= NATIVE
    assert not found.keys() & OPENAIS
    assert_extended(found)
    assert (found["content"], found["prompt"], found["stop"]) == (expected.choices[0].text, PROMPT, True)
    assert (found["stop_type"], found["tokens"], found["model"]) == ("limit", [], steady_server.id)
    assert "completion_probabilities" not in found


@pytest.mark.parametrize("path", ["/completion", "/completions"])
def test_on_llama_cpps_routes_the_context_is_the_limit(steady_server: ServerUnderTest, path: str) -> None:
    prompt = [5] * 1000  # of 1,024
    for fields in ({}, {"n_predict": -1}, {"oai_compat": False}, {"oai_compat": False, "n_predict": -1}):
        found = ask(steady_server, {"prompt": prompt, "ignore_eos": True, **fields}, path)
        assert (found["tokens_predicted"], found["stopped_limit"]) == (24, True)
        assert ("choices" in found) == ("oai_compat" not in fields)


def test_on_openais_route_16_tokens_are_the_limit(server: ServerUnderTest) -> None:
    body = {"prompt": "The", "ignore_eos": True}
    assert ask(server, body)["tokens_predicted"] == 16
    assert ask(server, body | {"oai_compat": False})["tokens_predicted"] == 16
    context = server.http.get("/v1/models").json()["data"][0]["max_model_len"]
    assert ask(server, body | {"n_predict": -1, "prompt": [5] * (context - 30)})["tokens_predicted"] == 30


def test_no_token_at_all_only_fills_the_cache(server: ServerUnderTest) -> None:
    prompt = "Only to be computed: 1 2 3 4 5 6 7 8 9"
    found = native(server, prompt=prompt, n_predict=0)
    assert (found["content"], found["tokens_predicted"], found["stop"]) == ("", 0, True)
    assert native(server, prompt=prompt)["timings"]["cache_n"] >= found["tokens_evaluated"] - 1


def test_probabilities_have_ids_bytes_and_alternatives(steady_server: ServerUnderTest) -> None:
    openais = ask(steady_server, {"prompt": PROMPT, "temperature": 0, "max_tokens": 6, "logprobs": 3})["choices"][0]
    found = native(steady_server, n_probs=3, return_tokens=True)
    entries = found["completion_probabilities"]
    assert [entry["id"] for entry in entries] == found["tokens"]
    assert [entry["token"] for entry in entries] == openais["logprobs"]["tokens"]
    assert [entry["logprob"] for entry in entries] == pytest.approx(openais["logprobs"]["token_logprobs"], abs=1e-3)
    for entry, alternatives in zip(entries, openais["logprobs"]["top_logprobs"], strict=True):
        assert [top["token"] for top in entry["top_logprobs"]] == list(alternatives)
        for top in (entry, *entry["top_logprobs"]):
            if not top["token"].startswith("bytes:"):
                assert bytes(top["bytes"]).decode() == top["token"]
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode(errors="replace") == found["content"]


def test_no_alternatives_are_llama_cpps_word_for_no_probabilities(steady_server: ServerUnderTest) -> None:
    assert "completion_probabilities" not in native(steady_server, n_probs=0)
    body = {"prompt": "The", "n_probs": 0, "max_tokens": 1}
    assert ask(steady_server, body, "/completion")["choices"][0]["logprobs"] is None
    assert ask(steady_server, {"prompt": "The", "logprobs": 0, "max_tokens": 1})["choices"][0]["logprobs"] is not None


@pytest.mark.parametrize("fields", [{"prompt": ["The", "Joo is"]}, {"prompt": "The", "n": 3}], ids=["prompts", "n"])
def test_several_completions_are_a_list(steady_server: ServerUnderTest, fields: dict[str, Any]) -> None:
    expected = ask(steady_server, {"temperature": 1, "seed": 3, "max_tokens": 6} | fields)["choices"]
    found = native(steady_server, temperature=1, seed=3, **fields)
    assert [one["index"] for one in found] == list(range(len(expected)))
    assert [one["content"] for one in found] == [choice["text"] for choice in expected]
    assert all(one.keys() >= NATIVE for one in found)


@pytest.mark.parametrize("fields", [{}, {"prompt": ["The", "a 🙂"]}, {"n": 2, "temperature": 1, "seed": 2}], ids=str)
def test_its_stream_adds_up_and_has_no_done(steady_server: ServerUnderTest, fields: dict[str, Any]) -> None:
    plain = native(steady_server, return_tokens=True, n_probs=2, n_predict=12, **fields)
    plain = plain if isinstance(plain, list) else [plain]
    body = {
        "prompt": PROMPT,
        "temperature": 0,
        "n_predict": 12,
        "oai_compat": False,
        "return_tokens": True,
        "n_probs": 2,
    }
    events, done = ask_streaming(steady_server, body | fields, "/completion")
    assert not done
    assert not any(event.keys() & OPENAIS for event in events)
    for i, whole in enumerate(plain):
        parts = [event for event in events if event["index"] == i]
        assert "".join(part["content"] for part in parts) == whole["content"]
        assert [token for part in parts for token in part["tokens"]] == whole["tokens"]
        ids = [entry["id"] for part in parts for entry in part["completion_probabilities"]]
        assert ids == whole["tokens"]
        assert [part["stop"] for part in parts] == [False] * (len(parts) - 1) + [True]
        assert parts[-1].keys() >= NATIVE
        assert (parts[-1]["stop_type"], parts[-1]["prompt"]) == (whole["stop_type"], whole["prompt"])


def test_why_it_stopped(ending: ServerUnderTest) -> None:
    end, limit = native(ending, prompt=[5, 6, 7]), native(ending, prompt="The")
    word = native(ending, prompt="The", logit_bias=[[10, 100]], stop=[")"])
    assert (end["stop_type"], end["stopped_eos"], end["stopping_word"]) == ("eos", True, "")
    assert (word["stop_type"], word["stopped_word"], word["stopping_word"]) == ("word", True, ")")
    assert (limit["stop_type"], limit["stopped_limit"], limit["stopping_word"]) == ("limit", True, "")
