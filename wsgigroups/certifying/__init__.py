"""Certificates that an authority gives by ACME (RFC 8555): who asks it, when, and what is kept of that."""
