"""Webhooks: endpoints are told by HTTP of what became of mail (docs/feedback.md).

`told` makes words of events, `hooks` gathers and keeps them, `courier` brings them to
one endpoint each. None of it is waited for by a mail.
"""
