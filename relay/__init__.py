"""A direct, SMTP-compatible relay to Amazon SES."""

__version__ = "0.1.0"
