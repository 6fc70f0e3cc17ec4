"""The model.py that is put into a zip."""
