"""Books of several servers are one, in whatever order."""

from sesame.simulation.book import UNIT, WEEK, Book, Count
from sesame.simulation.plan import START


def _books() -> list[Book]:
    books = [Book() for _ in range(3)]
    for number, book in enumerate(books):
        book.count(Count.LOGINS, START + number * WEEK, 1 + number)
        book.count(Count.GUESSES, START)
        book.expect(0.1 * (number + 1), START + WEEK - 1)
    return books


def test_they_add_up() -> None:
    """In all, and week by week; chances to the last bit."""
    total, other_way = Book(), Book()
    for book in _books():
        total.add(book)
    for book in reversed(_books()):
        other_way.add(book)
    assert total == other_way
    assert total.total == {Count.LOGINS: 6, Count.GUESSES: 3}
    assert total.weeks[2] == {Count.LOGINS: 3}
    assert total.weeks[0] == {Count.LOGINS: 1, Count.GUESSES: 3}
    assert abs(total.expected / UNIT - 0.6) < 1e-9
    assert total.expected_by_week[0] == total.expected
