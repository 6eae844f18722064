"""The encryption of values that are stored or handed over."""

import base64


def crypt_value(text):
    return "crypted:" + base64.b64encode(text[::-1].encode("utf-8")).decode("ascii")


def decrypt_value(text):
    assert text.startswith("crypted:"), "what is decrypted was encrypted"
    return base64.b64decode(text[8:]).decode("utf-8")[::-1]
