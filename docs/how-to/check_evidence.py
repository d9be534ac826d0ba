"""Check an evidence file of a login:  python check_evidence.py FILE FINGERPRINT."""

import hashlib
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sys.excepthook = lambda kind, error, _: print("REFUSED:", kind.__name__, error, file=sys.stderr)


def must(right: bool, what: str) -> None:
    None if right else sys.exit(f"REFUSED: {what}")


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"sesame-audit-1\0" + b"".join(parts)).digest()


file = json.loads(written := Path(sys.argv[1]).read_bytes())
text = [json.dumps(one, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
        for one in (file, {k: v for k, v in file.items() if k != "sha256"})]  # fmt: skip
must([text[0], hashlib.sha256(text[1]).hexdigest()] == [written, file["sha256"]], "damaged")
login, lines = file["login"], [file["login"]["line"], *file["chain"]]
for name, of in (("subject", "user_code"), ("address", "address")) if "salt" in login else ():
    said = sha(name.encode(), b"\0", bytes.fromhex(login["salt"]), login[of].encode()).hex()
    must(json.loads(login["line"])[name] == said, f"another {name}")
for at in range(1, len(lines)):
    must(json.loads(lines[at])["prev"] == sha(b"line\0", lines[at - 1].encode()).hex(), "a gap")
place = json.loads(lines[-1])["version"].to_bytes(8, "big") + sha(b"line\0", lines[-1].encode())
node = sha(b"leaf\0", login["user_code"].encode(), b"\0", place)
for side, other in ((side, bytes.fromhex(other)) for side, other in file["path"]):
    node = sha(b"node\0", other, node) if side == "left" else sha(b"node\0", node, other)
key, seal = bytes.fromhex(file["public_key"]), json.loads(file["seal"])
must(node.hex() == seal["root"] and ("salt" in login) == ("address" in login), "not as sealed")
must(hashlib.sha256(key).hexdigest() == seal["key"] == sys.argv[2].lower(), "another key")
signed = b"sesame-audit-1\0seal\0" + file["seal"].encode()
Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(file["signature"]), signed)
print(f"RIGHT: {login['user_code']} from {login.get('address')}, sealed {seal['at']}: {lines[0]}")
