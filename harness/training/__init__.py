"""Views, activations and the two stages."""
