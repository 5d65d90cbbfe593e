"""Models and servers that the tests share. All are real: small GGUF files, served by ``python -m server`` processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import httpx
import numpy as np
import openai
import pytest
from openai.types import Completion, CompletionChoice

# A shell has its background jobs ignore Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
BUNDLED = ROOT / "harness" / "models" / "bundled" / "world-f16.gguf"
WIDTH = 256
EOS = "tokenizer.ggml.eos_token_id"


def write_random_llama(
    path: Path,
    *,
    eos: int | None = None,
    broken_token: int | None = None,
    chat_template: str | None = None,
    metadata: Mapping[str, int | str | list[Any]] | None = None,
    seed: int = 0,
) -> Path:
    """Write a Llama of two layers with random weights, the bundled model's vocabulary, and no BOS before its prompts.

    Its weights are F32: llama.cpp rounds the other side of a product to F16 where one is, and what is decoded together
    then moves results by as much as 0.005.

    Args:
        path: where to write it.
        eos: the token that ends generation, if not the vocabulary's own.
        broken_token: a token whose embedding is not a number, so that no prompt with it has logits.
        chat_template: Jinja source.
        metadata: other fields, new or in place of the vocabulary's.
        seed: of the weights.
    """
    rng = np.random.default_rng(seed)
    tokenizer = {name: field for name, field in gguf.GGUFReader(BUNDLED).fields.items() if name.startswith("tokenizer")}
    n_vocab = len(tokenizer["tokenizer.ggml.tokens"].data)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    for name, field in tokenizer.items():
        if name in (metadata or {}):
            continue
        value = {"tokenizer.ggml.add_bos_token": False, EOS: eos}.get(name)
        contents = field.contents() if value is None else value
        writer.add_key_value(name, contents, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    if chat_template is not None:
        writer.add_chat_template(chat_template)
    for name, plain in (metadata or {}).items():
        writers = {str: writer.add_string, list: writer.add_array, bool: writer.add_bool}
        writers.get(type(plain), writer.add_uint32)(name, plain)

    def add(name: str, *shape: int, scale: float = WIDTH**-0.5) -> None:
        values = rng.normal(0, scale, shape).astype(np.float32)
        if name == "token_embd" and broken_token is not None:
            values[broken_token] = np.nan
        writer.add_tensor(f"{name}.weight", values)

    add("token_embd", n_vocab, WIDTH, scale=1)
    add("output", n_vocab, WIDTH, scale=3 * WIDTH**-0.5)  # logits far enough apart that rounding reorders few
    for layer in ("blk.0", "blk.1"):
        for matrix in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
            add(f"{layer}.{matrix}", WIDTH, WIDTH)
    for norm in ("output_norm", *(f"{layer}.{part}_norm" for layer in ("blk.0", "blk.1") for part in ("attn", "ffn"))):
        writer.add_tensor(f"{norm}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def split_model(source: Path, folder: Path, tensors_a_part: int, stem: str = "split") -> list[Path]:
    """Write a GGUF again as several, in the way of llama-gguf-split: all metadata are in the first."""
    reader = gguf.GGUFReader(source)
    folder.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(folder / f"{stem}.gguf", "llama", split_max_tensors=tensors_a_part)
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name != "general.architecture":
            writer.add_key_value(
                name, field.contents(), field.types[0], field.types[-1] if len(field.types) > 1 else None
            )
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return sorted(folder.glob(f"{stem}-*-of-*.gguf"))


class Specials(NamedTuple):
    """Texts that stand for special tokens."""

    bos: str
    eos: str


class ServerUnderTest:
    """``python -m server`` on a free port, with clients for it; it ends when its standard input closes."""

    STEADY = ("--flash-attention=off", "--cache-type-k=f32", "--cache-type-v=f32")
    """With these, and F32 weights, what else is in the cache or the batch hardly moves results.

    Else it does: sums are rounded to F16, and in another order where a prompt lies in other cells of the cache.
    """

    def __init__(self, model: Path, log: Path, *options: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "server", str(model), "--port=0", "--threads=1", "--exit-with-stdin", *options]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("QUANT_SERVER_")}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
            )
        assert self.process.stdout is not None
        self.banner = self.process.stdout.readline().decode()
        if not self.banner:
            self.stop()
            raise AssertionError(f"the server did not start: {log.read_text()}")
        _, self.id, _, self.url = self.banner.split()
        self.http = httpx.Client(base_url=self.url.removesuffix("/v1"), timeout=60, trust_env=False)
        self.openai = openai.OpenAI(base_url=self.url, api_key="none", max_retries=0, timeout=60)

    def complete(self, prompt: Any, **fields: Any) -> Completion:
        """Ask the way clients do; greedy unless ``fields`` say otherwise."""
        return self.openai.completions.create(**{"model": self.id, "prompt": prompt, "temperature": 0} | fields)

    def score(self, prompt: Any, **fields: Any) -> CompletionChoice:
        """One prompt's own log-probabilities."""
        return self.complete(prompt, **{"echo": True, "max_tokens": 0, "logprobs": 0} | fields).choices[0]

    def post(self, body: object) -> httpx.Response:
        """Send a body that a client might not let through: NaN, and half a surrogate pair, are allowed."""
        headers = {"content-type": "application/json"}
        return self.http.post("/v1/completions", content=json.dumps(body).encode(), headers=headers)

    def stop(self, how: signal.Signals | None = None) -> int:
        """End the server by a signal, or by closing its standard input; return its exit status."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.banner:
            self.http.close()
            self.openai.close()
        if how is not None:
            self.process.send_signal(how)
        else:
            self.process.stdin.close()
        try:
            return self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The bundled model: BOS goes before every prompt, context 2,048."""
    return BUNDLED


@pytest.fixture(scope="session")
def specials(bundled: Path) -> Specials:
    """The names of BOS and EOS, in the bundled model and in those that have its vocabulary."""
    fields = gguf.GGUFReader(bundled).fields
    names = fields["tokenizer.ggml.tokens"].contents()
    return Specials(*(names[fields[f"tokenizer.ggml.{kind}_token_id"].contents()] for kind in ("bos", "eos")))


@pytest.fixture(scope="session")
def make_llama() -> Callable[..., Path]:
    """:func:`write_random_llama`."""
    return write_random_llama


@pytest.fixture(scope="session")
def split_gguf() -> Callable[..., list[Path]]:
    """:func:`split_model`."""
    return split_model


@pytest.fixture(scope="session")
def no_bos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that begins its prompts with nothing, context 1,024."""
    return write_random_llama(tmp_path_factory.mktemp("models") / "no-bos.gguf")


@pytest.fixture(scope="session")
def server_type() -> type[ServerUnderTest]:
    """For servers that a test starts and stops by itself."""
    return ServerUnderTest


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., ServerUnderTest]]:
    """A server for a model and options: the same process for the same arguments, all through the test run."""
    logs = tmp_path_factory.mktemp("servers")
    servers: dict[tuple[str, ...], ServerUnderTest] = {}

    def get(model: Path, *options: str) -> ServerUnderTest:
        key = (str(model), *options)
        if key not in servers:
            servers[key] = ServerUnderTest(model, logs / f"{len(servers)}.log", *options)
        return servers[key]

    with contextlib.ExitStack() as stack:
        try:
            yield get
        finally:
            for server in servers.values():  # to end in good order takes each of them a second
                stack.callback(server.stop, signal.SIGKILL)


@pytest.fixture(scope="session")
def bundled_server(serve: Callable[..., ServerUnderTest], bundled: Path) -> ServerUnderTest:
    """The bundled model, served with default options."""
    return serve(bundled)


@pytest.fixture(scope="session")
def no_bos_server(serve: Callable[..., ServerUnderTest], no_bos: Path) -> ServerUnderTest:
    """The model without BOS, served with default options."""
    return serve(no_bos)


@pytest.fixture(scope="session")
def steady_server(serve: Callable[..., ServerUnderTest], no_bos: Path) -> ServerUnderTest:
    """The model without BOS, under a name of its own, with results that come again: see ``STEADY``."""
    return serve(no_bos, *ServerUnderTest.STEADY, "--alias=test/steady")


@pytest.fixture(params=["bundled_server", "no_bos_server"])
def server(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Each of the two models in turn."""
    found: ServerUnderTest = request.getfixturevalue(request.param)
    return found
