"""Scores remembered by token path, long after the KV cache has forgotten the tokens.

A radix tree: an edge holds a run of tokens and the scores of each. Evaluation asks for the same contexts again and
again, with other endings or another metric; what was scored once is read from here, and needs no ``llama_decode``.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from server.engine.score_log import ScoreLog
from server.engine.scoring import Scores

FREED = 0.1
"""Share of the budget that is freed at once when it is exceeded, since finding the oldest leaves visits all."""
NODE_BYTES = 900
"""What Python and numpy take for a node beside its figures (measured): short endings take little else."""


def common_prefix(a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """How many leading tokens two sequences share."""
    n = min(len(a), len(b))
    differs = np.flatnonzero(a[:n] != b[:n])
    return int(differs[0]) if len(differs) else n


class _Node:
    """A run of tokens, what is known of each, and what came after it."""

    __slots__ = ("children", "parent", "scores", "tokens", "used_at")

    def __init__(self, tokens: NDArray[np.int32], scores: Scores, parent: _Node | None, used_at: int) -> None:
        self.tokens = tokens
        self.scores = scores
        """NaN as a log-probability: not known."""
        self.parent = parent
        self.children: dict[int, _Node] = {}
        self.used_at = used_at

    @property
    def k(self) -> int:
        return int(self.scores.top_ids.shape[1])

    @property
    def nbytes(self) -> int:
        return NODE_BYTES + self.tokens.nbytes + sum(column.nbytes for column in self.scores)

    def split(self, at: int) -> _Node:
        """Cut this run in two and return the first part, which takes this node's place."""
        upper = _Node(self.tokens[:at].copy(), self.scores.part(slice(0, at)).copy(), self.parent, self.used_at)
        upper.children[int(self.tokens[at])] = self
        assert self.parent is not None
        self.parent.children[int(self.tokens[0])] = upper
        self.tokens, self.scores, self.parent = self.tokens[at:].copy(), self.scores.part(slice(at, None)).copy(), upper
        return upper

    def alike(self, scores: Scores) -> int:
        """How many of the next tokens can be merged at once: the node knows all or none, and so does ``scores``."""
        n = len(scores.logprob)
        if self.k == scores.top_ids.shape[1]:
            return n
        known = np.stack([np.isnan(self.scores.logprob[:n]), np.isnan(scores.logprob)])
        changes = np.flatnonzero((known != known[:, :1]).any(axis=0))
        return int(changes[0]) if len(changes) else n

    def merge(self, scores: Scores) -> None:
        """Take the newest figures, so that who asks again is told the same; of the same ones, the most alternatives.

        Where ``scores`` has another ``k``, all must be :meth:`alike`.
        """
        known = ~np.isnan(scores.logprob)
        if self.k == scores.top_ids.shape[1]:
            mine = self.scores
            mine.logprob[known], mine.rank[known] = scores.logprob[known], scores.rank[known]
            mine.top_ids[known], mine.top_logprobs[known] = scores.top_ids[known], scores.top_logprobs[known]
        elif known[0] and (scores.top_ids.shape[1] > self.k or (scores.logprob != self.scores.logprob).any()):
            self.scores = scores.copy()


class ScoreTree:
    """Scores by token path, the least recently used forgotten first. Used by one thread only."""

    def __init__(self, budget: int) -> None:
        """Hold at most ``budget`` bytes."""
        self._budget = budget
        self._roots: dict[str, _Node] = {}
        self._tick = 0
        self.nbytes = 0

    def fill(self, log: ScoreLog, tokens: NDArray[np.int32], namespace: str) -> None:
        """Append to ``log`` what is known of ``tokens`` from ``log.end`` on, up to the first gap."""
        node, depth = self._roots.get(namespace), 0
        self._tick += 1
        while node is not None and depth < len(tokens):
            node = node.children.get(int(tokens[depth]))
            if node is None:
                return
            node.used_at = self._tick
            shared = common_prefix(node.tokens, tokens[depth:])
            begin = log.end - depth
            if begin < shared:
                if node.k < log.k:
                    return
                gaps = np.flatnonzero(np.isnan(node.scores.logprob[begin:shared]))
                end = begin + int(gaps[0]) if len(gaps) else shared
                log.append(node.scores.part(slice(begin, end)))
                if end < shared:
                    return
            if shared < len(node.tokens):
                return
            depth += shared

    def insert(self, log: ScoreLog, tokens: NDArray[np.int32], namespace: str) -> None:
        """Remember what ``log`` says of ``tokens``."""
        if log.end == log.first:
            return
        self._tick += 1
        scores, tokens = log.snapshot(), tokens[: log.end].copy()
        node, depth = self._roots.setdefault(namespace, _empty_root()), 0
        while depth < len(tokens):
            rest = scores.part(slice(depth, None))
            child = node.children.get(int(tokens[depth]))
            if child is None:
                child = _Node(tokens[depth:].copy(), rest.copy(), node, self._tick)
                node.children[int(tokens[depth])] = child
                self.nbytes += child.nbytes
                break
            shared = child.alike(rest.part(slice(0, common_prefix(child.tokens, tokens[depth:]))))
            if shared < len(child.tokens):
                child = child.split(shared)
                self.nbytes += NODE_BYTES
            before = child.nbytes
            child.used_at = self._tick
            child.merge(rest.part(slice(0, shared)))
            self.nbytes += child.nbytes - before
            node, depth = child, depth + shared
        if self.nbytes > self._budget:
            self._forget()

    def clear(self) -> None:
        """Forget everything."""
        self._roots.clear()
        self.nbytes = 0

    def _forget(self) -> None:
        """Drop the leaves that were unused for longest; what they hung on may then be a leaf."""
        order = itertools.count()  # nodes have none
        heap = [(leaf.used_at, next(order), leaf) for leaf in self._leaves()]
        heapq.heapify(heap)
        while self.nbytes > self._budget * (1 - FREED):
            _, _, leaf = heapq.heappop(heap)
            parent = leaf.parent
            assert parent is not None
            del parent.children[int(leaf.tokens[0])]
            self.nbytes -= leaf.nbytes
            if not parent.children and parent.parent is not None:
                heapq.heappush(heap, (parent.used_at, next(order), parent))
        self._roots = {namespace: root for namespace, root in self._roots.items() if root.children}

    def _leaves(self) -> Iterator[_Node]:
        stack = [child for root in self._roots.values() for child in root.children.values()]
        while stack:
            node = stack.pop()
            if node.children:
                stack.extend(node.children.values())
            else:
                yield node


def _empty_root() -> _Node:
    return _Node(np.empty(0, np.int32), Scores.empty(0, 0), None, 0)
