"""The pictures in docs/machines.md are those of the machines."""

from tests.helpers.draw_machines import PAGE, arrivals_drawn, effects_drawn, login_drawn, with_pictures


def test_the_pictures_show_the_machines_as_they_are() -> None:
    page = PAGE.read_text()
    assert with_pictures(page) == page, "run: python -Im tests.helpers.draw_machines"
    for drawn in (login_drawn(), effects_drawn(), arrivals_drawn()):
        assert drawn in page
