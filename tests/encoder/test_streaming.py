"""Names that are tokenised on the way are encoded as those tokenised before."""

import threading

import pytest
import torch

import embedlink.encoder.streaming as streaming
from embedlink.encoder.inference import Share
from embedlink.encoder.streaming import StreamedNames
from embedlink.encoder.tokens import tokenise_names

TEXTS = [f"{word} {number}" for number in range(9) for word in ("fever", "heart failure", "ms")]


@pytest.mark.parametrize("chunk", [1, 10, 27, 100])
def test_the_vectors_are_the_same(linker, chunk, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", chunk)
    expected = linker.encoder.encode(tokenise_names(linker.tokenizer, TEXTS, 16))
    names = StreamedNames(linker.tokenizer, TEXTS, 16)
    torch.testing.assert_close(linker.encoder.encode(names, 64), expected)
    assert len(names.lengths) == len(names) == len(TEXTS)
    whole = linker.encoder.encode(names, 64)
    shares = [linker.encoder.encode(Share(names, part, 2), 64) for part in range(2)]
    assert torch.equal(shares[0] + shares[1], whole)  # Zero where it is not a process' own.


def test_the_next_chunk_is_tokenised_beside_the_present_one(linker, monkeypatch):
    monkeypatch.setattr(streaming, "CHUNK", 10)
    begun, threads = threading.Semaphore(0), set()

    def noted(*arguments):
        threads.add(threading.current_thread())
        begun.release()
        return tokenise_names(*arguments)

    monkeypatch.setattr(streaming, "tokenise_names", noted)
    batches = StreamedNames(linker.tokenizer, TEXTS, 16).batches(64)
    next(batches)
    assert all(begun.acquire(timeout=10) for _ in range(2))  # The first chunk, and the next.
    assert not begun.acquire(timeout=0.1)  # But no further one.
    batches.close()
    assert threading.current_thread() not in threads


def test_no_names(linker):
    assert linker.encoder.encode(StreamedNames(linker.tokenizer, [], 16)).shape == (0, 32)


def test_vectors_in_half_precision_are_the_others_rounded(linker):
    expected = linker.encoder.encode(tokenise_names(linker.tokenizer, TEXTS, 16))
    found = linker.encoder.encode(tokenise_names(linker.tokenizer, TEXTS, 16), dtype=torch.bfloat16)
    assert torch.equal(found, expected.bfloat16())
