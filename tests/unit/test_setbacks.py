"""The world, or this one photo?"""

from photosortd.pipeline.setbacks import Setbacks
from photosortd.pipeline.values import MAX_ATTEMPTS
from photosortd.records import Source

A, B = Source("/dcim", "a.jpg"), Source("/dcim", "b.jpg")


def test_a_full_disk_is_nobodys_fault_however_often() -> None:
    setbacks = Setbacks()
    assert not any(setbacks.is_its_fault(A) or setbacks.is_its_fault(B) for _ in range(50))


def test_who_fails_while_others_go_through_is_at_fault() -> None:
    setbacks = Setbacks()
    for _ in range(MAX_ATTEMPTS):
        assert not setbacks.is_its_fault(A)
        setbacks.success(B)
    assert setbacks.is_its_fault(A)


def test_a_success_wipes_the_slate() -> None:
    setbacks = Setbacks()
    for _ in range(10 * MAX_ATTEMPTS):
        assert not setbacks.is_its_fault(A)
        setbacks.success(B)
        setbacks.success(A)
