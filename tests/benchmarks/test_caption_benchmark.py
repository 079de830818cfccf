"""The splits and the baseline that captions of emoji are measured by."""

import itertools
from types import SimpleNamespace

import numpy as np

from benchmarks.captions import combinations, found, nearest, scores

WHO, ACTS, TONES = (
    ("man", "woman", "person"),
    ("cook", "runner", "juggling", "judge"),
    ("light skin tone", "dark skin tone"),
)
CAPTIONS = {f"{a}-{b}-{c}.png": f"{a} {b}: {c}" for a, b, c in itertools.product(WHO, ACTS, TONES)}


def test_what_is_left_out_occurs_in_other_company():
    others = {"apple.png": "red apple", "family.png": "family: man, woman", "wave.png": "waving hand: dark skin tone"}
    chosen = set(combinations({**CAPTIONS, **others}))
    assert 0 < len(chosen) < len(CAPTIONS) / 3
    assert not chosen & set(others)
    left = [tuple(text.replace(":", "").split(" ", 2)) for file, text in CAPTIONS.items() if file not in chosen]
    for file in chosen:
        for part in CAPTIONS[file].replace(":", "").split(" ", 2):
            assert any(part in one for one in left)


def test_the_nearest_neighbour_is_nearest(rng):
    pictures = rng.integers(0, 256, (20, 4, 4, 3)).astype(np.uint8)
    there = SimpleNamespace(seen=pictures, captions=[[f"Number {i}"] for i in range(20)])
    close = np.clip(pictures[[3, 17]].astype(int) + rng.integers(-9, 10, (2, 4, 4, 3)), 0, 255).astype(np.uint8)
    assert nearest(there, SimpleNamespace(seen=close)) == [["number", "3"], ["number", "17"]]


def test_scores_and_what_is_found_in_a_report():
    said = [["a", "red", "ring"], ["a", "blue", "star"], ["a", "blue", "star"]]
    assert scores(said, [[one] for one in said]) == ["100.00", "0.00", "7.500", "100.0", "66.7"]
    assert found(r"true ([\d.]+) %", "x\ntrue 93.0 %  (all)") == "93.0"
    assert found(r"true ([\d.]+) %", "nothing") == "-"
