"""EXI codec for V2G: declared message types to grammar to bits."""
