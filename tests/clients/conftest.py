"""Real clients, unchanged, in interpreters of their own, against a real server on the bundled model.

``make test-clients`` names the interpreters: ``HARNESS_TEST_EVALS`` has crfm-helm, lm-eval, litellm and openai 2, and
``HARNESS_TEST_CLIENTS`` inspect_ai, langchain-openai and openai 3. A test whose interpreter is not named is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

SCRIPTS = Path(__file__).parent / "scripts"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ {'user': 'Question: ', 'assistant': 'Answer: '}.get(message.role, '') }}{{ message.content }}\n"
    "{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"
)
# A proxy that is a closed port leaves no network but loopback; the rest keeps them from trying it for minutes.
ALONE = {
    **{name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")},
    **{"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "HELM_RETRIES": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    **{name: "1" for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "DO_NOT_TRACK")},
}


@dataclass(frozen=True)
class Client:
    """An interpreter that has other people's packages, a home of its own, and no network but loopback."""

    python: Path
    home: Path

    def run(
        self, *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python WORDS``; it has to end well."""
        return self._run([str(self.python), *map(str, words)], cwd, env, timeout)

    def program(
        self,
        name: str,
        *words: str | Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        timeout: float = 240,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that lies beside the interpreter, such as ``helm-run``; it has to end well."""
        return self._run([str(self.python.parent / name), *map(str, words)], cwd, env, timeout)

    def shell(self, line: str, *, cwd: Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run a line that somebody would paste; its programs are those beside the interpreter. It has to end well."""
        return self._run(["bash", "-euo", "pipefail", "-c", line], cwd, None, timeout)

    def script(self, source: str, *arguments: str | Path, timeout: float = 240) -> Any:
        """What a script prints last, as JSON."""
        return _last_line(self.run("-c", source, *arguments, timeout=timeout))

    def script_file(self, name: str, *arguments: str | Path, timeout: float = 240) -> Any:
        """The same of a script in this folder's ``scripts/``."""
        return _last_line(self.run(SCRIPTS / name, *arguments, timeout=timeout))

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        """This process's own, but for what belongs to the user or to our programs."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HARNESS_", "QUANT_", "XDG_"))}
        path = {"PATH": f"{self.python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}"}
        return kept | ALONE | path | {"HOME": str(self.home), "PYTHONHASHSEED": "0"} | (more or {})

    def _run(
        self, command: list[str], cwd: Path | None, env: dict[str, str] | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=cwd or self.home,
            env=self.environment(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done


def _last_line(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout.splitlines()[-1])


def _client(variable: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    named = os.environ.get(variable)
    if named is None:
        pytest.skip(f"{variable} names no interpreter; make test-clients does")
    # Not resolved: an interpreter of a virtual environment is a link, and knows by its own name where it lies.
    return Client(Path(named).absolute(), tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def evals_python(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """An interpreter with crfm-helm, lm-eval, litellm and openai 2."""
    return _client("HARNESS_TEST_EVALS", tmp_path_factory)


@pytest.fixture(scope="session")
def clients_python(tmp_path_factory: pytest.TempPathFactory) -> Client:
    """An interpreter with inspect_ai, langchain-openai and openai 3."""
    return _client("HARNESS_TEST_CLIENTS", tmp_path_factory)


def write_in_f32(source: Path, path: Path, *, add_bos: bool) -> Path:
    """Write a model of F16 weights again in F32: the same numbers, but what is decoded together cannot move results.

    Args:
        source: an F16 GGUF.
        path: where to write it.
        add_bos: whether BOS is to go before its prompts.
    """
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, str(reader.fields["general.architecture"].contents()))
    changed = {
        "tokenizer.ggml.add_bos_token": add_bos,
        "general.file_type": int(gguf.LlamaFileType.ALL_F32),
    }
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            contents = changed.pop(name, field.contents())
            writer.add_key_value(name, contents, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    assert not changed, f"{source} has no {', '.join(changed)}"
    for tensor in reader.tensors:
        weights = tensor.data.astype(np.float32)  # [rows, columns]: the shape in the file is the other way round
        writer.add_tensor(tensor.name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def world_model(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in F32: BOS goes before its prompts."""
    return write_in_f32(bundled, tmp_path_factory.mktemp("world") / "world.gguf", add_bos=True)


@pytest.fixture(scope="session")
def world_model_without_bos(bundled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model in F32, whose prompts begin with nothing."""
    return write_in_f32(bundled, tmp_path_factory.mktemp("world") / "world-without-bos.gguf", add_bos=False)


@pytest.fixture(scope="session")
def chat_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conversation as questions and answers."""
    path = tmp_path_factory.mktemp("template") / "questions.jinja"
    path.write_text(CHAT_TEMPLATE, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def world(
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    world_model: Path,
    chat_template: Path,
) -> ServerUnderTest:
    """A server of the bundled model whose log-probabilities come again to 1e-3 whatever else it computes.

    Conversations are questions and answers, as the model has learned them.
    """
    return serve(world_model, *server_type.STEADY, f"--chat-template={chat_template}")


@pytest.fixture(scope="session")
def world_without_bos(
    serve: Callable[..., ServerUnderTest],
    server_type: type[ServerUnderTest],
    world_model_without_bos: Path,
    chat_template: Path,
) -> ServerUnderTest:
    """The same of the bundled model without BOS."""
    return serve(world_model_without_bos, *server_type.STEADY, f"--chat-template={chat_template}")


@pytest.fixture(scope="session", params=["world", "world_without_bos"])
def either_world(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Each of the two in turn."""
    found: ServerUnderTest = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def guarded_world(
    serve: Callable[..., ServerUnderTest], server_type: type[ServerUnderTest], world_model: Path
) -> ServerUnderTest:
    """A server that wants the key ``secret``, and has room for few."""
    return serve(world_model, *server_type.STEADY, "--api-key=secret", "--slots=1", "--max-waiting=4")


def answer_of(server: ServerUnderTest, path: str = "/v1/completions", **fields: Any) -> dict[str, Any]:
    """What a server answers to JSON, without a client between; greedy unless ``fields`` say otherwise."""
    answer = server.http.post(path, json={"model": server.id, "temperature": 0} | fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture(scope="session")
def ask() -> Callable[..., dict[str, Any]]:
    """:func:`answer_of`."""
    return answer_of
