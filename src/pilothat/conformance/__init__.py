"""Conformance cases as data, played against a station in virtual time."""
