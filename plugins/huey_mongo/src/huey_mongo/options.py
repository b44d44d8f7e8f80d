"""The query options of a URL: this plugin's own, and those of the driver, which pass through to it.

The driver's are the options of MongoDB's connection strings, in any case, as providers hand them out; the driver itself
checks their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pymongo.errors import ConfigurationError as DriverConfigurationError
from pymongo.errors import InvalidURI
from pymongo.uri_parser import split_options

from huey_core.backends import Option, parse_positive_seconds, parse_positive_size, parse_text
from huey_mongo.documents import MAX_MESSAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DEFAULT_COLLECTION",
    "DEFAULT_POLL",
    "DRIVER_DEFAULTS",
    "DRIVER_OPTIONS",
    "OPTIONS",
    "STEP_LIMITS",
    "TIME_LIMIT",
    "TLS_FILES",
]

DEFAULT_COLLECTION: Final = "huey"
"""The collection that holds every queue and data store of a database."""

DEFAULT_POLL: Final = 0.25
"""The longest pause in seconds between two looks of an idle consumer on a server without change streams."""

DRIVER_DEFAULTS: Final = {
    "appName": "huey",
    "connectTimeoutMS": "5000",
    "serverSelectionTimeoutMS": "15000",
    "socketTimeoutMS": "20000",
    "wTimeoutMS": "15000",
}
"""What the driver is told unless the URL says otherwise."""

TIME_LIMIT: Final = 20.0
"""Seconds for a whole call, retries included, unless the URL says otherwise: enough to outlast an election."""

STEP_LIMITS: Final = frozenset({"connecttimeoutms", "serverselectiontimeoutms", "sockettimeoutms"})
"""Options, in lower case, that set a limit for one step of a call. Whoever gives one gets the driver's own rules."""


TLS_FILES: Final = ("tlsCAFile", "tlsCRLFile", "tlsCertificateKeyFile")
"""Options that name a file, which is looked at with all that belongs to it."""


def _checked_by_the_driver(name: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        try:
            split_options(f"{name}={quote(text, safe='')}", validate=True, warn=False)
        except (ValueError, TypeError, InvalidURI, DriverConfigurationError) as error:
            raise ValueError(str(error)) from None
        return text

    return parse


_DRIVER_HELP: Final = {
    "appName": "the name of the application, to be seen in the server's log",
    "authMechanism": "how to authenticate, for example SCRAM-SHA-256",
    "authMechanismProperties": "properties of the authentication mechanism, as NAME:value,NAME:value",
    "authSource": "the database that knows the user; by default that of the URL",
    "compressors": "compressors to offer the server, for example zstd,zlib",
    "connectTimeoutMS": "milliseconds to wait for a connection",
    "directConnection": "true to talk to the one host given, whatever it is a member of",
    "heartbeatFrequencyMS": "milliseconds between two looks at the state of a server",
    "journal": "true to wait until a write is in the journal on disk",
    "loadBalanced": "true when a load balancer stands before the servers",
    "localThresholdMS": "milliseconds by which a mongos may be slower than the nearest one",
    "maxConnecting": "the most connections that are being made at a time",
    "maxIdleTimeMS": "milliseconds after which an idle connection is closed",
    "maxPoolSize": "the most connections to one server",
    "maxStalenessSeconds": "seconds by which a secondary may lag; nothing is read from secondaries here",
    "minPoolSize": "the fewest connections to one server",
    "readConcernLevel": "the read concern; reads here are always local, from the primary",
    "readPreference": "the read preference; reads here are always from the primary",
    "replicaSet": "the name of the replica set",
    "retryReads": "false not to repeat a read whose connection broke",
    "retryWrites": "false not to repeat a write whose connection broke",
    "serverMonitoringMode": "how the state of the servers is watched: auto, stream or poll",
    "serverSelectionTimeoutMS": "milliseconds to wait for a primary; an election takes up to about twelve seconds",
    "socketTimeoutMS": "milliseconds to wait for a reply of the server",
    "srvMaxHosts": "the most hosts to take from the DNS record of mongodb+srv://",
    "srvServiceName": "the service name of the DNS record of mongodb+srv://",
    "ssl": "the old name of tls",
    "timeoutMS": "milliseconds for a whole call, retries included; 20000 unless a step of it has its own limit",
    "tls": "true to talk TLS",
    "tlsAllowInvalidCertificates": "true to accept any certificate, for tests only",
    "tlsAllowInvalidHostnames": "true to accept a certificate for another host, for tests only",
    "tlsCAFile": "a PEM file of the authorities to trust",
    "tlsCertificateKeyFile": "a PEM file with this client's certificate and its key",
    "tlsCertificateKeyFilePassword": "the password of that key",
    "tlsCRLFile": "a PEM file of revoked certificates",
    "tlsDisableOCSPEndpointCheck": "true not to ask whether a certificate was revoked",
    "tlsInsecure": "true to check no certificate, for tests only",
    "w": "how many members must have a write before it counts: majority, or a number of at least 1",
    "waitQueueTimeoutMS": "milliseconds to wait for a free connection",
    "wTimeoutMS": "milliseconds to wait until w is fulfilled",
    "zlibCompressionLevel": "the level of zlib compression, from -1 to 9",
}

DRIVER_OPTIONS: Final = tuple(
    Option(name, parse_text if name in TLS_FILES else _checked_by_the_driver(name), None, text, any_case=True)
    for name, text in _DRIVER_HELP.items()
)
"""The options that pass through to the driver."""

OPTIONS: Final = (
    Option("collection", parse_text, DEFAULT_COLLECTION, "the collection that holds the queues and data stores"),
    Option("max_message_size", parse_positive_size, MAX_MESSAGE_SIZE, "the largest message accepted, in bytes"),
    Option(
        "poll",
        parse_positive_seconds,
        DEFAULT_POLL,
        "longest pause in seconds of an idle consumer between two looks, where the server has no change streams",
    ),
    *DRIVER_OPTIONS,
)
"""Every option of ``mongodb://`` and ``mongodb+srv://``, beside the common ones."""
