"""How our NIQE model was fitted, and how far it is from the one in use; see ``docs/niqe.md``."""
