"""What a session says to its client; what becomes of mail is `model/replies`'."""

from __future__ import annotations

from relay.model.replies import GUARDED, NO_ROOM
from relay.model.reply import Fault, Reply

OK = Reply(250, "0.0", "Ok")
BYE = Reply(221, "0.0", "Bye")
SENDER_OK = Reply(250, "1.0", "Sender ok")
RECIPIENT_OK = Reply(250, "1.5", "Recipient ok")
START_DATA = "354 End data with <CR><LF>.<CR><LF>"
CANNOT_VERIFY = Reply(252, "1.5", "Cannot verify, but will try to send")
TIME_OVER = Reply(421, "4.2", "Timeout, closing connection")
TOO_MANY_REFUSED = Reply(421, "7.0", "Too many refused commands, closing connection")
NOT_HTTP = Reply(421, "7.0", "This is an SMTP server, not an HTTP server")
TOO_LONG = Reply(500, "5.2", "Command line too long")
UNKNOWN = Reply(500, "5.1", "Unknown command")
NOT_OFFERED = Reply(502, "5.1", "Command not implemented")
NO_ARGUMENT = Reply(501, "5.4", "This command takes no argument")
BAD_PARAMETER = Reply(501, "5.4", "Syntax error in parameters")
UNKNOWN_PARAMETER = Reply(555, "5.4", "Parameter not offered")
EHLO_FIRST = Reply(503, "5.1", "Send EHLO first")
NESTED_MAIL = Reply(503, "5.1", "Sender already given")
MAIL_FIRST = Reply(503, "5.1", "Send MAIL first")
RCPT_FIRST = Reply(503, "5.1", "Send RCPT first")
BAD_SENDER = Reply(501, "1.7", "Bad sender address syntax")
BAD_RECIPIENT = Reply(553, "1.3", "Bad recipient address syntax")
NO_SMTPUTF8 = Reply(553, "6.7", "Non-ASCII addresses are not supported")
TOO_MANY_RECIPIENTS = Reply(
    452, "5.3", "Too many recipients", fault=Fault("size", ("limits.recipients",))
)
TOO_LARGE = Reply(
    552, "3.4", "Message is too long", fault=Fault("size", ("limits.messageSize",))
)
LINE_TOO_LONG = Reply(
    554,
    "6.0",
    "A line of the message is too long",
    fault=Fault("size", ("limits.lineLength",)),
)
READY_FOR_TLS = Reply(220, "0.0", "Ready to start TLS")
TLS_IN_USE = Reply(503, "5.1", "TLS is in use already")
TLS_FIRST = Reply(530, "7.0", "Must issue a STARTTLS command first")
LOGGED_IN = Reply(235, "7.0", "Authentication succeeded")
LOGGED_IN_ALREADY = Reply(503, "5.1", "Already authenticated")
NOT_IN_MAIL = Reply(503, "5.1", "Not during a mail transaction")
LOGIN_FIRST = Reply(530, "7.0", "Authentication required")
LOGIN_NEEDS_TLS = Reply(538, "7.11", "Encryption required for authentication")
WRONG_LOGIN = Reply(535, "7.8", "Authentication credentials invalid")
NO_LOGIN_NOW = Reply(454, "7.0", "Temporary authentication failure")
TOO_MANY_LOGINS = Reply(421, "7.0", "Too many failed logins, closing connection")
# Never permanent: a pool that connects anew hears what the settings say by now.
LOGIN_AGAIN = Reply(421, "7.0", "Login is no longer valid, connect again")
NOT_YOUR_SENDER = Reply(
    553, "7.1", "Sender address not allowed for this user", fault=Fault("sender")
)
TOO_OFTEN = Reply(
    450, "7.1", "Too many messages, try again later", fault=Fault("often")
)

# To who connects.
NOT_ALLOWED = Reply(554, "7.1", "Access denied: client address not allowed")
TOO_MANY = Reply(421, "3.2", "Too many connections, try again later")
TOO_MANY_OF_CLIENT = Reply(421, "7.0", "Too many connections from your address")

# In an exchange of AUTH.
CANCELLED = Reply(501, "7.0", "Authentication cancelled")
BAD_RESPONSE = Reply(501, "5.2", "Cannot decode the response")
RESPONSE_TOO_LONG = Reply(500, "5.6", "Authentication exchange line is too long")
NO_MECHANISM = Reply(504, "5.4", "Unrecognized authentication mechanism")

# What the log tells as well: limits, and what an operator will be asked about.
LOGGED = frozenset(
    {
        NO_ROOM,
        TOO_LARGE,
        LINE_TOO_LONG,
        TOO_MANY_RECIPIENTS,
        TOO_LONG,
        TOO_OFTEN,
        TOO_MANY_REFUSED,
        TOO_MANY_LOGINS,
        NOT_YOUR_SENDER,
        GUARDED,
        NOT_HTTP,
    }
)


def suppresses(reply: Reply) -> bool:
    """Tell whether a recipient gets no mail, whichever day that began."""
    return reply.fault is not None and reply.fault.kind == "suppressed"
