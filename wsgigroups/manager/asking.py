"""One order of a certificate, by helper processes: the network is theirs, and the gateway answers what is asked of it.

Runs in the manager's only thread, which waits for nothing; the helper runs as the gateway's user, and a thread waits
for it. What comes back is looked at before it is believed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgigroups import certifying
from wsgigroups.manager import gateway_root
from wsgigroups.manager.supervision import publishing
from wsgigroups.runtime.wire.routes import Challenges
from wsgigroups.trust.certificates import MAXIMUM_PEM_BYTES, PairError, pair_of
from wsgigroups.trust.helpers import HelperError, read_file, run_helper
from wsgigroups.trust.validity import names_of, validity

if TYPE_CHECKING:
    from wsgigroups.manager.order_store import OrderStore
    from wsgigroups.manager.supervision.shell import Shell
    from wsgigroups.plan.desired import GroupTarget
    from wsgigroups.plan.routing import AuthorityTarget, OrderTarget

_ASKER = Path(str(certifying.__file__)).with_name("asker.py")
_TIMEOUT_S = 250.0  # of one step; the helper gives up before
_MAXIMUM_ANSWER_BYTES = 4 * 1024 * 1024
_TRANSIENT = ("rateLimited", "serverInternal")  # errors that are not of one order (RFC 8555 section 6.7)
_NO_ACCOUNT = "accountDoesNotExist"


class OrderError(Exception):
    """An order that came to nothing; the text says why.

    every: others of the authority would come to nothing, too; spoiled: a certificate was made, and cannot be used.
    """

    def __init__(
        self, why: str, retry_after_s: float | None = None, *, every: bool = False, spoiled: bool = False
    ) -> None:
        super().__init__(why)
        self.why, self.retry_after_s, self.every, self.spoiled = why, retry_after_s, every, spoiled


@dataclass(slots=True)
class Ordering:
    """An order under way. held: the lock that it has."""

    shell: Shell
    store: OrderStore
    target: GroupTarget
    authority: AuthorityTarget
    order: OrderTarget
    held: int

    async def carry_out(self) -> None:
        """Have the certificate made, and store it with its key. Raises OrderError."""
        common = await self._common()
        begun = await self._step({**common, "step": "begin", "names": self.order.names})
        try:
            proofs = [{key: str(text) for key, text in item.items()} for item in begun["proofs"]]
            key = str(begun["key"]).encode()
            further = {"order": begun["order"], "csr": begun["csr"], "proofs": proofs, "account": begun["account"]}
            await self._show(proofs)
        except (KeyError, TypeError, AttributeError):
            raise OrderError("the helper gave no answer of use") from None
        try:
            finished = await self._step({**common, **further, "step": "finish"})
        finally:
            await self._hide(proofs)
        chain = str(finished.get("chain", "")).encode()
        _check(chain, key, self.order.names)
        try:
            await asyncio.to_thread(self.store.keep_certificate, self.order.path, chain, key)
        except OSError as error:
            raise OrderError(
                f"the certificate that was made cannot be stored: {error.strerror}", spoiled=True
            ) from None

    async def _common(self) -> dict[str, Any]:
        authority, account = self.authority, gateway_root.account_of(self.target)
        trusted = ""
        if authority.ca_file:
            try:
                content = await asyncio.to_thread(read_file, authority.ca_file, account, MAXIMUM_PEM_BYTES)
                trusted = content.decode("ascii")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not PEM"
                raise OrderError(f"cannot read acme-ca-file {authority.ca_file}: {why}", every=True) from None
        return {
            "directory": authority.directory,
            "contact": [f"mailto:{authority.contact}"] if authority.contact else [],
            "ca": trusted,
            "challenge": authority.challenge,
            "account": self.store.account(authority.directory, authority.contact),
        }

    async def _step(self, question: dict[str, Any]) -> dict[str, Any]:
        """Ask a helper. Raises OrderError."""
        data = json.dumps(question).encode()
        account = gateway_root.account_of(self.target) if self.target.spec.identity else None
        program = [sys.executable, "-I", str(_ASKER)]
        ring = os.eventfd(0, os.EFD_CLOEXEC)
        try:
            work = partial(_helped, account, program, data, os.dup(self.held), os.dup(ring))
            status, output = await asyncio.to_thread(work)
            answer = json.loads(output)
        except HelperError as error:
            raise OrderError(f"the helper said nothing of use: {error}") from None
        except ValueError:
            raise OrderError(f"the helper ended with status {status}") from None
        except asyncio.CancelledError:
            os.eventfd_write(ring, 1)
            raise
        finally:
            os.close(ring)
        if not isinstance(answer, dict):
            raise OrderError("the helper gave no answer of use")
        self._learn(question, answer)
        if "error" in answer:
            kind = str(answer.get("kind") or "").rpartition(":")[2]
            every = kind in _TRANSIENT or (not kind and answer.get("account") is None)
            retry_after_s = answer.get("retry_after_s")
            wait_s = float(retry_after_s) if isinstance(retry_after_s, (int, float)) else None
            raise OrderError(str(answer["error"]), wait_s, every=every)
        return answer

    def _learn(self, question: dict[str, Any], answer: dict[str, Any]) -> None:
        """Keep an account that is new, and forget one that the authority does not know. Raises OrderError."""
        authority, account = self.authority, answer.get("account")
        try:
            if str(answer.get("kind", "")).endswith(_NO_ACCOUNT):
                self.store.forget_account(authority.directory, authority.contact)
            elif isinstance(account, dict) and account != question["account"]:
                self.store.keep_account(authority.directory, authority.contact, account)
        except OSError as error:
            raise OrderError(f"the account cannot be stored: {error.strerror}", every=True) from None

    async def _show(self, proofs: list[dict[str, str]]) -> None:
        """Have the gateway answer with these. Raises OrderError."""
        routing = self.target.routing
        assert routing is not None
        if self.authority.challenge == "http-01":
            shown = Challenges({item["token"]: item["text"] for item in proofs})
        else:
            shown = Challenges({}, {item["name"].lower(): _proof_name(item) for item in proofs})
            try:
                for item in proofs:
                    chain, key = item["chain"].encode(), item["key"].encode()
                    await asyncio.to_thread(gateway_root.write_proof, routing, _proof_name(item), chain, key)
            except OSError as error:
                raise OrderError(f"cannot write what the authority looks for: {error.strerror}") from None
        why = await publishing.publish(self.shell, shown)
        if why:
            await self._hide(proofs)
            raise OrderError(why)

    async def _hide(self, proofs: list[dict[str, str]]) -> None:
        routing = self.target.routing
        assert routing is not None
        await publishing.publish(self.shell, Challenges())
        gateway_root.remove_proofs(routing, [_proof_name(item) for item in proofs])


def _helped(account: Any, program: list[str], data: bytes, held: int, stop: int) -> tuple[int, bytes]:
    """Run a helper in another thread. held, stop: they are ours from now on."""
    try:
        return run_helper(account, program, data, _TIMEOUT_S, _MAXIMUM_ANSWER_BYTES, (held,), stop)
    finally:
        os.close(held)
        os.close(stop)


def _proof_name(proof: dict[str, str]) -> str:
    # of base64url, as tokens are (RFC 8555 section 8.1); whatever else comes is no part of a path
    return "proof-" + "".join(letter for letter in proof["token"] if letter.isalnum() or letter in "-_")


def _check(chain: bytes, key: bytes, names: tuple[str, ...]) -> None:
    """See that a certificate is what was ordered. Raises OrderError."""
    problem = ""
    try:
        pair_of(chain, key, "the certificate", "the key that was made for it")
        missing = {name.lower() for name in names} - names_of(chain)
        if missing:
            problem = f"it is not for {', '.join(sorted(missing))}"
        elif validity(chain)[1] <= time.time():
            problem = "it has ended"
    except (PairError, ValueError) as error:
        problem = str(error)
    if problem:
        raise OrderError(f"the certificate that was made cannot be used: {problem}", spoiled=True)
