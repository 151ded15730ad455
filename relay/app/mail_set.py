"""What works on mail by one set of settings: from the submission to the reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relay.app.doors import Door
from relay.app.in_force import InForce
from relay.app.outlets import Outlet
from relay.delivery import Delivery
from relay.delivery.admission import Admission
from relay.delivery.use import Use
from relay.intake.accept import Intake
from relay.model.mail import Mail, Prepared
from relay.model.reply import Reply
from relay.model.submission import Submission


class MailSet:
    """One set at work; `use` counts the mail that it has in hand.

    With a queue, `gates` has each account's.
    """

    def __init__(
        self,
        in_force: InForce,
        outlets: Sequence[Outlet],
        *,
        use: Use,
        intake: Intake,
        delivery: Delivery,
        gates: Mapping[str, Admission],
    ) -> None:
        self.in_force = in_force
        self.outlets = outlets
        self.use = use
        self.gates = gates
        self.request = {one.account: one.request for one in outlets}
        self.stop_within = delivery.stop_within
        self._intake = intake

    async def accept(
        self, submission: Submission, left: Callable[[], bool] = lambda: False
    ) -> Reply:
        """Take what `submission` asks for, by this set to its end."""
        self.use.enter()
        try:
            return await self._intake.accept(submission, left)
        finally:
            self.use.leave()

    async def forward(self, submission: Submission, kept: Mail) -> Reply:
        """Send a mail that was kept to the recipient of `submission`."""
        from relay.app.senders import senders
        from relay.intake.forwarding import forwarded  # nobody asks while it starts

        now = self.in_force

        def made() -> Prepared:
            return forwarded(
                kept,
                submission.envelope.recipients[0],
                templates=now.templates,
                accounts=senders(now.settings),
                rules=now.rules,
                guard=now.guard,
            )

        self.use.enter()
        try:
            return await self._intake.forward(submission, made)
        finally:
            self.use.leave()

    @property
    def doors(self) -> Sequence[Door]:
        """Each of those that its mail leaves by."""
        return list(dict.fromkeys(one.door for one in self.outlets))
