"""Items, their parameters, and what ends a running operation."""

import json
import xml.etree.ElementTree as ET

from . import crypto, load, store

ACTIVE, SUSPENDED, DELETED = 2, 3, 4


def _item(item):
    return load()["item"][str(item)]


def iteminfo(item):
    row = _item(item)
    return {"account_id": row["account"], "pricelist": row["pricelist"], "status": row["status"]}


def itemparams(item):
    values = _item(item)["params"]
    return {name: crypto.decrypt_value(text) if text.startswith("crypted:") else text for name, text in values.items()}


def itemaddons(item):
    return {name: tuple(bought) for name, bought in _item(item)["addons"].items()}


def get_item_processingmodule(item):
    return _item(item)["processingmodule"]


def get_module_params(module):
    return load()["processingmodule"][str(module)]


def get_pricelist_params(pricelist):
    return load()["pricelist"][str(pricelist)]


def get_items_for_sync(module):
    items = load()["item"].items()
    return [int(id) for id, row in items if row["processingmodule"] == module and row["status"] in (ACTIVE, SUSPENDED)]


def save_param(iid, param, value, crypted=False):
    tables = load()
    tables["item"][str(iid)]["params"][param] = crypto.crypt_value(value) if crypted else value
    store(tables)


def insert_stat(item, date, param, value, measure):
    tables = load()
    tables["stat"].append([item, date.strftime("%Y-%m-%d"), param, value, measure])
    store(tables)


def poststat(module, date):
    _posted("misc.poststat", {"module": module, "date": str(date)})


def _posted(function, arguments):
    tables = load()
    tables["posted"].append([function, arguments])
    store(tables)


def _post(function, item, status, **arguments):
    tables = load()
    if status is not None:
        tables["item"][str(item)]["status"] = status
    tables["runningoperation"] = {
        id: row for id, row in tables["runningoperation"].items() if row["item"] != item
    }
    store(tables)
    _posted(function, dict(arguments, elid=item))


def postopen(item, **arguments):
    _post("service.postopen", item, ACTIVE, **arguments)


def postsuspend(item):
    _post("service.postsuspend", item, SUSPENDED)


def postresume(item):
    _post("service.postresume", item, ACTIVE)


def postclose(item):
    _post("service.postclose", item, DELETED)


def postsetparam(item):
    _post("service.postsetparam", item, None)


def Mgrctl(function, **arguments):
    if function.startswith("service.post"):
        _post(function, arguments["elid"], None)
        return
    if function.startswith("runningoperation."):
        tables = load()
        row = tables["runningoperation"][str(arguments["elid"])]
        if function == "runningoperation.setmanual":
            row["manual"] = True
        else:
            row["errorxml"] = arguments["errorxml"]
        store(tables)
        return
    _posted(function, json.loads(json.dumps(arguments)))


def MgrctlXml(function, **arguments):
    assert function == "task.gettype", function
    doc = ET.Element("doc")
    ET.SubElement(doc, "task_type").text = "task_" + arguments["operation"]
    return doc
