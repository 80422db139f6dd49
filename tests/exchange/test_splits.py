"""Sides of a split: nothing stands on two of them, and nothing moves when scans are added."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_fada.errors import ExchangeError
from napari_fada.exchange.audit import audit
from napari_fada.exchange.near import BITS, NEAR, distance, near_pairs, nearest, perceptual_hash
from napari_fada.exchange.splits import Member, SplitPlan, assign

THREE = SplitPlan("examination", {"train": 0.7, "val": 0.15, "test": 0.15}, seed=3)

members = st.lists(
    st.builds(
        lambda group, pixels, view, classes, near: (group, pixels, view, classes, near),
        st.integers(0, 12),
        st.integers(0, 400),
        st.sampled_from(["", "BPD_PLANE", "AC_PLANE"]),
        st.frozensets(st.sampled_from(["Brain", "CSP", "LV"])),
        st.one_of(st.none(), st.integers(0, 30)),
    ),
    min_size=1,
    max_size=40,
).map(
    lambda rows: [
        Member(f"{i:02d}", f"g{group}", f"p{pixels}", view, classes, _hash(near))
        for i, (group, pixels, view, classes, near) in enumerate(rows)
    ]
)


def _hash(seed):
    """Hashes of one seed are one; of neighbouring seeds some are near."""
    if seed is None:
        return None
    base = random.Random(seed // 3).getrandbits(BITS)
    return base ^ ((1 << (10 * (seed % 3))) - 1)


@settings(deadline=None, max_examples=150)
@given(members)
def test_nothing_stands_on_two_sides(found):
    result = assign(found, THREE)
    proof = audit(found, result.sides, THREE, result.moved)
    assert proof.clean, proof.told()
    for m in found:
        assert result.sides[m.key] == result.groups[m.group]
    # A second look that shares no code with the first.
    for a in found:
        for b in found:
            near = None not in (a.phash, b.phash) and distance(a.phash, b.phash) <= NEAR
            if a.group == b.group or a.sha256 == b.sha256 or near:
                assert result.sides[a.key] == result.sides[b.key]


@settings(deadline=None, max_examples=60)
@given(members, st.randoms())
def test_the_order_of_frames_does_not_matter(found, chance):
    mixed = chance.sample(found, len(found))
    assert assign(mixed, THREE).sides == assign(found, THREE).sides


@settings(deadline=None, max_examples=100)
@given(members, members)
def test_what_is_on_a_side_stays_there(first, added):
    before = assign(first, THREE)
    later = [Member(f"n{m.key}", m.group, m.sha256, m.view, m.classes, m.phash) for m in added]
    after = assign([*first, *later], THREE, before.groups)
    for group, side in before.groups.items():
        assert after.groups[group] == side


@settings(deadline=None, max_examples=100)
@given(members)
def test_no_side_gets_more_than_its_share_and_one_component(found):
    result = assign(found, THREE)
    parts = {m.group: {m.group} for m in found}
    for move in result.moved:
        joined = parts[move.group] | parts[move.to]
        for name in joined:
            parts[name] = joined
    size = Counter(m.group for m in found)
    largest = max(sum(size[g] for g in part) for part in parts.values())
    counts = Counter(result.sides.values())
    for side, share in THREE.shares.items():
        assert counts[side] <= share * len(found) + largest


def test_views_and_classes_are_shared_out():
    found = [
        Member(f"{i:03d}", f"g{i // 2}", f"p{i}", "BPD_PLANE" if i % 6 < 4 else "AC_PLANE",
               frozenset({"LV"} if i % 20 < 2 else {"Brain"}))
        for i in range(400)
    ]  # fmt: skip
    proof = audit(found, assign(found, THREE).sides, THREE)
    for side, share in THREE.shares.items():
        assert proof.reached[side] == pytest.approx(share, abs=0.01)
        counts = proof.counts[side]
        assert counts["by_view"]["AC_PLANE"] == pytest.approx(share * 132, abs=4)
        assert counts["by_class"]["LV"] == pytest.approx(share * 40, abs=3)


def test_another_seed_gives_other_sides():
    found = [Member(str(i), f"g{i}", f"p{i}") for i in range(100)]
    plans = [SplitPlan("patient", {"train": 0.5, "val": 0.5}, seed=s) for s in (0, 1)]
    assert assign(found, plans[0]).sides != assign(found, plans[1]).sides
    assert Counter(assign(found, plans[0]).sides.values()) == {"train": 50, "val": 50}


def test_a_leak_that_cannot_be_mended_is_named():
    # Two groups got different sides long ago; a new frame is the same as one of each.
    found = [
        Member("a", "g1", "x"),
        Member("b", "g2", "y", phash=0),
        Member("c", "g3", "x", phash=7),
    ]
    result = assign(found, THREE, {"g1": "train", "g2": "test"})
    proof = audit(found, result.sides, THREE, result.moved)
    assert result.groups["g3"] == "train"  # identical comes before near-identical
    (leak,) = proof.leaks
    assert (leak.kind, leak.a, leak.b, leak.distance) == ("near-identical image", "b", "c", 3)
    assert "near-identical image" in proof.told()
    assert proof.to_dict()["clean"] is False
    (move,) = result.moved
    assert (move.group, move.to, move.identical) == ("g3", "g1", True)


def test_the_audit_trusts_nobody():
    found = [Member("a", "g", "x"), Member("b", "g", "y"), Member("c", "h", "y")]
    proof = audit(found, {"a": "train", "b": "test", "c": "train"}, THREE)
    assert [(x.kind, x.a, x.b) for x in proof.leaks] == [
        ("group", "a", "b"),
        ("identical image", "b", "c"),
    ]


@pytest.mark.parametrize("shares", [{}, {"train": 0.5}, {"train": 1.5, "val": -0.5}])
def test_shares_must_be_shares(shares):
    with pytest.raises(ExchangeError):
        SplitPlan("patient", shares)


def test_a_share_of_nothing_gets_nothing():
    plan = SplitPlan("patient", {"train": 1.0, "test": 0.0})
    found = [Member(str(i), f"g{i}", f"p{i}") for i in range(5)]
    assert set(assign(found, plan, {"g1": "test"}).sides.values()) == {"train"}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 4)), min_size=2, max_size=300))
def test_close_pairs_are_those_of_a_plain_search(rows):
    hashes = [_hash(seed) for seed, _ in rows]
    groups = [group for _, group in rows]
    plain = {}
    for i, a in enumerate(hashes):
        for j in range(i + 1, len(hashes)):
            if groups[i] != groups[j] and (d := distance(a, hashes[j])) <= NEAR:
                key = tuple(sorted((groups[i], groups[j])))
                plain[key] = min(plain.get(key, BITS), d)
    fast = {
        tuple(sorted((groups[p.a], groups[p.b]))): p.distance for p in near_pairs(hashes, groups)
    }
    assert fast == plain
    closest = nearest(hashes, groups)
    if plain:
        assert closest.distance == min(plain.values())
    if len(set(groups)) == 1:
        assert closest is None


def test_copies_of_real_scans_are_found_and_other_heads_are_not(data_dir):
    paths = sorted((data_dir / "hc18/images").glob("*.png"))[::60]
    scans = [np.asarray(Image.open(p).convert("L")) for p in paths]
    hashes = [perceptual_hash(s) for s in scans]
    for pixels, own in zip(scans, hashes, strict=True):
        half = np.asarray(
            Image.fromarray(pixels).resize((pixels.shape[1] // 2, pixels.shape[0] // 2))
        )
        bright = np.clip(pixels * 1.3, 0, 255).astype(np.uint8)
        for copy in (half, bright, np.stack([pixels] * 3, -1)):
            assert distance(own, perceptual_hash(copy)) <= NEAR
        assert distance(own, perceptual_hash(np.ascontiguousarray(pixels[:, ::-1]))) > NEAR
    assert list(near_pairs(hashes, range(len(hashes)))) == []
