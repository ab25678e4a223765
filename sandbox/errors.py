"""What the sandbox raises on purpose.

SandboxError
├── UnknownTicker       a recording of a market that the world does not have (bad input)
├── BadKey              a public key that is neither RSA nor Ed25519 in PEM (bad input)
├── BadWorld            parameters that make no world (bad input)
├── BadFaults           a script of misfortunes that cannot be used (bad input)
└── PortTaken           the port asked for cannot be bound (bad input)
"""

from exchange.errors import BadInput, TapehouseError


class SandboxError(TapehouseError):
    """The local exchange could not do what was asked."""


class UnknownTicker(SandboxError, BadInput):
    """A market that this world does not have."""


class BadKey(SandboxError, BadInput):
    """A key the sandbox cannot verify signatures with."""


class BadWorld(SandboxError, BadInput):
    """Parameters from which no world can be made."""


class BadFaults(SandboxError, BadInput):
    """A script of misfortunes with a kind, key or value that the sandbox does not know."""


class PortTaken(SandboxError, BadInput):
    """The port asked for cannot be bound."""
