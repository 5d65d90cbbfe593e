"""Train the bundled reference model: ``python -m tools.reference_model.train --out DIR``.

Stops and goes on: every thousand steps the whole state is written to ``DIR/state.pt``, and a second call with the
same directory continues from there. One seed decides vocabulary, initial weights and every batch.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from harness.layout import LETTERS, QUESTION
from harness.scenarios.world import phrasings, questions
from harness.scenarios.world.facts import World, build_world
from harness.scenarios.world.questions import Question
from tools.reference_model import data
from tools.reference_model import tokenizer as vocabulary
from tools.reference_model.muon import Muon
from tools.reference_model.network import Network, Shape

SEED = 1
PEAK_RATE = 3e-3
WARMUP = 200
DECAY_SHARE = 0.4
"""Share of all steps over which the learning rate falls linearly to zero."""
SAVE_EVERY = 1000
N_PROBES = 60


def learning_rate(step: int, steps: int) -> float:
    """Warm-up, plateau, linear decay to zero."""
    decay = steps * DECAY_SHARE
    return PEAK_RATE * min(1.0, (step + 1) / WARMUP, (steps - step) / decay)


def optimizers_for(network: Network) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for embedding, output and norms.

    Against AdamW alone the same loss came after 600 steps instead of 1,080, a step taking 1.3 times as long.
    """
    blocks = [p for p in network.blk.parameters() if p.dim() == 2]
    rest = [p for name, p in network.named_parameters() if not name.startswith("blk.") or p.dim() != 2]
    return [
        Muon(blocks, PEAK_RATE),
        torch.optim.AdamW(rest, lr=PEAK_RATE, weight_decay=0.0, betas=(0.9, 0.98), fused=True),
    ]


def probes(world: World) -> dict[str, list[Question]]:
    """Held-out questions per task, to watch the training by. The harness measures the finished model."""
    rng = random.Random(f"{SEED}/probes")
    return {
        "facts": questions.fact_questions(world, phrasings.ONE_STEP, rng=rng)[:N_PROBES],
        "two_step": questions.fact_questions(world, phrasings.TWO_STEP, rng=rng)[:N_PROBES],
        "sums": [questions.random_sum(rng, held_out=True) for _ in range(N_PROBES)],
        "larger": [questions.random_larger(rng, held_out=True) for _ in range(N_PROBES)],
        "older": [questions.random_older(world, rng, held_out=True) for _ in range(N_PROBES)],
    }


def lettered_probes(world: World) -> list[Question]:
    """Held-out multiple-choice questions whose answer is a letter."""
    rng = random.Random(f"{SEED}/lettered")
    found: list[Question] = []
    for question in questions.fact_questions(world, phrasings.ONE_STEP, rng=rng)[:N_PROBES]:
        options = questions.choices(world, question, rng)
        letter = LETTERS[options.index(question.answer)]
        found.append(Question("letter", QUESTION.asked(QUESTION.listed(question.text, options)), letter))
    return found


@torch.no_grad()
def exact_match(network: torch.nn.Module, tokenizer: Tokenizer, asked: list[Question]) -> float:
    """Share of questions whose whole answer is the greedy continuation (teacher-forced: the same thing)."""
    bos = tokenizer.token_to_id(vocabulary.BOS)
    right = 0
    for question in asked:
        asked_as = question.text if question.kind == "letter" else QUESTION.asked(QUESTION.input(question.text))
        prompt = [bos, *tokenizer.encode(asked_as).ids]
        answer = tokenizer.encode(f" {question.answer}").ids
        greedy = network(torch.tensor([prompt + answer]))[0, len(prompt) - 1 :].argmax(-1).tolist()
        right += greedy[:-1] == answer and tokenizer.decode(greedy[-1:]).startswith("\n")
    return right / len(asked)


def loss_of(network: torch.nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Weighted mean cross-entropy in nats."""
    inputs, targets, weight = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(inputs)
    losses = functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
    return (losses * weight.flatten()).sum() / weight.sum()


def save(path: Path, state: dict[str, object]) -> None:
    """Write the state whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of state and vocabulary")
    parser.add_argument("--steps", type=int, default=9_500)
    parser.add_argument("--stop-at", type=int, default=None, help="leave the schedule as it is, but stop at this step")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)

    world = build_world()
    vocabulary_file = args.out / "tokenizer.json"
    if not vocabulary_file.exists():
        vocabulary.learn(world, SEED).save(str(vocabulary_file))
    tokenizer = Tokenizer.from_file(str(vocabulary_file))

    network = Network(Shape(vocabulary=tokenizer.get_vocab_size()))
    optimizers = optimizers_for(network)
    compiled = torch.compile(network, dynamic=False)
    state_file, first = args.out / "state.pt", 0
    if state_file.exists():
        state = torch.load(state_file)
        network.load_state_dict(state["network"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
    print(
        f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, from step {first} of {args.steps}",
        flush=True,
    )

    asked = probes(world) | {"letter": lettered_probes(world)}
    begun, mean_loss = time.monotonic(), 0.0
    last = args.stop_at or args.steps
    for step in range(first, last):
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = learning_rate(step, args.steps)
        loss = loss_of(compiled, data.batch(world, tokenizer, SEED, step))
        network.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        mean_loss += (loss.item() - mean_loss) / min(step - first + 1, 100)
        if (step + 1) % 100 == 0:
            rate = (step + 1 - first) * data.TOKENS_PER_STEP / (time.monotonic() - begun)
            print(f"step {step + 1}  loss {mean_loss:.4f}  {rate:.0f} tokens/s", flush=True)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == last:
            saved = {"network": network.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
            save(state_file, saved | {"step": step + 1})
            scores = "  ".join(f"{task} {exact_match(network, tokenizer, some):.3f}" for task, some in asked.items())
            print(f"step {step + 1}  {scores}", flush=True)


if __name__ == "__main__":
    main()
