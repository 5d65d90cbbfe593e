"""Templates in their child process: what Hugging Face's would give, and what no template may do."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from server.chat.renderer import MAX_CONVERSATION_BYTES, MAX_TEMPLATE_CHARACTERS, MAX_WAITING, SECONDS, Renderer
from server.protocol.errors import EngineFailure, InvalidRequest, Overloaded

HELLO = [{"role": "user", "content": "Hello"}]
CHATML = """{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""

Render = Callable[..., str]


@pytest.fixture
def make() -> Iterator[Callable[..., Renderer]]:
    """Renderers, closed at the end."""
    made: list[Renderer] = []

    def get(template: str | None, **tokens: str) -> Renderer:
        made.append(Renderer(template, tokens))
        return made[-1]

    yield get
    for renderer in made:
        renderer.close()


@pytest.fixture
def render(make: Callable[..., Renderer]) -> Render:
    """One conversation by one template."""

    def get(template: str | None, messages: list[dict[str, Any]] = HELLO, **variables: Any) -> str:
        return asyncio.run(make(template, bos_token="<s>", eos_token="</s>").render(messages, **variables))

    return get


def reason(render: Render, template: str | None, messages: list[dict[str, Any]] = HELLO, **variables: Any) -> str:
    with pytest.raises(InvalidRequest) as caught:
        render(template, messages, **variables)
    assert caught.value.param == "messages"
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 500
    assert "\n" not in caught.value.message
    return caught.value.message


def outcome(renderer: Renderer) -> str:
    """The prompt, or why there is none."""
    try:
        return asyncio.run(renderer.render(HELLO))
    except InvalidRequest as refused:
        return refused.message


def child_of(renderer: Renderer) -> psutil.Process:
    assert renderer._child is not None
    return psutil.Process(renderer._child._process.pid)


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}", "<s>Hello</s>"),
        ("{{ messages[0]['content'] | trim | upper }}{{ '\\n\\u00e9' }}", "HELLO\né"),
        ("  {% if true %}\na\n  {% endif %}\nb", "a\nb"),  # blocks leave no lines and no indentation behind
        ("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}", "01"),
        ("{% generation %}{{ messages[0].content }}{% endgeneration %}!", "Hello!"),
        ("{{ tools is none }}{{ documents is none }}{{ date_string is defined }}", "TrueTrueFalse"),
        ("{{ {'b': '<é>', 'a': 1} | tojson }}", '{"b": "<é>", "a": 1}'),
        ("{{ [1] | tojson(indent=2) }}", "[\n  1\n]"),
        ("{{ strftime_now('%Y') | length }}", "4"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "1"),
        ("{% macro f(x) %}[{{ x }}]{% endmacro %}{{ f(messages[0].role) }}", "[user]"),
        ("{{ messages[0].reasoning_content }}{{ messages[0].tool_calls is defined }}", "False"),
        ("{{ '<b>' }}{{ 'a' * 3 }}{{ '%s' % 'b' }}{{ '{}'.format('c') }}", "<b>aaabc"),
        ("{{ messages | pprint | length > 0 }}", "True"),
    ],
)
def test_templates_mean_what_they_mean_to_hugging_face(render: Render, template: str, prompt: str) -> None:
    assert render(template) == prompt


def test_a_conversation_by_a_common_template(render: Render) -> None:
    messages = [{"role": "system", "content": "Be brief. 🙂"}, *HELLO]
    opened = "<|im_start|>system\nBe brief. 🙂<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    assert render(CHATML, messages) == f"{opened}<|im_start|>assistant\n"
    assert render(CHATML, messages, add_generation_prompt=False) == opened


def test_variables_reach_the_template_as_they_are(render: Render) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"é": [1, None, True]}}}
    shown = render("{{ tools[0].function | tojson }}", tools=[tool])
    assert shown == '{"name": "f", "parameters": {"é": [1, null, true]}}'
    assert render("{{ enable_thinking }}", enable_thinking=False) == "False"
    calls = [{"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]
    assert render("{{ messages[0].content is none }}{{ messages[0].tool_calls[0].id }}", calls) == "True1"


def test_names_of_our_own_are_nothing_special(make: Callable[..., Renderer]) -> None:
    renderer = make("{{ line }}{{ source }}{{ messages[0].content }}")
    theirs = {"line": "a", "source": "b", "messages": "c", "self": "d"}
    assert asyncio.run(renderer.render(HELLO, **theirs)) == "abHello"


def test_without_a_template_there_is_no_prompt(render: Render) -> None:
    assert "--chat-template" in reason(render, None)


def test_a_template_may_refuse(render: Render) -> None:
    template = "{{ raise_exception('Roles must\nalternate.') }}"
    assert reason(render, template).endswith("cannot render these messages: Roles must alternate.")
    assert reason(render, "{{ raise_exception('x' * 9999) }}")


MISTAKES = {
    "{% if %}": "it is no valid Jinja",
    "{{ messages[0].content.foo.bar }}": "something that it needs is missing",
    "{% include '/etc/passwd' %}": "TypeError: no loader",
    "{% import 'os' as os %}": "TypeError: no loader",
    "{% extends 'a' %}": "TypeError: no loader",
    "{{ 1 / 0 }}": "ZeroDivisionError",
    "{{ messages[0].content + none }}": "TypeError",
    "{{ '\\ud800' }}": "UnicodeEncodeError",
}
ESCAPES = {
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "what templates may not",
    "{{ messages.__class__ }}!": "!",
    "{{ messages.append(1) }}": "what templates may not",
    "{{ messages[0].update({}) }}": "what templates may not",
    "{{ raise_exception.__globals__['sys'] }}": "what templates may not",
    "{{ strftime_now.__globals__.sys.exit() }}": "what templates may not",
    "{{ '{0.__class__.__mro__}'.format(messages) }}": "what templates may not",
    "{{ cycler.__init__.__globals__.os.system('true') }}": "what templates may not",
    "{{ (messages|map(attribute='__class__')|list)[0].x.y }}": "",
    "{{ messages|attr('__class__')|attr('__base__') }}": "",
}
GREED = {
    "{{ 'a' * 10**10 }}": "too much memory",
    "{% set x = 'a' * 10**8 %}{{ x ~ x ~ x ~ x ~ x ~ x }}": "",
    "{{ 'a' * 10**7 }}": "longer than 4,000,000 characters",
    "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}": "longer than 4,000,000 characters",
    "{{ range(10**9) | list }}": "Range too big",
    "{{ 'a' | center(10**11) }}": "",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "nested too deeply",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}": "nested too deeply",
    "{% if 1 %}" * 3000 + "{% endif %}" * 3000: "",
    "{{ " + "-" * 50000 + "1 }}": "",
    "a" * 1_000_000: "it has 1,000,000 characters",
    "{{ 'a' }}" * (MAX_TEMPLATE_CHARACTERS // 9): "",
    "{{ 9 ** (9 ** 9) }}": "longer than 2 seconds",
}


def test_mistakes_are_explained(render: Render) -> None:
    for template, said in MISTAKES.items():
        assert said in reason(render, template)


def test_the_sandbox_has_no_way_out(make: Callable[..., Renderer]) -> None:
    for template, said in ESCAPES.items():
        found = outcome(make(template))
        assert said in found
        assert "class" not in found.replace("'__class__'", "")


@pytest.mark.parametrize("template", GREED, ids=lambda template: f"{template[:30]} ({len(template)})")
def test_greed_does_no_harm(make: Callable[..., Renderer], template: str) -> None:
    renderer = make(template)
    begin = time.monotonic()
    assert GREED[template] in outcome(renderer)
    assert time.monotonic() - begin < SECONDS + 3
    renderer.template = CHATML  # the next conversation is rendered as if nothing had been
    assert "Hello" in asyncio.run(renderer.render(HELLO))


ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def test_endless_loops_end(make: Callable[..., Renderer]) -> None:
    renderer = make(ENDLESS)

    async def run() -> None:
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="longer than 2 seconds"):
                await renderer.render(HELLO)

    asyncio.run(run())
    renderer.template = CHATML
    assert asyncio.run(renderer.render(HELLO))


def test_a_dead_child_is_replaced(make: Callable[..., Renderer]) -> None:
    renderer = make(CHATML)
    first = asyncio.run(renderer.render(HELLO))
    child = child_of(renderer)
    child.kill()
    assert renderer._child is not None
    renderer._child._process.wait()
    assert asyncio.run(renderer.render(HELLO)) == first
    assert child_of(renderer) != child


def bytes_waiting(pid: int) -> int:
    """In the standard input of a process."""
    with open(f"/proc/{pid}/fd/0", "rb", buffering=0) as pipe:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_child_that_dies_on_the_way_is_told_of(make: Callable[..., Renderer]) -> None:
    renderer = make(CHATML)
    asyncio.run(renderer.render(HELLO))
    os.kill(child_of(renderer).pid, signal.SIGSTOP)

    async def run() -> None:
        waiting = asyncio.ensure_future(renderer.render(HELLO))
        while not bytes_waiting(child_of(renderer).pid):
            await asyncio.sleep(0.001)  # killed before it was asked, it would only be started anew
        os.kill(child_of(renderer).pid, signal.SIGKILL)
        with pytest.raises(EngineFailure, match="died"):
            await waiting

    asyncio.run(run())
    assert asyncio.run(renderer.render(HELLO))


def test_one_after_the_other_and_no_more_than_so_many(make: Callable[..., Renderer]) -> None:
    renderer = make("{{ messages[0].content }}")

    async def run() -> None:
        asked = [[{"role": "user", "content": str(i)}] for i in range(MAX_WAITING)]
        waiting = [asyncio.ensure_future(renderer.render(messages)) for messages in asked]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await renderer.render(HELLO)
        assert await asyncio.gather(*waiting) == [str(i) for i in range(MAX_WAITING)]
        assert await renderer.render(HELLO) == "Hello"

    asyncio.run(run())


def test_conversations_have_limits(render: Render) -> None:
    half = [{"role": "user", "content": "a" * (MAX_CONVERSATION_BYTES // 2)}]
    assert len(render("{{ messages[0].content }}", half)) == MAX_CONVERSATION_BYTES // 2
    assert "4,000,000 bytes" in reason(render, CHATML, half * 2)
    assert "surrogate" in reason(render, CHATML, [{"role": "user", "content": "\ud800"}])
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert "nested too deeply" in reason(render, CHATML, HELLO, tools=nested)


def test_the_child_starts_late_and_has_nothing(make: Callable[..., Renderer]) -> None:
    renderer = make(CHATML)
    assert renderer._child is None
    asyncio.run(renderer.render(HELLO))
    child = child_of(renderer)
    assert child.environ().keys() <= {"LD_LIBRARY_PATH", "TZ"}
    assert [file.path for file in child.open_files()] == []
    assert child.net_connections() == []
    assert child.memory_info().rss < 100 << 20
    loaded = {Path(region.path).name for region in child.memory_maps()}
    assert not any("llama" in name or "numba" in name or "numpy" in name for name in loaded)
    renderer.close()
    assert not child.is_running()


def test_an_orphan_ends() -> None:
    """Whatever ends the server: the child sees its standard input close, or its seconds run out."""
    program = (
        "import asyncio, os, sys\n"
        "from server.chat.renderer import Renderer\n"
        "renderer = Renderer(sys.argv[1], {})\n"
        "asyncio.run(renderer.render([]))\n"
        "print(renderer._child._process.pid, flush=True)\n"
        "renderer.template = sys.argv[2]\n"
        "asyncio.run(renderer.render([]))\n"
        "os._exit(0)\n"
    )
    for second in ("a", ENDLESS):
        parent = subprocess.Popen([sys.executable, "-c", program, "a", second], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        with parent.stdout:
            child = psutil.Process(int(parent.stdout.readline()))
        if second == ENDLESS:
            parent.kill()
        parent.wait()
        psutil.wait_procs([child], timeout=20)
        assert not child.is_running()
