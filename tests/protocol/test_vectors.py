"""Every vector of tests/vectors, one test each: the good ones give what they say, the bad ones exactly their code."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from tests.helpers.vector_runs import FOLDER, OPERATIONS, Vector, from_plain, load, run
from tests.vectors.generator import __main__ as make_vectors
from tests.vectors.generator import base, seals
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.words import WordsInvalid

GOOD = load(good=True)
BAD = load(good=False)


def _comparable(value: Any) -> Any:
    """Expectations name bytes by hex; what was run gives bytes."""
    if isinstance(value, dict) and not value.keys() & {"bin", "text"}:
        return {key: _comparable(each) for key, each in value.items()}
    return from_plain(value)


def _expected(vector: Vector, got: dict[str, Any]) -> Any:
    expected = dict(vector.expect)
    for key, value in got.items():
        if isinstance(value, bytes):
            expected[key] = {"bin": expected[key]}
    return _comparable(expected)


@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector.id)
def test_good_vector(vector: Vector) -> None:
    got = run(vector)
    assert _comparable(got) == _expected(vector, got)


@pytest.mark.parametrize("vector", BAD, ids=lambda vector: vector.id)
def test_bad_vector(vector: Vector) -> None:
    assert vector.error is not None
    if vector.error["code"] is None:
        with pytest.raises(WordsInvalid):
            run(vector)
        return
    with pytest.raises(RemoteProtocolError) as caught:
        run(vector)
    assert (caught.value.code.name, caught.value.code.value) == (vector.error["name"], vector.error["code"])


def test_enough_vectors_of_every_operation() -> None:
    assert len(BAD) >= 700
    assert len(GOOD) >= 170
    assert {vector.operation for vector in GOOD} | {"seal_to"} == set(OPERATIONS)
    assert len({vector.id for vector in GOOD + BAD}) == len(GOOD + BAD)
    kinds = {vector.expect["kind"] for vector in GOOD if vector.operation == "frame"}
    assert kinds == {kind.__name__ for kind in get_args(m.Message)}


def test_the_generators_codes_are_the_packages() -> None:
    assert {code.name: code.value for code in Code} == base.CODES


def test_the_files_are_what_the_generator_makes() -> None:
    kept = seals.kept_from(FOLDER / "seals.json")
    for name, text in make_vectors.files(kept).items():
        assert (FOLDER / name).read_text() == text, f"{name} is out of date: run `make vectors`"
