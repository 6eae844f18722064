"""What BILLmanager gives to a processing module: the helpers of its Python library that ours uses, over a database
that is a JSON file, written at each change so that a process that is killed leaves what it had stored."""

import json
import os

PATH = os.environ["BILLMGR_DATABASE"]


def load():
    with open(PATH, encoding="utf-8") as file:
        return json.load(file)


def store(tables):
    with open(PATH + ".new", "w", encoding="utf-8") as file:
        json.dump(tables, file)
    os.rename(PATH + ".new", PATH)


def log(line):
    tables = load()
    tables["log"].append(line)
    store(tables)
