"""The station: composes the machines and owns the one stopping path."""
