"""The version of the published face; the same as the distribution's, which a test holds it to."""

VERSION = "0.1.0"
