"""Whose turn it is to be looked at."""

from __future__ import annotations

from wsgigroups.manager.supervision.rounds import Rounds


def test_new_ones_come_at_once_and_others_when_it_is_their_time() -> None:
    rounds = Rounds()
    rounds.follow([1, 2], 10.0)
    assert rounds.due(10.0) == [1, 2]
    rounds.again(1, 11.0)
    rounds.again(2, 14.0)
    assert rounds.due(10.97) == [1], "a round that is a little early misses nobody"
    rounds.again(1, 12.0)
    rounds.follow([1, 2, 3], 14.0)
    assert sorted(rounds.due(14.0)) == [1, 2, 3]
    rounds.follow([1, 2, 3], 20.0)
    assert rounds.due(20.0) == []


def test_those_that_are_gone_are_told_once_and_have_no_turn() -> None:
    rounds = Rounds()
    rounds.follow([1, 2], 10.0)
    rounds.due(10.0)
    rounds.again(1, 11.0)
    rounds.again(2, 11.0)
    assert rounds.follow([2, 3], 11.0) == {1}
    assert rounds.follow([2, 3], 11.0) == set()
    assert rounds.due(11.0) == [2, 3]


def test_a_turn_that_comes_sooner_takes_the_place_of_the_other() -> None:
    rounds = Rounds()
    rounds.follow([1], 10.0)
    assert rounds.due(10.0) == [1]
    rounds.again(1, 25.0)
    rounds.again(1, 12.0)
    assert rounds.due(12.0) == [1]
    rounds.again(1, 30.0)
    assert rounds.due(25.0) == []
    assert rounds.due(30.0) == [1]
