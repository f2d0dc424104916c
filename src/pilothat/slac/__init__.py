"""Signal level attenuation characterisation (ISO 15118-3, annex A)."""
