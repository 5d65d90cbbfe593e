"""Conversations into prompts, over HTTP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

TEMPLATE = """{{ bos_token }}{% for message in messages %}
{{ message.role }}{% if message.name is defined %}({{ message.name }}){% endif %}: {{ message.content }}
{% for call in message.tool_calls or [] %}{{ call.function.name }}({{ call.function.arguments }}){% endfor %}
{% endfor %}
{% if tools %}tools: {{ tools | tojson }}{% endif %}
{% if messages[0].role == 'tool' %}{{ raise_exception('Begin with a user.') }}{% endif %}
{% if thinking %}<think>{% endif %}
{% if add_generation_prompt %}assistant:{% endif %}"""
HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture(scope="module")
def chat_model(make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a template, and BOS before its prompts."""
    metadata = {"tokenizer.ggml.add_bos_token": True}
    return make_llama(tmp_path_factory.mktemp("chat") / "chat.gguf", chat_template=TEMPLATE, metadata=metadata)


@pytest.fixture(scope="module")
def chat_server(serve: Callable[..., ServerUnderTest], chat_model: Path) -> ServerUnderTest:
    return serve(chat_model)


def apply(server: ServerUnderTest, *messages: dict[str, Any], **fields: Any) -> str:
    answer = server.http.post("/apply-template", json={"messages": messages, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, str] = answer.json()
    assert found.keys() == {"prompt"}
    return found["prompt"]


def refusal(server: ServerUnderTest, messages: Any, **fields: Any) -> str:
    answer = server.http.post("/apply-template", json={"messages": messages, **fields})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    message: str = error["message"]
    assert message.endswith(".")
    return message


def test_the_models_own_template(chat_server: ServerUnderTest) -> None:
    assert apply(chat_server, HELLO) == "<s>user: Hello\nassistant:"
    assert apply(chat_server, HELLO, add_generation_prompt=False) == "<s>user: Hello\n"
    assert chat_server.http.get("/tokenizer_info").json()["chat_template"] == TEMPLATE
    answer = chat_server.http.post("/v1/apply-template", json={"messages": [HELLO], "temperature": 0, "n": None})
    assert answer.json() == {"prompt": "<s>user: Hello\nassistant:"}


def test_all_that_a_message_may_hold(chat_server: ServerUnderTest) -> None:
    parts = {"role": "system", "content": [{"type": "text", "text": "one 🙂"}, {"type": "text", "text": "two"}]}
    named = {"role": "developer", "content": "Hi", "name": "Ann"}
    calling = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}],
    }
    told = {"role": "tool", "content": "4", "tool_call_id": "1"}
    assert apply(chat_server, parts, named, calling, told).splitlines() == [
        "<s>system: one 🙂",
        "two",
        "developer(Ann): Hi",
        "assistant: None",
        'f({"a": 1})tool: 4',
        "assistant:",
    ]


def test_further_variables(chat_server: ServerUnderTest) -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    assert f"tools: [{tool}]".replace("'", '"') in apply(chat_server, HELLO, tools=[tool])
    kwargs = {"thinking": True, "add_generation_prompt": False, "messages": [], "self": 1}
    assert apply(chat_server, HELLO, chat_template_kwargs=kwargs) == "<s>user: Hello\n<think>assistant:"


def test_a_conversation_in_tokens(chat_server: ServerUnderTest) -> None:
    prompt = apply(chat_server, HELLO)
    asked = {"messages": [HELLO], "return_token_strs": True}
    found = chat_server.http.post("/tokenize", json=asked).json()
    assert found["tokens"] == chat_server.http.post("/tokenize", json={"prompt": prompt}).json()["tokens"]
    assert found["token_strs"].count("<s>") == 1  # from the template, and not once more from the metadata
    assert "".join(found["token_strs"]) == prompt
    shorter = chat_server.http.post("/tokenize", json={"messages": [HELLO], "add_generation_prompt": False}).json()
    assert found["tokens"][: shorter["count"]] == shorter["tokens"]


def test_the_operators_template(serve: Callable[..., ServerUnderTest], chat_model: Path, tmp_path: Path) -> None:
    file = tmp_path / "chat.jinja"
    file.write_text("{{ messages | length }} é{{ eos_token }}", encoding="utf-8")
    server = serve(chat_model, f"--chat-template={file}")
    assert apply(server, HELLO, HELLO) == "2 é</s>"
    assert server.http.get("/tokenizer_info").json()["chat_template"] == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], "'messages'"),
        (None, "'messages'"),
        ("Hello", "'messages'"),
        (["Hello"], "'messages'"),
        ([{"content": "Hello"}], "'messages'"),
        ([{"role": "boss", "content": "Hello"}], "'messages'"),
        ([{"role": "user", "content": 7}], "'messages'"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}], "of type 'image_url'"),
        ([{"role": "user", "content": [{"type": "text"}]}], "without a text"),
        ([{"role": "user", "content": ["Hello"]}], "without a text"),
        ([{"role": "user", "content": [{"type": "x" * 9999}]}], "this server reads text only"),
        ([HELLO] * 1025, "'messages'"),
        ([{"role": "tool", "content": "4"}], "cannot render these messages: Begin with a user."),
        ([{"role": "user", "content": "a" * 4_000_001}], "longer than the 4,000,000 bytes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_messages_that_cannot_be_read_are_refused(chat_server: ServerUnderTest, messages: Any, said: str) -> None:
    message = refusal(chat_server, messages)
    assert said in message
    assert len(message) < 500


@pytest.mark.parametrize(
    "field", [{"chat_template": "{{ 1 }}"}, {"continue_final_message": True}, {"documents": [{"text": "a"}]}]
)
def test_what_is_not_honoured_is_refused(chat_server: ServerUnderTest, field: dict[str, Any]) -> None:
    assert "is not supported here" in refusal(chat_server, [HELLO], **field)
    answer = chat_server.http.post("/tokenize", json={"messages": [HELLO], **field})
    assert answer.json()["error"]["code"] == "unsupported_parameter"


def test_half_a_surrogate_pair_is_refused(chat_server: ServerUnderTest) -> None:
    for text in (b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
                 b'{"messages": [{"role": "user", "content": "a", "\\ud800": "\\udfff"}]}'):  # fmt: skip
        for path in ("/apply-template", "/tokenize"):
            answer = chat_server.http.post(path, content=text, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages")


def test_without_a_template_there_is_no_conversation(bundled_server: ServerUnderTest) -> None:
    assert "This model has no chat template" in refusal(bundled_server, [HELLO])


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "longer than 2 seconds"),
        ("{{ 'a' * 10**10 }}", "too much memory"),
        ("{{ messages.__class__.__base__ }}", "what templates may not"),
        ("{% if %}", "it is no valid Jinja"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("a" * 1_000_000, "it has 1,000,000 characters"),
    ],
    ids=["endless", "memory", "escape", "syntax", "include", "long"],
)
def test_a_hostile_model_spoils_conversations_only(
    server_type: type[ServerUnderTest], make_llama: Callable[..., Path], tmp_path: Path, template: str, said: str
) -> None:
    model = make_llama(tmp_path / "hostile.gguf", chat_template=template)
    server = server_type(model, tmp_path / "server.log")
    try:
        assert said in refusal(server, [HELLO])
        assert server.complete("a", max_tokens=1).choices[0].finish_reason
        assert said in refusal(server, [HELLO])
    finally:
        assert server.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, None])
def test_the_child_ends_with_the_server(
    server_type: type[ServerUnderTest], chat_model: Path, tmp_path: Path, how: signal.Signals | None
) -> None:
    server = server_type(chat_model, tmp_path / "server.log")
    try:
        assert psutil.Process(server.process.pid).children() == []
        apply(server, HELLO)
        (child,) = psutil.Process(server.process.pid).children()
        assert child.cmdline()[-1].endswith("child.py")
    finally:
        status = server.stop(how)
    assert status == (-signal.SIGKILL if how == signal.SIGKILL else 0)
    psutil.wait_procs([child], timeout=20)
    assert not child.is_running()
    assert server.log.read_text() == ""
