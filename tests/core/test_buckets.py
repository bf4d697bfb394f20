import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.buckets import Bucket, buckets_for, crop_loss, place
from core.errors import UserError


@pytest.mark.parametrize(("resolution", "shortest", "longest", "count"), [(512, 256, 768, 11), (768, 384, 1024, 15)])
def test_the_guides_ranges_give_known_buckets(resolution, shortest, longest, count):
    buckets = buckets_for(resolution, shortest, longest, 64)
    assert len(buckets) == count and Bucket(resolution, resolution) in buckets
    for bucket in buckets:
        assert bucket.width % 64 == bucket.height % 64 == 0 and bucket.width * bucket.height <= resolution**2
        assert shortest <= min(bucket.width, bucket.height) and max(bucket.width, bucket.height) <= longest


def test_a_range_without_a_size_is_refused():
    with pytest.raises(UserError, match="No bucket"):
        buckets_for(512, 400, 440, 64)


@given(width=st.integers(16, 6000), height=st.integers(16, 6000))
def test_a_placement_lies_inside_and_has_the_buckets_shape(width, height):
    placement = place(width, height, buckets_for(512, 256, 768, 64))
    left, top, right, bottom = placement.crop
    assert -1e-6 <= left < right <= width + 1e-6 and -1e-6 <= top < bottom <= height + 1e-6
    assert (right - left) / (bottom - top) == pytest.approx(placement.bucket.width / placement.bucket.height, rel=1e-6)
    assert 0 <= crop_loss(placement, width, height) < 1


def test_heads_stay_where_height_is_cut():
    placement = place(512, 700, (Bucket(512, 512),))
    _, top, _, bottom = placement.crop
    assert top == pytest.approx(0.2 * (700 - 512)) and 700 - bottom == pytest.approx(0.8 * (700 - 512))


def test_a_photo_of_a_buckets_shape_loses_nothing():
    placement = place(1536, 1536, buckets_for(512, 256, 768, 64))
    assert placement.bucket == Bucket(512, 512) and crop_loss(placement, 1536, 1536) == 0 and placement.scale == pytest.approx(1 / 3)


def test_a_small_photo_is_known_to_be_blown_up():
    assert place(256, 256, (Bucket(512, 512),)).scale == 2.0


@pytest.mark.parametrize("step", [8, 20, 0, -64])
def test_a_step_flux_cannot_use_is_refused(step):
    with pytest.raises(UserError, match="steps of"):
        buckets_for(512, 256, 768, step)


def test_every_width_has_its_tallest_height():
    """By trying every size: no bucket could be one step taller, and no width is left out."""
    buckets = set(buckets_for(512, 256, 768, 64))
    for width in range(256, 769, 64):
        tallest = max(height for height in range(256, 769, 64) if width * height <= 512 * 512)
        assert Bucket(width, tallest) in buckets and Bucket(tallest, width) in buckets


def test_among_equal_shapes_the_largest_a_photo_fills_is_taken_else_the_smallest():
    sizes = (Bucket(128, 128), Bucket(256, 256), Bucket(512, 512))
    assert [place(side, side, sizes).bucket.width for side in (2000, 512, 300, 100)] == [512, 512, 256, 128]


def test_width_is_cut_equally_on_both_sides():
    placement = place(900, 512, (Bucket(512, 512),))
    left, top, right, bottom = placement.crop
    assert (left, 900 - right, top, bottom) == pytest.approx((194, 194, 0, 512))
    assert crop_loss(placement, 900, 512) == pytest.approx(1 - 512 / 900)
