"""How the provider signs its webhooks."""
import base64
import hashlib
import hmac
from urllib.parse import urlencode


def form(fields):
    return urlencode(fields).encode()


def signature(token, url, fields):
    """fields: a dict or a list of pairs (a name may come twice)."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
