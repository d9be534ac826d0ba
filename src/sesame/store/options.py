"""What an operator may choose of a database, with defaults for one server of one bank."""

from dataclasses import dataclass

from sesame.store.groups import LARGEST_GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """How a store behaves. What SQLite has no use for it does not read.

    Times are in seconds; each bounds a wait, so that all of them together bound an answer.
    """

    largest_group: int = LARGEST_GROUP
    groups_of_one_bucket: bool = False  # for a database that is spread by bucket
    pool_size: int = 10  # connections of one process
    connect_timeout: float = 5.0
    statement_timeout: float = 5.0
    lock_timeout: float = 2.0  # for a row that another program holds
    idle_timeout: float = 300.0  # after which a connection that nobody uses is closed
