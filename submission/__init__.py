"""How a network leaves the house: packing, checking, sending."""
