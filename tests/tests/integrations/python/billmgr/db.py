"""Queries; the one that asks for an account's addresses."""

from . import load


def db_query(query, *values):
    assert query == "SELECT email FROM user WHERE account=%s ORDER BY id ASC", query
    return [user for user in load()["user"] if user["account"] == values[0]]
