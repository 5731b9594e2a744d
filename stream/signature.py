"""The signature: what a service goes on from was written by who has its key."""

from __future__ import annotations

import hashlib
import hmac

from stream.errors import SignatureError


class Signer:
    """Signs for one service, so that not even another one with the same key can stand in for it.

    Parameters
    ----------
    secret
        `[checkpoint] key`.
    service
        The service's name.

    Examples
    --------
    >>> signer = Signer("correct horse battery", "churn")
    >>> len(signer.sign("manifest", b"{}"))
    64
    """

    def __init__(self, secret: str, service: str) -> None:
        self._key = hmac.digest(secret.encode(), b"alluvia " + service.encode(), hashlib.sha256)

    def sign(self, kind: str, data: bytes) -> str:
        """Return the HMAC-SHA256 of data of some kind, in hexadecimal."""
        return hmac.digest(self._key, kind.encode() + b" " + data, hashlib.sha256).hex()


def verify(signer: Signer | None, kind: str, data: bytes, signature: object) -> None:
    """Refuse data that is not signed as the configuration wants it.

    Parameters
    ----------
    signer
        None where no key is set; then nothing that is signed is taken either, so that a key
        that was forgotten is noticed before something unsigned follows.
    kind, data
        As they were signed.
    signature
        What came with the data; None if nothing did.

    Raises
    ------
    SignatureError
        It is unsigned or signed with another key, or it is signed and no key is set.
    """
    if signer is None and signature is None:
        return
    if signer is None:
        raise SignatureError(
            f"wanted a {kind} without a signature, since no [checkpoint] key is set, got a signed "
            "one: set ALLUVIA_CHECKPOINT__KEY to the key it was signed with"
        )
    if signature is None:
        raise SignatureError(
            f"wanted a {kind} signed with [checkpoint] key, got one without a signature: bring the "
            "folder back from a copy that you trust, or, for a model that was made without a key, "
            "choose another name and replay into it"
        )
    expected = signer.sign(kind, data).encode()
    if not hmac.compare_digest(expected, str(signature).encode("utf-8", "replace")):
        raise SignatureError(
            f"wanted a {kind} signed with [checkpoint] key, got one signed with another key or for "
            "another service: set the key and the name that it was made with, or bring the folder "
            "back from a copy that you trust"
        )
