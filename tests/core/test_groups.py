"""Pairs become groups, whatever their order."""

import itertools

from core.analyzer.groups import grouped, listed


def test_what_pairs_connect_is_one_group_with_its_largest_value():
    pairs = [("a", "b", 1.0), ("c", "d", 2.0), ("b", "c", 0.5), ("x", "y", 0.1)]
    for order in itertools.permutations(pairs):
        found = {frozenset(names): value for names, value in grouped(order)}
        assert found == {frozenset("abcd"): 2.0, frozenset("xy"): 0.1}


def test_long_lists_are_counted():
    assert [listed(tuple("abcdefg"[:count])) for count in (1, 2, 3, 4, 7)] == ["a", "a and b", "a, b and c", "a, b and 2 more", "a, b and 5 more"]
