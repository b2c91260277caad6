"""Verifies SGX quotes with dcap-qvl.

Reads {"root": base64, "at": seconds, "quotes": {name: {"quote": base64, "collateral": {...}}}} from standard input and
writes {name: {"status": ...} or {"error": ...}} to standard output.
"""

import base64
import json
import sys

from dcap_qvl import QuoteCollateralV3, verify_with_root_ca


def verdict(quote, collateral, root, at):
    try:
        report = verify_with_root_ca(quote, QuoteCollateralV3.from_json(json.dumps(collateral)), root, at)
    except Exception as error:  # whatever it refuses a quote with
        return {"error": str(error)}
    return {"status": report.status}


job = json.load(sys.stdin)
root = base64.b64decode(job["root"])
print(
    json.dumps(
        {
            name: verdict(base64.b64decode(one["quote"]), one["collateral"], root, job["at"])
            for name, one in job["quotes"].items()
        }
    )
)
