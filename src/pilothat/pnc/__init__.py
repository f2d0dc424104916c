"""Plug & Charge (ISO 15118-2): certificate chains, signatures, contract keys.

Pure: bytes, values and the time come in, values go out. All of it stands on the library
``cryptography`` (extra ``pnc``), so it is imported only where there are certificates.
"""
