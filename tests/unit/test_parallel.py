"""Pieces of a fit side by side, and what is prepared ahead of them."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial

import pytest
import torch

from scoring.regression.parallel import ahead, crew_for

CPU = torch.device("cpu")


class Prepared:
    """Something that is held as long as it is needed."""

    def __init__(self, number):
        self.number = number


@pytest.fixture(params=[1, 2, 4])
def crew(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    with crew_for(CPU) as made:
        yield made
    torch.set_num_threads(before)


def product(factor, prepared):
    return factor * prepared.number


def products_of(n_pieces):
    return lambda item: [partial(product, factor) for factor in range(n_pieces)]


@pytest.mark.parametrize("n_pieces", [0, 1, 5])
def test_every_item_gives_its_pieces_in_order_and_is_prepared_once(crew, n_pieces):
    asked, lock = [], threading.Lock()

    def prepare(number):
        with lock:
            asked.append(number)
        return Prepared(number)

    found = list(ahead(crew, [3, 1, 2], prepare, products_of(n_pieces)))
    assert found == [[factor * number for factor in range(n_pieces)] for number in (3, 1, 2)]
    assert sorted(asked) == [1, 2, 3]


def test_nothing_is_asked_of_nobody(crew):
    assert list(ahead(crew, [], Prepared, products_of(2))) == []


def test_what_was_prepared_is_forgotten(crew):
    made = []

    def prepare(number):
        prepared = Prepared(number)
        made.append(weakref.ref(prepared))
        return prepared

    for _ in ahead(crew, range(6), prepare, products_of(3)):
        pass
    gc.collect()
    assert [one() for one in made] == [None] * 6


@pytest.mark.parametrize("where", ["prepare", "piece"])
def test_what_fails_is_raised(crew, where):
    def prepare(number):
        if where == "prepare" and number == 2:
            raise ZeroDivisionError("prepare")
        return Prepared(number)

    def piece(prepared):
        if where == "piece" and prepared.number == 2:
            raise ZeroDivisionError("piece")
        return prepared.number

    found = []
    with pytest.raises(ZeroDivisionError, match=where):
        found.extend(ahead(crew, [1, 2, 3], prepare, lambda item: [piece]))
    assert found in ([], [[1]])
